"""Booking by patients themselves: what is offered, a place held in one browser, whose it is, and its being booked.

The rules of a service are scheduling's, asked with `online=True`. What is added here: how many places one browser, one network and
one patient may hold. None of it closes the telephone or the door (S9), and no deposit is asked for anything here (S8).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import translation

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.text import clean
from careloop.loyalty.tier import tiers
from careloop.portal import errors
from careloop.portal.limits import Limit, minutes, wait_for
from careloop.portal.models import Booking
from careloop.portal.recognizing import Visitor
from careloop.scheduling import availability, holds
from careloop.scheduling import errors as scheduling_errors
from careloop.scheduling import services as scheduling
from careloop.scheduling.availability import Free
from careloop.scheduling.models import Appointment, Service
from careloop.scheduling.places import Place

# visits to come that one patient can book by themselves; for more they call
MOST_OPEN = 5
# places held at one time for visitors who have not said who they are, in one clinic
MOST_HELD = 40
DAYS_SHOWN = 5
SESSIONS_LOOKED_AT = 24
# a held place that was let go was never a visit
GIVEN_UP = "hold-expired"
PARTS = ("MORNING", "AFTERNOON", "EVENING")
LONGEST_ANSWER = 500
KEPT_FOR = timedelta(hours=2)


# -- what is offered ---------------------------------------------------------------------------------------------


def name_of(service: Service) -> str:
    """Return a service's name in the reader's language."""
    language = translation.get_language() or ""
    return str(service.names.get(language) or service.name)


def services_offered() -> list[Service]:
    """Return what patients can book by themselves."""
    return list(Service.objects.filter(is_active=True, is_online=True).order_by("name"))


def practitioners_of(service_id: UUID) -> list[dict[str, Any]]:
    """Return who offers a service, by name."""
    return sql.rows(
        """select p.id, p.name from scheduling_service_practitioner sp join records_practitioner p on p.id = sp.practitioner_id
            where sp.service_id = %s order by p.name""",
        [service_id],
    )


def locations_of(service_id: UUID) -> list[dict[str, Any]]:
    """Return the branches where somebody who offers the service has sessions to come."""
    return sql.rows(
        """select l.id, l.name from tenancy_location l where l.is_active and exists (
               select from scheduling_session s join scheduling_service_practitioner sp
                 on sp.practitioner_id = coalesce(s.regular_id, s.practitioner_id) and sp.service_id = %s
                where s.location_id = l.id and s.state = 'OPEN' and s.ends_at > now()) order by l.name""",
        [service_id],
    )


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for."""

    since: date | None = None
    practitioner_id: UUID | None = None
    location_id: UUID | None = None
    weekdays: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()
    says_first: bool = False


@dataclass
class Day:
    """One day with room: its places by time, and its sessions by number."""

    on: date
    places: list[Free] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """Days with room, the first of all places, and the day to go on from (None: that was all)."""

    days: list[Day]
    first: Free | None
    next_since: date | None


def find(
    service: Service, wanted: Wanted, *, zone: ZoneInfo, now: datetime, patient_id: UUID | None = None,
    is_first_visit: bool = False, moving: UUID | None = None, more_days: int = 0,
) -> Found:  # fmt: skip
    """Return the next days on which a patient can book this service by themselves.

    Args:
        more_days: how many days earlier than others they may book (`earlier`).
    """
    earliest = now + timedelta(minutes=service.notice_minutes)
    since = earliest
    if wanted.since is not None:
        since = max(earliest, datetime.combine(wanted.since, time(0), zone))
    until = now + timedelta(days=service.days_ahead + more_days)
    found = availability.search(
        service_id=service.pk, now=now, since=since, until=until, practitioner_id=wanted.practitioner_id,
        location_ids=[wanted.location_id] if wanted.location_id else None, weekdays=wanted.weekdays, parts=wanted.parts,
        is_first_visit=is_first_visit, patient_id=patient_id, moving=moving, sessions=SESSIONS_LOOKED_AT, per_session=48,
    )  # fmt: skip
    found = _in_time(found, earliest)
    days: dict[date, Day] = {}
    for place in found:
        days.setdefault(place.on_date, Day(place.on_date)).places.append(place)
    shown = [days[on] for on in sorted(days)]
    later = shown[DAYS_SHOWN].on if len(shown) > DAYS_SHOWN else None
    if later is None and len({place.session_id for place in found}) >= SESSIONS_LOOKED_AT - 2 and shown:
        later = shown[-1].on + timedelta(days=1)
    return Found(shown[:DAYS_SHOWN], found[0] if found else None, later)


def earlier(patient_id: UUID | None, *, now: datetime) -> int:
    """Return how many days earlier than others this patient may book, as a member; nobody knows it of a stranger."""
    return tiers.more_days(patient_id, now=now) if patient_id else 0


