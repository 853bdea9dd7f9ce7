"""What the waiting room gives out and erases for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return when the patient waited, was called and was seen."""
    rows = sql.rows(
        """select t.label as number, t.state, t.how, t.checked_in_at, t.called_at, t.started_at, t.finished_at, t.missed_count,
                  p.name as practitioner
             from waitingroom_ticket t join records_practitioner p on p.id = t.practitioner_id
            where t.patient_id = %s order by t.created_at""",
        [patient_id],
    )
    return {"queue": rows}


def erase(patient_id: UUID) -> None:
    """End the links to the patient's numbers and empty the words; waits and durations stay countable."""
    sql.execute(
        """update waitingroom_ticket set held_for = '', token_hash = sha256(gen_random_uuid()::text::bytea), version = version + 1
            where patient_id = %s""",
        [patient_id],
    )
