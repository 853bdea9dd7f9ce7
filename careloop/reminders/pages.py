"""What the page of one visit shows to whoever holds the link in its message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.kernel import sql
from careloop.kernel.masking import mask_name
from careloop.messaging.models import Message
from careloop.reminders.services import again_key
from careloop.scheduling import availability, rules
from careloop.scheduling.availability import Free
from careloop.scheduling.places import Place, rules_of

DAYS_SHOWN = 14
PER_DAY = 24


@dataclass(frozen=True)
class Visit:
    """A visit as its page shows it.

    `how`: booked, moved (booked, and not as the message says), cancelled, here (arrived or seen), over, missed or gone. `may_change`: the
    patient may still move or cancel it here; else the clinic's telephone is shown.
    """

    id: UUID
    patient_id: UUID
    name: str
    how: str
    sequence: int
    starts_at: datetime
    practitioner: str
    practitioner_id: UUID
    place: str
    phone: str
    number: int | None
    service_id: UUID
    is_confirmed: bool
    may_change: bool
    may_book: bool
    is_the_clinics: bool
    others: list[dict[str, Any]] = field(default_factory=list)


def visit_of(message: Message, *, now: datetime) -> Visit | None:
    """Return the visit a message speaks of, as it is now: the one booked instead, if the patient chose a new time here."""
    if message.appointment_id is None:
        return None
    return _shown(message.appointment_id, message, now=now)


def _shown(appointment_id: UUID, message: Message, *, now: datetime) -> Visit | None:
    row = sql.row(
        """select a.id, a.patient_id, a.state, a.sequence, a.starts_at, a.number, a.service_id, a.practitioner_id, a.confirmed_at,
                  a.cancel_reason, x.name, p.name as practitioner, concat_ws(' ', l.name, r.name) as place, l.phone, v.is_online, v.is_active,
                  (select n.id from scheduling_appointment n where n.key = %(again)s) as instead
             from scheduling_appointment a join patients_patient x on x.id = a.patient_id
             join records_practitioner p on p.id = a.practitioner_id join tenancy_location l on l.id = a.location_id
             join scheduling_service v on v.id = a.service_id
             left join scheduling_resource r on r.id = a.room_id where a.id = %(id)s""",
        {"id": appointment_id, "again": again_key(appointment_id)},
    )
    if row is None:
        return None
    if row["instead"] is not None and row["state"] == "cancelled":
        return _shown(row["instead"], message, now=now)
    return Visit(
        id=row["id"], patient_id=row["patient_id"], name=mask_name(row["name"]), how=_how(row, message, now=now),
        sequence=row["sequence"], starts_at=row["starts_at"], practitioner=row["practitioner"],
        practitioner_id=row["practitioner_id"], place=row["place"], phone=row["phone"], number=row["number"],
        service_id=row["service_id"], is_confirmed=row["confirmed_at"] is not None,
        may_change=_may_change(row, now=now), may_book=row["is_online"] and row["is_active"] and row["cancel_reason"] != "replaced",
        is_the_clinics=row["cancel_reason"] in ("clinic", "session-closed"),
        others=_family(message),
    )  # fmt: skip


def _how(row: dict[str, Any], message: Message, *, now: datetime) -> str:
    state = row["state"]
    if state == "cancelled":
        return "cancelled"
    if state == "noshow":
        return "missed"
    if state in ("arrived", "checked-in", "fulfilled"):
        return "here"
    if state != "booked":
        return "gone"
    if row["starts_at"] <= now:
        return "over"
    is_same = row["id"] == message.appointment_id
    return "moved" if is_same and row["sequence"] != message.appointment_sequence else "booked"


def _may_change(row: dict[str, Any], *, now: datetime) -> bool:
    if row["state"] != "booked" or row["starts_at"] <= now:
        return False
    try:
        rules.check_may_change(rules_of(row["service_id"]), starts_at=row["starts_at"], now=now)
    except rules.errors.TooLate:
        return False
    return True


def _family(message: Message) -> list[dict[str, Any]]:
    """Return the other visits that the same message told of: their message and their masked name."""
    if message.carried_by is None:
        return []
    found = sql.rows(
        """select m.id, x.name, a.starts_at, a.state from messaging_message m join patients_patient x on x.id = m.patient_id
             join scheduling_appointment a on a.id = m.appointment_id
            where m.carried_by = %s and m.id <> %s order by a.starts_at, m.id""",
        [message.carried_by, message.pk],
    )
    return [{"message_id": row["id"], "name": mask_name(row["name"]), "starts_at": row["starts_at"]} for row in found]


@dataclass(frozen=True)
class Day:
    """Free places of one day, to choose from."""

    on: date
    places: Sequence[dict[str, Any]]


def free_places(
    visit: Visit,
    *,
    now: datetime,
    zone: ZoneInfo,
    since: datetime | None = None,
    anybody: bool = False,
    more_days: int = 0,
) -> tuple[list[Day], datetime | None]:
    """Return the free places for the same service from `since` on, day by day, and where to look on, if there are more.

    Args:
        anybody: with any practitioner who offers it, not only the same one.
        more_days: how many days earlier than others this patient may book.
    """
    is_move = visit.how in ("booked", "moved")
    rule = rules_of(visit.service_id)
    found = availability.search(
        service_id=visit.service_id, now=now, since=since or now, practitioner_id=None if anybody else visit.practitioner_id,
        patient_id=visit.patient_id, moving=visit.id if is_move else None, sessions=30, per_session=PER_DAY,
    )  # fmt: skip
    fitting = [one for one in found if _is_allowed(rule, one, visit, now=now, more_days=more_days)]
    days = [
        Day(on, [_place(one, zone) for one in group])
        for on, group in groupby(fitting, key=lambda one: one.starts_at.astimezone(zone).date())
    ]
    more = None
    if len(days) > DAYS_SHOWN:
        more = datetime.combine(days[DAYS_SHOWN].on, datetime.min.time(), zone)
        days = days[:DAYS_SHOWN]
    return days, more


def _is_allowed(rule: rules.OnlineRules, one: Free, visit: Visit, *, now: datetime, more_days: int) -> bool:
    if (
        one.starts_at == visit.starts_at
        and one.practitioner_id == visit.practitioner_id
        and visit.how in ("booked", "moved")
    ):
        return False
    try:
        rules.check_may_book(
            rule, starts_at=one.starts_at, now=now, is_first_visit=rule.who == "FIRST", more_days=more_days
        )
    except rules.errors.DomainError:
        return False
    return True


def _place(one: Free, zone: ZoneInfo) -> dict[str, Any]:
    at = "" if one.mode == "NUMBERS" else one.starts_at.isoformat()
    return {
        "value": f"{one.session_id}|{at}", "at": f"{one.starts_at.astimezone(zone):%H:%M}", "practitioner": one.practitioner,
        "number": one.number, "location": one.location,
    }  # fmt: skip


def read_place(value: str) -> Place | None:
    """Return the place a form names, or None when it names none.

    >>> read_place("nonsense") is None, read_place("01a200e8-907b-7ab9-996f-3ee852116a49|").starts_at
    (True, None)
    """
    session, _bar, at = value.partition("|")
    try:
        return Place(UUID(session), starts_at=datetime.fromisoformat(at) if at else None)
    except ValueError:
        return None