def _in_time(found: list[Free], earliest: datetime) -> list[Free]:
    """A session by number is booked in time when the session, not the number's turn, begins late enough."""
    by_number = [place.session_id for place in found if place.mode == "NUMBERS"]
    if not by_number:
        return found
    late = {
        row["id"]
        for row in sql.rows(
            "select id from scheduling_session where id = any(%s) and starts_at < %s", [by_number, earliest]
        )
    }
    return [place for place in found if place.session_id not in late]


def written(place: Free) -> str:
    """Return a place as it stands in a form."""
    return (
        str(place.session_id) if place.mode == "NUMBERS" else f"{place.session_id}_{int(place.starts_at.timestamp())}"
    )


def read_place(text: str) -> Place | None:
    """Return the place that a form names, or None when it names none.

    >>> read_place("nonsense") is None
    True
    >>> read_place("00000000-0000-0000-0000-000000000001_1773709200").starts_at.isoformat()
    '2026-03-17T01:00:00+00:00'
    """
    session, _bar, seconds = text.partition("_")
    try:
        at = datetime.fromtimestamp(int(seconds), UTC) if seconds else None
        return Place(UUID(session), starts_at=at)
    except (ValueError, OverflowError, OSError):
        return None


# -- one booking in one browser ----------------------------------------------------------------------------------


def current(visitor: Visitor) -> Booking | None:
    """Return the booking that this browser is making."""
    return (
        Booking.objects.select_related("service", "appointment__session", "appointment__practitioner", "appointment__location")
        .filter(browser_hash=visitor.browser_hash, finished_at__isnull=True, created_at__gt=visitor.now - KEPT_FOR)
        .order_by("-created_at").first()
    )  # fmt: skip


def last_finished(visitor: Visitor) -> Booking | None:
    """Return the booking this browser has just made."""
    return (
        Booking.objects.select_related("service", "appointment__session", "appointment__practitioner", "appointment__location")
        .filter(browser_hash=visitor.browser_hash, finished_at__gt=visitor.now - KEPT_FOR)
        .order_by("-finished_at").first()
    )  # fmt: skip


def check_limits(visitor: Visitor) -> None:
    """Count one more hold of this network.

    Raises:
        TooOften.
    """
    wait = wait_for((
        Limit("hold-browser", visitor.browser_hash.hex(), 20, 3600),
        Limit("hold-network", f"{visitor.clinic.pk}|{visitor.address}", 60, 3600),
    ))  # fmt: skip
    if wait:
        raise errors.TooOften(minutes=minutes(wait))


@transaction.atomic
def start(visitor: Visitor, *, key: UUID, service: Service, place: Place, says_first: bool, source: str) -> Booking:
    """Hold a place in this browser; what it held before is free again. The same key holds once.

    Raises:
        As `scheduling.services.book`; TooManyOpen, TooOften.
    """
    earlier = Booking.objects.filter(pk=key).first()
    if earlier is not None:
        if bytes(earlier.browser_hash) != visitor.browser_hash:
            raise errors.NotYours
        if earlier.appointment_id is not None:
            return earlier
    patient_id = visitor.patient_id if visitor.session else None
    if patient_id is None:
        _check_room_for_strangers()
    else:
        check_open_bookings(patient_id, now=visitor.now)
    _let_go(visitor, besides=key)
    booking = earlier or Booking(
        id=key, browser_hash=visitor.browser_hash, service=service, says_first=says_first, created_at=visitor.now
    )
    booking.patient_id, booking.is_proved = patient_id, patient_id is not None
    booking.appointment = _hold(booking, place, source=source, now=visitor.now)
    booking.save()
    return booking


def _hold(booking: Booking, place: Place, *, source: str, now: datetime) -> Appointment:
    return scheduling.book(
        patient_id=booking.patient_id, service_id=booking.service_id, place=place, source=source,
        key=f"portal:{booking.pk}:{booking.attempt}", now=now, by=None, state="pending", held_until=now + scheduling.HOLD,
        online=True, says_first=booking.says_first, more_days=earlier(booking.patient_id, now=now),
    )  # fmt: skip


def _check_room_for_strangers() -> None:
    """A few browsers must not empty the calendar."""
    held = sql.value("select count(*) from scheduling_appointment where state = 'pending' and patient_id is null")
    if held >= MOST_HELD:
        raise errors.TooOften(minutes=minutes(int(scheduling.HOLD.total_seconds())))


def check_open_bookings(patient_id: UUID, *, now: datetime) -> None:
    """Refuse one more visit to somebody who has many before them.

    Raises:
        TooManyOpen.
    """
    has = sql.value(
        "select count(*) from scheduling_appointment where patient_id = %s and state = 'booked' and starts_at > %s",
        [patient_id, now],
    )
    if has >= MOST_OPEN:
        raise errors.TooManyOpen(most=MOST_OPEN)


def _let_go(visitor: Visitor, *, besides: UUID | None = None) -> None:
    """Free what this browser holds."""
    for one in Booking.objects.filter(
        browser_hash=visitor.browser_hash, finished_at__isnull=True, appointment__state="pending"
    ):
        if one.pk == besides:
            continue
        scheduling.cancel(appointment_id=one.appointment_id, reason=GIVEN_UP, now=visitor.now, by=None)  # type: ignore[arg-type]


