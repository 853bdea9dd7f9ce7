"""What keeps membership true: the event log, and midnight."""

from datetime import datetime
from uuid import UUID

from careloop.events.registry import Published, reader, reading_now
from careloop.facts.handlers import catch_up
from careloop.kernel import sql
from careloop.segments import services
from careloop.tenancy.loops import daily

UNDONE = "import.undone"


@reader("segments", batch_size=2000)
def keep_members(batch: list[Published]) -> None:
    """Work out again the membership of everybody these events are about.

    Entering a segment is itself an event and concerns no segment. The facts are brought up to date first, because this
    reader may be ahead of theirs; where they are already right that writes nothing.
    """
    now = reading_now()
    kinds: dict[UUID, set[str]] = {}
    news: set[UUID] = set()
    for event in batch:
        if event.kind == UNDONE:
            everyone = sql.rows(
                "select distinct patient_id from events_event where batch_id = %s and patient_id is not null",
                [event.payload.get("batch_id") or event.batch_id],
            )
            for row in everyone:
                kinds.setdefault(row["patient_id"], set()).add(UNDONE)
        if event.patient_id is None or event.kind.startswith("segment."):
            continue
        kinds.setdefault(event.patient_id, set()).add(event.kind)
        if not event.historical:
            news.add(event.patient_id)
    if not kinds:
        return
    catch_up(batch)
    services.reevaluate(
        kinds, now=now, kinds={patient: frozenset(found) for patient, found in kinds.items()},
        historical=frozenset(kinds) - news,
    )  # fmt: skip


@daily("segments-refresh", hour=0)
def refresh(*, now: datetime) -> None:
    """Windows and ages have moved: look at everybody again. Runs after the facts' own daily step."""
    services.refresh_all(now=now)
