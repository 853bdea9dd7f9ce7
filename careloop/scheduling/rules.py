"""The rules of booking, as sentences: numbers and pools, times, and who may book what, when. No clock, no database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from careloop.scheduling import errors

NOON, EVENING = time(12, 0), time(17, 30)
PARITIES = {"odd": (1,), "even": (0,), "all": (0, 1)}
# where a first visit finds its number: the numbers kept for first visits, then those booked ahead
POOLS_TRIED = {"FIRST": ("FIRST", "BOOKED")}


def part_of_day(starts: time) -> str:
    """Return the part of the day a session that starts then belongs to.

    >>> part_of_day(time(9, 0)), part_of_day(time(14, 0)), part_of_day(time(18, 0))
    ('MORNING', 'AFTERNOON', 'EVENING')
    """
    return "MORNING" if starts < NOON else "AFTERNOON" if starts < EVENING else "EVENING"


def numbers_for(pool: str, *, pools: Sequence[Mapping[str, Any]], numbers: int) -> list[int]:
    """Return the numbers of a session that may be given to somebody of this pool, in the order in which they are given.

    Without pools every number is for whoever comes.

    Args:
        pools: [{"pool", "first", "last", "parity"}], as a template has them.
        numbers: how many numbers the session has.

    >>> booked_odd = [{"pool": "BOOKED", "first": 1, "last": 9, "parity": "odd"}]
    >>> numbers_for("BOOKED", pools=booked_odd, numbers=9)
    [1, 3, 5, 7, 9]
    >>> numbers_for("WALK_IN", pools=booked_odd, numbers=9)
    []
    >>> numbers_for("FIRST", pools=booked_odd, numbers=3)
    [1, 3]
    """
    if not pools:
        return list(range(1, numbers + 1))
    found: list[int] = []
    for name in POOLS_TRIED.get(pool, (pool,)):
        for one in pools:
            if one["pool"] == name:
                found += [number for number in _numbers_of(one) if number <= numbers and number not in found]
    return found


def _numbers_of(pool: Mapping[str, Any]) -> Iterator[int]:
    wanted = PARITIES[pool.get("parity", "all")]
    return (number for number in range(int(pool["first"]), int(pool["last"]) + 1) if number % 2 in wanted)


def check_pools(pools: Sequence[Mapping[str, Any]], *, numbers: int) -> str:
    """Return what is wrong with these pools in a word, or nothing: a number must not be for two.

    >>> check_pools([{"pool": "BOOKED", "first": 1, "last": 9, "parity": "odd"},
    ...              {"pool": "WALK_IN", "first": 1, "last": 9, "parity": "even"}], numbers=9)
    ''
    >>> check_pools([{"pool": "BOOKED", "first": 1, "last": 9}, {"pool": "WALK_IN", "first": 9, "last": 9}], numbers=9)
    'twice'
    >>> check_pools([{"pool": "BOOKED", "first": 1, "last": 12}], numbers=9)
    'range'
    """
    seen: set[int] = set()
    for one in pools:
        if one.get("parity", "all") not in PARITIES or not 1 <= int(one["first"]) <= int(one["last"]) <= numbers:
            return "range"
        mine = set(_numbers_of(one))
        if mine & seen:
            return "twice"
        seen |= mine
    return ""


def expected_at(number: int, *, starts_at: datetime, minutes: int) -> datetime:
    """Return when the patient with this number is expected, by the schedule alone.

    >>> expected_at(4, starts_at=datetime(2026, 3, 16, 9, 0), minutes=5).time()
    datetime.time(9, 15)
    """
    return starts_at + timedelta(minutes=minutes * (number - 1))


@dataclass(frozen=True)
class OnlineRules:
    """A service's rules for the patient's own booking. `minutes` and `days` are whole; `who` is ANY, FIRST or RETURNING."""

    is_online: bool
    who: str
    notice_minutes: int
    days_ahead: int
    change_minutes: int


def check_may_book(
    rule: OnlineRules, *, starts_at: datetime, now: datetime, is_first_visit: bool | None, more_days: int = 0
) -> None:
    """Refuse a patient's own booking that the service's rules do not allow. The desk and the telephone never ask.

    Args:
        is_first_visit: None while nobody knows who it is.
        more_days: how many days earlier than others this patient may book.

    Raises:
        NotOnline, OnlyFirstVisits, OnlyReturning, TooLate, TooFarAhead.
    """
    if not rule.is_online:
        raise errors.NotOnline
    if rule.who == "FIRST" and is_first_visit is False:
        raise errors.OnlyFirstVisits
    if rule.who == "RETURNING" and is_first_visit:
        raise errors.OnlyReturning
    if starts_at < now + timedelta(minutes=rule.notice_minutes):
        raise errors.TooLate
    if starts_at > now + timedelta(days=rule.days_ahead + more_days):
        raise errors.TooFarAhead(days=rule.days_ahead + more_days)


def check_may_change(rule: OnlineRules, *, starts_at: datetime, now: datetime) -> None:
    """Refuse a patient's own moving or calling off that comes too late.

    Raises:
        TooLate: less than the service's `change_minutes` are left.
    """
    if starts_at < now + timedelta(minutes=rule.change_minutes):
        raise errors.TooLate


# What may follow what [FHIR AppointmentStatus]. A place is never taken back from the end of a life: a new one is booked.
NEXT_STATES: dict[str, frozenset[str]] = {
    "proposed": frozenset({"booked", "cancelled"}),
    "pending": frozenset({"booked", "cancelled"}),
    "booked": frozenset({"arrived", "checked-in", "fulfilled", "cancelled", "noshow", "entered-in-error"}),
    "arrived": frozenset({"checked-in", "fulfilled", "cancelled", "noshow", "booked", "entered-in-error"}),
    "checked-in": frozenset({"fulfilled", "cancelled", "noshow", "arrived", "booked", "entered-in-error"}),
    "fulfilled": frozenset({"entered-in-error"}),
    "noshow": frozenset({"fulfilled", "entered-in-error"}),
    "cancelled": frozenset(),
    "waitlist": frozenset({"booked", "cancelled"}),
    "entered-in-error": frozenset(),
}


def may_become(state: str, wanted: str) -> bool:
    """Return whether an appointment in `state` can go to `wanted`.

    >>> may_become("booked", "cancelled"), may_become("cancelled", "booked"), may_become("fulfilled", "noshow")
    (True, False, False)
    """
    return wanted in NEXT_STATES[state]


# An offered place must leave the patient time to read, to answer and to come.
TIME_TO_ANSWER, SHORT_TIME_TO_ANSWER = timedelta(hours=1), timedelta(minutes=15)
TIME_TO_COME = timedelta(hours=1)
SOON = timedelta(hours=4)


def first_offered(now: datetime) -> datetime:
    """Return the beginning of the earliest place that is still offered: enough time to answer and to come.

    >>> first_offered(datetime(2026, 3, 16, 9, 0)).time()
    datetime.time(10, 15)
    """
    return now + SHORT_TIME_TO_ANSWER + TIME_TO_COME


def answer_by(asked_at: datetime, *, starts_at: datetime) -> datetime:
    """Return until when an offered place is held: an hour, a quarter when it begins soon, never into the time to come.

    Args:
        asked_at: when the patient can first read the question (the end of the quiet hours, if they are running).

    >>> noon = datetime(2026, 3, 16, 12, 0)
    >>> answer_by(noon, starts_at=noon + timedelta(days=1)).time(), answer_by(noon, starts_at=noon + timedelta(hours=2)).time()
    (datetime.time(13, 0), datetime.time(12, 15))
    """
    wanted = SHORT_TIME_TO_ANSWER if starts_at - asked_at < SOON else TIME_TO_ANSWER
    return min(asked_at + wanted, starts_at - TIME_TO_COME)
