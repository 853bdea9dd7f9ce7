"""Getting a place: what is known about it, whether it may be had, and taking it before somebody else does."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.scheduling import availability, errors, rules
from careloop.scheduling import events as facts
from careloop.scheduling.models import HOLDS
from careloop.scheduling.turns import in_turn

COLUMNS = """id, patient_id, session_id, service_id, practitioner_id, location_id, room_id, equipment_id, starts_at, ends_at,
    number, pool, state, held_until, is_first_visit, source, note, confirmed_at, arrived_at, cancel_reason, cancel_note, version,
    sequence, created_at, changed_at"""


@dataclass(frozen=True)
class Place:
    """Where somebody wants to be: a moment in a session by time, or the next number of a pool in a session by number.

    Args:
        number: this number and no other one.
        extra: a number beyond the session's last (加號); the practitioner's or the desk's decision.
    """

    session_id: UUID
    starts_at: datetime | None = None
    pool: str = "BOOKED"
    number: int | None = None
    extra: bool = False


@dataclass(frozen=True)
class Wish:
    """What is known about a wanted place before it is tried."""

    session: dict[str, Any]
    service_id: UUID
    service: str
    practitioner: str
    minutes: int
    is_first_visit: bool
    is_offered: bool
    is_away: bool
    is_taken: bool
    is_busy: bool
    rule: rules.OnlineRules
    zone: ZoneInfo
    is_known: bool = True

    def words(self, appointment: dict[str, Any]) -> dict[str, Any]:
        """Return what its events say in words."""
        return {
            "when": f"{appointment['starts_at'].astimezone(self.zone):%Y-%m-%d %H:%M}", "service": self.service,
            "practitioner": self.practitioner,
        }  # fmt: skip


def read_wish(
    place: Place, *, service_id: UUID, patient_id: UUID | None, now: datetime, moving: UUID | None = None,
    says_first: bool = False,
) -> Wish:  # fmt: skip
    """Read all that a booking needs to know in one statement.

    Args:
        patient_id: None for a visitor of whom nothing is known but that they say it is (`says_first`) their first visit.
    """
    found = sql.row(
        """select * from scheduling_wish(%(session)s, %(service)s, %(patient)s, %(starts_at)s, %(now)s, %(moving)s, %(holds)s)""",
        {
            "session": place.session_id, "service": service_id, "patient": patient_id, "starts_at": place.starts_at, "now": now,
            "moving": moving, "holds": list(HOLDS),
        },
    )  # fmt: skip
    if found is None:
        raise errors.UnknownSession
    if found["name"] is None or not (found["is_active"] or moving):
        raise errors.UnknownService
    first = says_first if patient_id is None else found["is_first_visit"]
    by_number = found["mode"] == "NUMBERS"
    minutes = (
        found["slot_minutes"]
        if by_number
        else (found["first_visit_minutes"] or found["minutes"])
        if first
        else found["minutes"]
    )
    return Wish(
        session=found, service_id=service_id, service=found["name"], practitioner=found["practitioner"], minutes=minutes,
        is_first_visit=first, is_offered=found["is_offered"], is_away=found["is_away"],
        is_taken=found["is_taken"] and not by_number, is_busy=found["is_busy"], zone=ZoneInfo(found["time_zone"]),
        rule=_rule(found), is_known=patient_id is not None,
    )  # fmt: skip


def _rule(found: dict[str, Any]) -> rules.OnlineRules:
    return rules.OnlineRules(
        found["is_online"], found["who_may"], found["notice_minutes"], found["days_ahead"], found["change_minutes"]
    )


def rules_of(service_id: UUID) -> rules.OnlineRules:
    """Return a service's rules for patients who book, move and call off by themselves."""
    found = sql.row(
        "select is_online, who as who_may, notice_minutes, days_ahead, change_minutes from scheduling_service where id = %s",
        [service_id],
    )
    if found is None:
        raise errors.UnknownService
    return _rule(found)


