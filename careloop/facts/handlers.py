"""What keeps the facts true: the event log, and midnight."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from careloop.events.registry import Published, reader, reading_now
from careloop.facts import selectors, services
from careloop.kernel import sql
from careloop.tenancy.loops import daily

READER = "facts"

# Kinds after which a row may look different. History counts like news here: facts are about what is so.
CHANGES_FACTS = frozenset({
    "patient.registered", "patient.updated", "patient.tagged", "patient.untagged", "patient.merged", "patient.unmerged",
    "contact_point.added", "contact_point.changed", "contact_point.removed", "contact_point.reach_changed",
    "consent.given", "consent.withdrawn",
    "encounter.recorded", "invoice.recorded", "medication.recorded", "record.updated", "record.entered_in_error",
    "follow_up.created", "follow_up.done", "follow_up.snoozed", "follow_up.cancelled", "follow_up.reopened",
    "appointment.booked", "appointment.moved", "appointment.cancelled", "appointment.arrived", "appointment.fulfilled",
    "appointment.noshow", "appointment.entered_in_error",
})  # fmt: skip
SENT, ANSWERED, UNDONE = "message.sent", "message.received", "import.undone"


WATCHED = CHANGES_FACTS | {SENT, ANSWERED, UNDONE}


@reader(READER, kinds=tuple(sorted(WATCHED)), batch_size=5000)
def keep_facts(batch: list[Published]) -> None:
    """Work out the rows of everybody these events are about."""
    now = reading_now()
    sent: dict[UUID, datetime] = {}
    answered: dict[UUID, datetime] = {}
    touched: set[UUID] = set()
    undone: set[UUID] = set()
    for event in batch:
        if event.kind == UNDONE:
            undone.add(UUID(str(event.payload.get("batch_id") or event.batch_id)))
        if event.patient_id is None:
            continue
        if event.kind in (SENT, ANSWERED):
            times = sent if event.kind == SENT else answered
            times[event.patient_id] = max(event.occurred_at, times.get(event.patient_id, event.occurred_at))
        else:
            touched.add(event.patient_id)
    services.refresh(touched | _patients_of(undone), now=now)
    services.note_messages(sent, answered)
    services.recount_messages(sorted(_patients_of(undone)))


def catch_up(batch: list[Published]) -> None:
    """For readers of slices above that may be ahead: make sure that the facts know of these events.

    Where the facts' own reader has been already this is one look; otherwise the work is done twice, which changes nothing.
    """
    if batch and not selectors.reader_is_past(batch[-1], reader=READER):
        keep_facts([event for event in batch if event.kind in WATCHED])


def _patients_of(batches: Iterable[UUID]) -> set[UUID]:
    wanted = list(batches)
    if not wanted:
        return set()
    return {
        row["patient_id"]
        for row in sql.rows(
            "select distinct patient_id from events_event where batch_id = any(%s) and patient_id is not null", [wanted]
        )
    }


@daily("facts-advance", hour=0)
def advance(*, now: datetime) -> None:
    """Move the windows and stages of those whose day has come."""
    services.advance(now=now)
