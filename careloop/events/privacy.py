"""What the event log gives out and erases for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return everything that happened to the patient, in order."""
    rows = sql.rows(
        """select kind, occurred_at, recorded_at, source, payload from events_event
            where patient_id = %s and (batch_id is null or not exists (
                      select 1 from events_retraction r where r.batch_id = events_event.batch_id))
            order by occurred_at, id""",
        [patient_id],
    )
    return {"events": rows}


def erase(patient_id: UUID) -> None:
    """Empty what the events say in words; that something happened, and when, stays countable and says of nobody."""
    sql.value("select events_forget(%s)", [patient_id])