def check(wish: Wish, place: Place, *, now: datetime, online: bool, more_days: int = 0) -> None:
    session = wish.session
    near = partial(availability.near, session["id"], wish.service_id, now=now, around=place.starts_at)
    if not wish.is_offered:
        raise errors.NotOffered
    if session["state"] != "OPEN":
        raise errors.SessionClosed(near=near)
    if session["mode"] == "SLOTS":
        at = place.starts_at
        if (
            at is None
            or not session["starts_at"] <= at
            or not at + timedelta(minutes=wish.minutes) <= session["ends_at"]
        ):
            raise errors.OutsideSession
    else:
        at = session["starts_at"]
    if wish.is_away:
        raise errors.PractitionerAway(near=near)
    if online:
        first = wish.is_first_visit if wish.is_known else None
        rules.check_may_book(wish.rule, starts_at=at, now=now, is_first_visit=first, more_days=more_days)


def take(wish: Wish, place: Place, *, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Take the place or say why not. The session's row is locked, so it cannot be closed meanwhile."""
    _refuse_taken(wish, place, now=now)  # nothing is tried, nothing is locked: losing costs least
    one_statement = wish.session["mode"] == "SLOTS" and "id" not in values  # which tries again by itself
    return (
        _try_to_take(wish, place, values, now=now)
        if one_statement
        else in_turn(_try_to_take)(wish, place, values, now=now)
    )


def _refuse_taken(wish: Wish, place: Place, *, now: datetime) -> None:
    if wish.is_taken:
        near = partial(availability.near, wish.session["id"], wish.service_id, now=now, around=place.starts_at)
        raise errors.PatientBusy if wish.is_busy else errors.PlaceTaken(near=near)


def _try_to_take(wish: Wish, place: Place, values: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    taking = _take_number if wish.session["mode"] == "NUMBERS" else _take_time
    taken = taking(wish, place, values)
    if taken is None and wish.session["mode"] == "SLOTS":  # somebody was faster by a moment, and is seen now
        whose, moving = values.get("patient"), values.get("id")
        again = read_wish(place, service_id=wish.service_id, patient_id=whose, now=now, moving=moving)
        _refuse_taken(again, place, now=now)
    if taken is None and release_holds(now=now, session_id=wish.session["id"]):
        taken = taking(wish, place, values)
    if taken is None:
        raise _why_not(wish, place, values, now=now)
    return taken


FREE_EQUIPMENT = """scheduling_free_equipment(%(service)s, s.location_id, %(starts_at)s::timestamptz, %(ends_at)s::timestamptz,
    %(id)s::uuid, %(holds)s::text[])"""


def _take_time(wish: Wish, place: Place, values: dict[str, Any]) -> dict[str, Any] | None:
    assert place.starts_at is not None
    given = {
        "id": None, **values, "session": wish.session["id"], "service": wish.service_id, "first": wish.is_first_visit,
        "starts_at": place.starts_at, "ends_at": place.starts_at + timedelta(minutes=wish.minutes), "number": None, "pool": "",
        "holds": list(HOLDS),
    }  # fmt: skip
    return _write(given)


def _take_number(wish: Wish, place: Place, values: dict[str, Any]) -> dict[str, Any] | None:
    session = wish.session
    # one at a time per session: whoever waits here sees the numbers of whoever was before
    if not sql.value(
        "select 1 from scheduling_session where id = %s and state = 'OPEN' for no key update", [session["id"]]
    ):
        return None
    pool = "FIRST" if place.pool == "BOOKED" and wish.is_first_visit else place.pool
    candidates = rules.numbers_for(pool, pools=session["pools"], numbers=session["numbers"])
    if place.number is not None:
        every = range(1, session["numbers"] + 1) if place.extra else candidates
        if place.number not in every:
            raise errors.NumberOutsidePools
        candidates = [place.number]
    elif place.extra:
        highest = sql.value(
            "select coalesce(max(number), 0) from scheduling_appointment where session_id = %s and state = any(%s)",
            [session["id"], list(HOLDS)],
        )
        candidates = [max(highest, session["numbers"]) + 1]
    number = sql.value(
        """select n from unnest(%(candidates)s::int[]) with ordinality as c(n, place)
            where not exists (select from scheduling_appointment a
                               where a.session_id = %(session)s and a.number = c.n and a.state = any(%(holds)s)
                                 and a.id is distinct from %(id)s)
            order by place limit 1""",
        {"candidates": candidates, "session": session["id"], "holds": list(HOLDS), "id": values.get("id")},
    )
    if number is None:
        return None
    starts_at = rules.expected_at(number, starts_at=session["starts_at"], minutes=session["slot_minutes"])
    return _write({
        "id": None, **values, "session": session["id"], "service": wish.service_id, "first": wish.is_first_visit,
        "starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=session["slot_minutes"]), "number": number, "pool": pool,
        "holds": list(HOLDS),
    })  # fmt: skip


def _write(given: dict[str, Any]) -> dict[str, Any] | None:
    """Insert or change the row; None when a constraint gives the place to somebody else."""
    if given["id"] is None:
        return sql.row(
            f"""select {COLUMNS} from scheduling_take(%(session)s, %(service)s, %(patient)s, %(starts_at)s, %(ends_at)s, %(number)s::int,
                    %(pool)s, %(state)s, %(held_until)s, %(first)s, %(source)s, %(note)s, %(key)s, %(now)s, %(holds)s)""",
            given,
        )
    try:
        with transaction.atomic():
            return sql.row(
                f"""update scheduling_appointment a
                       set session_id = s.id, service_id = %(service)s, practitioner_id = s.practitioner_id,
                           location_id = s.location_id, room_id = s.room_id, equipment_id = {FREE_EQUIPMENT},
                           starts_at = %(starts_at)s, ends_at = %(ends_at)s, number = %(number)s, pool = %(pool)s,
                           confirmed_at = null, version = a.version + 1, sequence = a.sequence + 1, changed_at = %(now)s
                      from scheduling_session s where a.id = %(id)s and s.id = %(session)s and s.state = 'OPEN' and {EQUIPMENT_TO_BE_HAD}
                 returning {", ".join(f"a.{name.strip()}" for name in COLUMNS.split(","))}""",
                given,
            )
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.ExclusionViolation | psycopg.errors.UniqueViolation):
            return None
        raise


EQUIPMENT_TO_BE_HAD = f"""(not exists (select from scheduling_service_equipment n where n.service_id = %(service)s)
    or {FREE_EQUIPMENT} is not null)"""


def _why_not(wish: Wish, place: Place, values: dict[str, Any], *, now: datetime) -> errors.DomainError:
    """Say which rule stood in the way of somebody who did not get the place."""
    session = wish.session
    near = partial(availability.near, session["id"], wish.service_id, now=now, around=place.starts_at)
    state = sql.value("select state from scheduling_session where id = %s", [session["id"]])
    if state != "OPEN":
        return errors.SessionClosed(near=near)
    patient = values.get("patient") or sql.value(
        "select patient_id from scheduling_appointment where id = %s", [values.get("id")]
    )
    starts_at = place.starts_at or session["starts_at"]
    ends_at = starts_at + timedelta(minutes=wish.minutes) if place.starts_at else session["ends_at"]
    busy = sql.value(
        """select 1 from scheduling_appointment
            where patient_id = %(patient)s and state = any(%(holds)s) and id is distinct from %(id)s
              and ((%(by_time)s and starts_at < %(ends_at)s and ends_at > %(starts_at)s) or (not %(by_time)s and session_id = %(session)s)) limit 1""",
        {"patient": patient, "holds": list(HOLDS), "id": values.get("id"), "starts_at": starts_at, "ends_at": ends_at,
         "session": session["id"], "by_time": place.starts_at is not None},
    )  # fmt: skip
    if busy:
        return errors.PatientBusy()
    if session["mode"] == "SLOTS" or place.number is not None:
        return errors.PlaceTaken(near=near)
    return errors.SessionFull(near=near)


def release_holds(*, now: datetime, session_id: UUID | None = None) -> int:
    """Free the places whose hold has run out; return how many. Set-wise, safe to repeat."""
    gone = sql.rows(
        f"""update scheduling_appointment set state = 'cancelled', cancel_reason = 'hold-expired', version = version + 1,
                   sequence = sequence + 1, changed_at = %(now)s
             where id in (select id from scheduling_appointment
                           where state in ('proposed', 'pending') and held_until <= %(now)s
                             and (%(session)s::uuid is null or session_id = %(session)s) for update skip locked)
         returning {COLUMNS}""",
        {"now": now, "session": session_id},
    )
    for freed in {one["session_id"] for one in gone}:
        free_place(freed, now=now)
    if gone:
        whose = [one["patient_id"] for one in gone if one["patient_id"]]
        audit.record("appointment.hold_expired", patients=whose, now=now)
    return len(gone)


def free_place(session_id: UUID, *, now: datetime) -> None:
    """Tell the waitlist that somebody's place in this session is free again."""
    events.publish(facts.PlaceFreed(session_id), patient_id=None, now=now, source="schedule")
