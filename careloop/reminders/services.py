"""What others ask of reminders: the clinic's settings, and what a patient does with a visit a message speaks of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.messaging.models import Message
from careloop.reminders import planning
from careloop.reminders.models import ReminderSettings
from careloop.scheduling import errors
from careloop.scheduling import services as scheduling
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place

FIELDS = (
    "confirmation", "early", "early_from_days", "early_to_days", "day_before", "same_day", "hour", "same_day_hour", "turn_near",
    "number_link", "call_list", "call_hour", "rebook",
)  # fmt: skip


def current() -> ReminderSettings:
    """Return the clinic's choices, or the defaults."""
    return ReminderSettings.objects.first() or ReminderSettings()


@transaction.atomic
def save(*, given: Mapping[str, Any], now: datetime, by: UUID | None) -> ReminderSettings:
    """Keep the clinic's choices. They count for what is planned from now on; a reminder switched off now does not leave."""
    values = {name: given[name] for name in FIELDS if name in given}
    kept, _is_new = ReminderSettings.objects.update_or_create(
        defaults={**values, "changed_at": now}, create_defaults={**values, "changed_at": now}
    )
    off = [
        which
        for which, is_on in (("early", kept.early), ("day", kept.day_before), ("today", kept.same_day))
        if not is_on
    ]
    _withdraw(off, now=now)
    audit.record("reminders.changed", target=("reminders_settings", kept.pk), now=now)
    return kept


def _withdraw(kinds: list[str], *, now: datetime) -> None:
    """Take back planned reminders of these kinds."""
    if kinds:
        sql.execute(
            """update messaging_message set state = 'cancelled', reason = 'withdrawn', closed_at = %s
                where state = 'planned' and origin = 'appointment' and split_part(key, ':', 4) = any(%s)""",
            [now, kinds],
        )


# -- what a patient does ---------------------------------------------------------------------------------------------


def answer(message: Message, answer: str, *, now: datetime) -> None:
    """Note on the message what the patient decided on its page."""
    Message.objects.filter(pk=message.pk).update(answered_at=now, answer=answer)


@transaction.atomic
def confirm(*, appointment_id: UUID, sequence: int, now: datetime) -> Appointment:
    """The patient says: I am coming, about the time they were shown.

    Raises:
        ChangedMeanwhile: it has another time now. Nothing is confirmed.
        NotInThisState: it is called off or over.
    """
    return scheduling.confirm(appointment_id=appointment_id, sequence=sequence, now=now, by=None)


@transaction.atomic
def call_off(*, appointment_id: UUID, sequence: int, now: datetime) -> Appointment:
    """The patient cannot come to the time they were shown.

    Raises:
        ChangedMeanwhile: it has another time now. Nothing is called off.
        NotInThisState, TooLate.
    """
    found = _of_sequence(appointment_id, sequence)
    if found.state == "cancelled":
        return found
    return scheduling.cancel(appointment_id=appointment_id, reason="patient", now=now, by=None, online=True)


def move(*, appointment_id: UUID, sequence: int, place: Place, now: datetime, more_days: int = 0) -> Appointment:
    """The patient takes another time instead of the one they were shown.

    Args:
        more_days: how many days earlier than others this patient may book.

    Raises:
        ChangedMeanwhile: it has another time already; a double click on the same place is none.
        NotInThisState, TooLate, and what `scheduling.services.move` raises for a place that is not to be had.
    """
    with transaction.atomic():
        found = Appointment.objects.select_for_update().get(pk=appointment_id)
        if (
            found.sequence == sequence + 1
            and found.session_id == place.session_id
            and found.state == "booked"
            and (place.starts_at is None or found.starts_at == place.starts_at)
        ):  # the same click, a moment ago
            return found
        if found.sequence != sequence:
            raise errors.ChangedMeanwhile
        version = found.version
    return scheduling.move(
        appointment_id=appointment_id, place=place, version=version, now=now, by=None, online=True, more_days=more_days
    )


def book_again(*, appointment_id: UUID, place: Place, now: datetime, more_days: int = 0) -> Appointment:
    """The patient takes another time after the clinic, or they themselves, called a visit off; a double click books once.

    Args:
        more_days: how many days earlier than others this patient may book.

    Raises:
        NotInThisState: the visit still stands. And what `scheduling.services.book` raises.
    """
    found = Appointment.objects.get(pk=appointment_id)
    if found.state != "cancelled":
        raise errors.NotInThisState(state=Appointment.State(found.state).label)
    return scheduling.book(
        patient_id=found.patient_id, service_id=found.service_id, place=place, source="link", key=again_key(appointment_id),
        now=now, by=None, online=True, more_days=more_days,
    )  # fmt: skip


def again_key(appointment_id: UUID) -> str:
    """Return the key under which a visit that was called off is booked anew, once."""
    return f"again:{appointment_id}"


def _of_sequence(appointment_id: UUID, sequence: int) -> Appointment:
    found = Appointment.objects.select_for_update().get(pk=appointment_id)
    if found.sequence != sequence and not (found.state == "cancelled" and found.sequence == sequence + 1):
        raise errors.ChangedMeanwhile
    return found


def answer_by_tap(*, message_id: UUID, inbound_id: UUID, now: datetime) -> str:
    """Confirm the visit a tapped message speaks of, if it still is as the message says; tell the patient how things stand.

    Returns `confirmed`, `changed` (another time: nothing is confirmed and the current one is told), `gone` (called off) or
    `over`.
    """
    message = Message.objects.get(pk=message_id)
    if message.appointment_id is None or message.appointment_sequence is None:
        return "over"
    try:
        with transaction.atomic():
            confirm(appointment_id=message.appointment_id, sequence=message.appointment_sequence, now=now)
    except (errors.ChangedMeanwhile, errors.NotInThisState):
        found = Appointment.objects.get(pk=message.appointment_id)
        suffix = f":{inbound_id.hex[:12]}"
        if found.starts_at > now and found.state == "booked":
            planning.tell_one("now", "visit-now", appointment_id=found.pk, state="booked", now=now, suffix=suffix)
            return "changed"
        if found.starts_at > now and found.state == "cancelled":
            planning.tell_one("gone", "visit-gone", appointment_id=found.pk, state="cancelled", now=now, suffix=suffix)
            return "gone"
        return "over"
    planning.tell_one("thanks", "visit-thanks", appointment_id=message.appointment_id, state="booked", now=now)
    return "confirmed"