def give_up(visitor: Visitor) -> None:
    """The visitor does not want the place any more: it is free at once."""
    _let_go(visitor)
    Booking.objects.filter(browser_hash=visitor.browser_hash, finished_at__isnull=True).delete()


@transaction.atomic
def belongs_to(booking: Booking, patient_id: UUID, *, is_proved: bool, is_new: bool = False, now: datetime) -> None:
    """Say for whom the booking is. The held place becomes theirs.

    Raises:
        As `holds.give_to`; TooManyOpen.
    """
    if booking.patient_id == patient_id and booking.appointment and booking.appointment.patient_id == patient_id:
        if is_proved and not booking.is_proved:
            booking.is_proved = True
            booking.save(update_fields=["is_proved"])
        return
    check_open_bookings(patient_id, now=now)
    held = booking.appointment
    if held is not None and held.state == "pending":
        if held.patient_id is not None and held.patient_id != patient_id:
            # held for somebody else of the family: the same place, anew
            place = place_of(held)
            scheduling.cancel(appointment_id=held.pk, reason=GIVEN_UP, now=now, by=None)
            booking.patient_id, booking.attempt = patient_id, booking.attempt + 1
            booking.appointment = _hold(booking, place, source=held.source, now=now)
        else:
            holds.give_to(appointment_id=held.pk, patient_id=patient_id, now=now)
    booking.patient_id, booking.is_proved, booking.is_new_patient = (
        patient_id,
        is_proved,
        is_new or booking.is_new_patient,
    )
    booking.save()
    booking.refresh_from_db()


def place_of(appointment: Appointment) -> Place:
    """Return the place an appointment has (or had)."""
    at = appointment.starts_at if appointment.number is None else None
    return Place(appointment.session_id, starts_at=at)


def finish(visitor: Visitor, booking: Booking, *, answers: Mapping[str, str]) -> Appointment:
    """Make the held place the patient's own; one that ran out is taken again, if it is still free. Twice is once.

    Raises:
        PlaceTaken, SessionFull …: with places near it. TooManyOpen.
    """
    assert booking.patient_id is not None
    assert booking.appointment is not None
    given = json.dumps(dict(answers), ensure_ascii=False) if answers else None
    if booking.finished_at is not None:
        return booking.appointment
    check_open_bookings(booking.patient_id, now=visitor.now)
    try:
        kept = scheduling.keep(appointment_id=booking.appointment.pk, now=visitor.now, by=None, answers=given)
    except scheduling_errors.HoldExpired:
        place, source = place_of(booking.appointment), booking.appointment.source
        booking.attempt += 1
        with transaction.atomic():
            again = _hold(booking, place, source=source, now=visitor.now)
            kept = scheduling.keep(appointment_id=again.pk, now=visitor.now, by=None, answers=given)
    booking.appointment, booking.finished_at = kept, visitor.now
    booking.save(update_fields=["appointment", "attempt", "finished_at"])
    return kept


# -- questions of a service --------------------------------------------------------------------------------------


def questions_of(service: Service) -> list[dict[str, Any]]:
    """Return what a service asks before the visit: key, text, kind (text, long, yes_no, choice), options, required."""
    return [
        {
            "key": f"q_{number}", "name": str(one.get("key") or number), "text": _in_language(one),
            "kind": one.get("kind") if one.get("kind") in ("text", "long", "yes_no", "choice") else "text",
            "options": [str(option) for option in one.get("options") or ()], "required": bool(one.get("required")),
        }
        for number, one in enumerate(service.questions, 1) if isinstance(one, Mapping)
    ]  # fmt: skip


def _in_language(question: Mapping[str, Any]) -> str:
    texts = question.get("texts")
    language = translation.get_language() or ""
    return str((texts.get(language) if isinstance(texts, Mapping) else None) or question.get("text") or "")


def read_answers(
    questions: Sequence[Mapping[str, Any]], data: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the answers by the question's own key, and what is missing by the field's name.

    >>> asked = [{"key": "q_1", "name": "allergy", "kind": "text", "options": [], "required": True}]
    >>> read_answers(asked, {"q_1": " penicillin "})
    ({'allergy': 'penicillin'}, {})
    >>> list(read_answers(asked, {})[1])
    ['q_1']
    """
    answers: dict[str, str] = {}
    missing: dict[str, str] = {}
    for one in questions:
        said = clean(str(data.get(one["key"], "")).replace("\x00", ""))[:LONGEST_ANSWER]
        allowed = {"yes_no": ("yes", "no"), "choice": tuple(one["options"])}.get(one["kind"])
        if allowed is not None and said not in allowed:
            said = ""
        if said:
            answers[one["name"]] = said
        elif one["required"]:
            missing[one["key"]] = str(errors.QuestionOpen())
    return answers, missing


def alternatives_of(error: DomainError) -> list[Free]:
    """Return the free places a refusal offers instead."""
    return list(getattr(error, "alternatives", []))
