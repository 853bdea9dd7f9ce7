"""A wish on the waitlist changes: what the patient waits for, whose turn it is, and that it was met some other way."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.scheduling import errors, waitlist
from careloop.scheduling import events as facts
from careloop.scheduling.models import WaitlistEntry
from careloop.scheduling.turns import in_turn


class Reason(models.TextChoices):
    """Why somebody's turn is another one: a choice and no words of one's own, because it is told in the history."""

    MEDICAL = "medical", pgettext_lazy("waitlist priority", "a medical reason")
    WAITED = "waited", pgettext_lazy("waitlist priority", "has waited long")
    CLINIC = "clinic", pgettext_lazy("waitlist priority", "the clinic had called a visit off")
    CORRECTION = "correction", pgettext_lazy("waitlist priority", "it was entered wrongly")


PRIORITIES = (1, 2, 3)


@in_turn
def change(
    *, entry_id: UUID, version: int, first_date: date, last_date: date, practitioner_id: UUID | None, location_id: UUID | None,
    weekdays: Sequence[int], parts: Sequence[str], note: str, now: datetime, by: UUID | None,
) -> WaitlistEntry:  # fmt: skip
    """Change what somebody waits for; a place that fits it now is offered at once. The turn stays: whoever asked first is first.

    Raises:
        UnknownEntry; NotWaiting: there is an open offer, or the wish is over.
        WishChanged: by somebody else, since it was looked at.
        BadDates: the last day lies before the first one or before today.
    """
    entry = _waiting(entry_id, version)
    if last_date < max(first_date, waitlist.today(now)):
        raise errors.BadDates
    entry.first_date, entry.last_date = first_date, last_date
    entry.practitioner_id, entry.location_id = practitioner_id, location_id
    entry.weekdays, entry.parts, entry.note = sorted(weekdays), list(parts), clean(note)[:200]
    entry.version += 1
    entry.save()
    _tell(entry, now=now)
    waitlist.offer_to(entry, now=now)
    return entry


@in_turn
def set_priority(
    *, entry_id: UUID, version: int, priority: int, reason: str, now: datetime, by: UUID | None
) -> WaitlistEntry:
    """Put a wish into another rank, for a reason that stays with it.

    Raises:
        UnknownEntry, NotWaiting, WishChanged.
    """
    assert priority in PRIORITIES, priority
    entry = _waiting(entry_id, version)
    if entry.priority != priority:
        entry.priority = priority
        entry.version += 1
        entry.save(update_fields=["priority", "version"])
        _tell(entry, reason=Reason(reason).value, now=now)
    return entry


def close_met(*, appointment_ids: Sequence[UUID], now: datetime) -> int:
    """Take wishes off the list whose patient found a place some other way; return how many. Safe to repeat.

    A wish is met by an appointment for the same service, on a day and with a practitioner that it names; a wish for an earlier
    place only by one that is earlier than the one it stands for.
    """
    met = sql.rows(
        """select w.id from scheduling_waitlist_entry w
             join scheduling_appointment a on a.patient_id = w.patient_id and a.service_id = w.service_id
             join tenancy_organization o on o.id = a.organization_id
             left join scheduling_appointment l on l.id = w.instead_of_id
            where a.id = any(%(appointments)s::uuid[]) and a.state = 'booked' and w.state in ('WAITING', 'OFFERED')
              and a.source <> 'waitlist' and a.created_at >= w.created_at
              and (a.starts_at at time zone o.time_zone)::date <= w.last_date
              and (w.practitioner_id is null or w.practitioner_id = a.practitioner_id)
              and (l.id is null or (a.id <> l.id and a.starts_at < l.starts_at)) order by w.id""",
        {"appointments": list(appointment_ids)},
    )
    for row in met:
        waitlist.leave(entry_id=row["id"], reason="booked", now=now, by=None)
    return len(met)


def close_given_up(*, appointment_ids: Sequence[UUID], now: datetime) -> int:
    """Take wishes for an earlier place off the list when the patient called the later one off: they do not come at all.

    What the clinic called off leaves the wish: the patient still wants to be seen.
    """
    given_up = sql.rows(
        """select w.id from scheduling_waitlist_entry w join scheduling_appointment a on a.id = w.instead_of_id
            where a.id = any(%s::uuid[]) and a.state = 'cancelled' and a.cancel_reason = 'patient'
              and w.state in ('WAITING', 'OFFERED') order by w.id""",
        [list(appointment_ids)],
    )
    for row in given_up:
        waitlist.leave(entry_id=row["id"], reason="patient", now=now, by=None)
    return len(given_up)


def _waiting(entry_id: UUID, version: int) -> WaitlistEntry:
    found = WaitlistEntry.objects.select_for_update().filter(pk=entry_id).first()
    if found is None:
        raise errors.UnknownEntry
    if found.state != "WAITING":
        raise errors.NotWaiting
    if found.version != version:
        raise errors.WishChanged
    return found


def _tell(entry: WaitlistEntry, *, now: datetime, reason: str = "") -> None:
    service = sql.value("select name from scheduling_service where id = %s", [entry.service_id])
    events.publish(
        facts.WaitlistChanged(entry.pk, service, entry.priority, reason),
        patient_id=entry.patient_id,
        now=now,
        source="waitlist",
    )
    audit.record("waitlist.changed", patients=[entry.patient_id], target=("waitlist_entry", entry.pk), now=now)
