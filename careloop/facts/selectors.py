"""Reading facts."""

from typing import Any
from uuid import UUID

from careloop.events.registry import Published
from careloop.facts.models import PatientFacts, Stage
from careloop.kernel import sql


def facts_of(patient_id: UUID) -> PatientFacts | None:
    """Return one patient's row; None when there is no such patient here, or it is too new for the reader."""
    return PatientFacts.objects.filter(patient_id=patient_id).first()


def stage_counts() -> dict[Stage, int]:
    """Return how many patients stand at each stage of the life cycle."""
    found: list[dict[str, Any]] = sql.rows("select stage, count(*) as patients from facts_patient group by stage")
    counts = {row["stage"]: row["patients"] for row in found}
    return {stage: counts.get(stage.value, 0) for stage in Stage}


def reader_is_past(event: Published, *, reader: str) -> bool:
    """Whether the facts' reader has already worked on this event."""
    # found among the patient's events: the log has no index of ids alone
    whose = "e.patient_id = %s" if event.patient_id else "e.patient_id is null and %s::uuid is null"
    return bool(
        sql.value(
            f"""select (p.xid, p.event_id) >= (e.xid, e.id)
                  from events_position as p join events_event as e on e.id = %s and e.recorded_at = %s and {whose}
                 where p.reader = %s""",
            [event.id, event.recorded_at, event.patient_id, reader],
        )
    )
