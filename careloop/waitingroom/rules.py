"""The rules of the queue, as sentences: who is next, where a missed call comes back, how long it takes. No clock, no database."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# Of so many consultations a practitioner's times are learned; fewer than FEW say too little.
LEARNED_FROM, FEW = 60, 8
# An 80 % range: nine in ten are done by the upper end, one in ten before the lower one.
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
# What a plan is worth before anything is known: consultations of 15 to 200 % of it (outpatient clinics, wide on purpose).
PLAN_LOW, PLAN_HIGH = 0.4, 1.8
STEP = 5


@dataclass(frozen=True)
class Rules:
    """How one queue works. See `models.QueueRules` for the words; minutes and counts are whole."""

    order: str = "BOOKED_FIRST"
    booked_in_turn: int = 2
    walk_ins_in_turn: int = 1
    missed: str = "AFTER_N"
    missed_after: int = 3
    missed_times: int = 2
    self_check_in: str = "CODE"
    opens_minutes: int = 60
    closes_minutes: int = 10
    near: int = 3


@dataclass(frozen=True)
class Standing:
    """One ticket as the order sees it. `planned_at` is what the schedule says, `since` when the patient checked in."""

    id: Any
    state: str
    number: int
    is_walk_in: bool
    planned_at: datetime
    since: datetime
    priority: int = 0
    due_turn: int | None = None
    rejoined_at: datetime | None = None
    missed_count: int = 0
    is_transferred: bool = False
    is_first_visit: bool = False


def is_callable(one: Standing, rules: Rules) -> bool:
    """Return whether this ticket is called by `next` at all.

    Who missed the call is called again as the rule says, until they missed it `missed_times` times: then they check in again.

    >>> from datetime import datetime
    >>> now = datetime(2026, 3, 16, 9)
    >>> missed = Standing(1, "MISSED", 4, False, now, now, missed_count=1)
    >>> is_callable(missed, Rules()), is_callable(missed, Rules(missed="RECHECKIN_REQUIRED")), is_callable(missed, Rules(missed_times=1))
    (True, False, False)
    """
    if one.state == "WAITING":
        return True
    return one.state == "MISSED" and not must_check_in(one.missed_count, rules)


def must_check_in(missed_count: int, rules: Rules) -> bool:
    """Return whether somebody who missed so many calls is called again only after checking in again.

    >>> must_check_in(1, Rules(missed="END_OF_LIST")), must_check_in(1, Rules(missed="RECHECKIN_REQUIRED")), must_check_in(2, Rules())
    (False, True, True)
    """
    return rules.missed == "RECHECKIN_REQUIRED" or missed_count >= rules.missed_times


def in_order(
    tickets: Iterable[Standing], rules: Rules, *, turn: int, place_in_round: int, now: datetime
) -> list[Standing]:
    """Return who is called when, first to last, if nothing else happens.

    Ahead of all are those with priority. The others stand as the rule says; who comes back (after a missed call, from a test)
    stands where they are due: `due_turn - turn` calls from now. Who missed the call or left under the rule “end of the list” stands
    behind everybody.

    Args:
        turn: how many were called so far.
        place_in_round: where the ratio stands, see `next_in_round`.
    """
    able = [one for one in tickets if is_callable(one, rules)]
    first = sorted((one for one in able if one.priority), key=lambda one: (-one.priority, one.since, one.number))
    others = [one for one in able if not one.priority]
    regular = [one for one in others if one.due_turn is None and one.rejoined_at is None]
    found = first + _mixed(regular, rules, place_in_round=place_in_round, now=now)
    found += sorted(
        (one for one in others if one.rejoined_at is not None), key=lambda one: (one.rejoined_at or now, one.number)
    )
    last = len(first) - 1
    for one in sorted(
        (one for one in others if one.due_turn is not None and one.rejoined_at is None),
        key=lambda one: (one.due_turn or 0, one.since, one.number),
    ):
        place = max(min(len(found), len(first) + max(0, (one.due_turn or 0) - turn)), last + 1)
        found.insert(place, one)
        last = place
    return found


def _mixed(tickets: Sequence[Standing], rules: Rules, *, place_in_round: int, now: datetime) -> list[Standing]:
    """Booked and walk-in patients who stand in the ordinary line."""
    if rules.order == "NUMBER":
        # a number of another session's says nothing here: after the own ones, as they came
        return sorted(
            tickets, key=lambda one: (one.is_transferred, one.since if one.is_transferred else now, one.number)
        )
    # planned for the same minute: the session's own patient before one sent over from another
    booked = sorted(
        (one for one in tickets if not one.is_walk_in),
        key=lambda one: (one.planned_at, one.is_transferred, one.number),
    )
    walk_ins = sorted((one for one in tickets if one.is_walk_in), key=lambda one: (one.since, one.number))
    if rules.order == "BOOKED_FIRST":
        due = [one for one in booked if one.planned_at <= now]
        return due + walk_ins + [one for one in booked if one.planned_at > now]
    found: list[Standing] = []
    place = place_in_round
    booked, walk_ins = booked[:], walk_ins[:]
    while booked or walk_ins:
        takes_walk_in = place >= rules.booked_in_turn
        if not (walk_ins if takes_walk_in else booked):
            takes_walk_in = not takes_walk_in
        one = (walk_ins if takes_walk_in else booked).pop(0)
        found.append(one)
        place = next_in_round(place, is_walk_in=takes_walk_in, rules=rules)
    return found


def next_in_round(place: int, *, is_walk_in: bool, rules: Rules) -> int:
    """Return where the ratio stands after such a patient was called: 0 … booked-1 wants a booked one, then come the walk-ins.

    When one kind is missing the other is called, and the round goes on from there.

    >>> two_to_one = Rules(order="RATIO", booked_in_turn=2, walk_ins_in_turn=1)
    >>> next_in_round(0, is_walk_in=False, rules=two_to_one), next_in_round(1, is_walk_in=False, rules=two_to_one)
    (1, 2)
    >>> next_in_round(2, is_walk_in=True, rules=two_to_one), next_in_round(0, is_walk_in=True, rules=two_to_one)
    (0, 0)
    """
    start = rules.booked_in_turn if is_walk_in else 0
    end = start + (rules.walk_ins_in_turn if is_walk_in else rules.booked_in_turn)
    # out of place (the other kind was missing): the run of this kind begins with this one
    step = place + 1 if start <= place < end else start + 1
    return step % (rules.booked_in_turn + rules.walk_ins_in_turn)


def check_in_window(*, starts_at: datetime, ends_at: datetime, rules: Rules) -> tuple[datetime, datetime]:
    """Return from when until when patients may check in themselves. The desk is not bound by it.

    >>> from datetime import datetime
    >>> window = check_in_window(starts_at=datetime(2026, 3, 16, 9), ends_at=datetime(2026, 3, 16, 12), rules=Rules())
    >>> [at.strftime("%H:%M") for at in window]
    ['08:00', '11:50']
    """
    return starts_at - timedelta(minutes=rules.opens_minutes), ends_at - timedelta(minutes=rules.closes_minutes)


def shown_number(*, number: int, is_transferred: bool = False, by_time: bool = False) -> str:
    """Return a ticket's number as it is shown and called.

    >>> shown_number(number=12), shown_number(number=930, by_time=True), shown_number(number=2, is_transferred=True)
    ('12', '9:30', 'T2')
    """
    if is_transferred:
        return f"T{number}"
    return f"{number // 100}:{number % 100:02d}" if by_time else str(number)


# -- how long it takes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Times:
    """How long a consultation takes, in minutes: one in ten is shorter than `low`, half than `middle`, nine in ten than `high`."""

    low: float
    middle: float
    high: float
    learned_from: int = 0

    @property
    def is_learned(self) -> bool:
        """Whether these are real consultations, not the plan."""
        return self.learned_from > 0

    @property
    def mean(self) -> float:
        """The mean by Swanson's rule: 0.3, 0.4, 0.3 at the 10, 50 and 90 % points (Hurst, Brown, Swanson: AAPG Bulletin 84, 2000)."""
        return 0.3 * self.low + 0.4 * self.middle + 0.3 * self.high

    @property
    def variance(self) -> float:
        """The variance of the same three points."""
        mean = self.mean
        return 0.3 * (self.low - mean) ** 2 + 0.4 * (self.middle - mean) ** 2 + 0.3 * (self.high - mean) ** 2


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of `values` lies, between neighbours in proportion.

    >>> quantile([1, 2, 3, 4, 5], 0.5), quantile([1, 2], 0.25)
    (3.0, 1.25)
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def consultation_times(minutes: Sequence[float], *, of_all: Sequence[float] = (), planned: float) -> Times:
    """Return how long such a consultation takes with this practitioner.

    Args:
        minutes: the last consultations of this kind (first visits, or returning patients), newest first; LEARNED_FROM count.
        of_all: those of both kinds, asked when there are fewer than FEW of this one.
        planned: what the schedule gives one patient; used, with a wide range, when there are FEW of neither.

    >>> consultation_times([5, 6, 7, 8, 9, 10, 11, 12, 13], planned=5).middle
    9.0
    >>> consultation_times([30], planned=5)
    Times(low=2.0, middle=5.0, high=9.0, learned_from=0)
    """
    for known in (minutes[:LEARNED_FROM], of_all[:LEARNED_FROM]):
        if len(known) >= FEW:
            return Times(quantile(known, LOW), quantile(known, MIDDLE), quantile(known, HIGH), learned_from=len(known))
    return Times(planned * PLAN_LOW, float(planned), planned * PLAN_HIGH)


@dataclass(frozen=True)
class Wait:
    """How long somebody still waits, in whole minutes, rounded outwards to fives. `is_learned`: from real consultations."""

    low: int
    high: int
    is_learned: bool


def estimated_wait(
    ahead: Sequence[Times], *, until_start: float = 0, current: Sequence[tuple[Times, float]] = (), rooms: int = 1
) -> Wait:
    """Return the honest range of a wait: eight in ten patients are called within it.

    The consultations ahead are taken as independent, so their spreads add as squares and a long queue is relatively surer than
    a short one; but what few consultations taught about the mean may be wrong for all of them alike, and adds as it is. What is
    going on in a room counts with what is left of it.

    Args:
        ahead: one entry per patient ahead.
        until_start: minutes until the session begins; 0 when it runs.
        current: those in a room now, with the minutes since they went in.
        rooms: how many rooms call from this queue.

    >>> estimated_wait([])
    Wait(low=0, high=5, is_learned=False)
    >>> sure = Times(9, 10, 11, learned_from=60)
    >>> estimated_wait([sure] * 4), estimated_wait([sure] * 4, until_start=30).low
    (Wait(low=35, high=45, is_learned=True), 65)
    """
    return wait_after(sums_ahead(ahead)[-1], until_start=until_start, current=current, rooms=rooms)


@dataclass(frozen=True)
class Ahead:
    """The consultations ahead of one place in a queue, summed up: minutes, their variance, and how far all may be wrong alike."""

    minutes: float = 0.0
    variance: float = 0.0
    unsure: float = 0.0
    count: int = 0
    is_learned: bool = True


def sums_ahead(order: Sequence[Times]) -> list[Ahead]:
    """Return what is ahead of each place of a queue, and of one more at its end.

    >>> [one.count for one in sums_ahead([Times(1, 2, 3), Times(1, 2, 3)])]
    [0, 1, 2]
    """
    parts = {one: (one.mean, one.variance, math.sqrt(one.variance / (one.learned_from or FEW))) for one in set(order)}
    found = [Ahead()]
    for one in order:
        mean, variance, unsure = parts[one]
        last = found[-1]
        found.append(
            Ahead(
                last.minutes + mean,
                last.variance + variance,
                last.unsure + unsure,
                last.count + 1,
                last.is_learned and one.is_learned,
            )
        )
    return found


def wait_after(
    ahead: Ahead, *, until_start: float = 0, current: Sequence[tuple[Times, float]] = (), rooms: int = 1
) -> Wait:
    """Return the wait behind what is summed up in `ahead`; see `estimated_wait`."""
    mean, variance = ahead.minutes, ahead.variance + ahead.unsure**2
    if current:
        # the first room that is free calls the next one
        soonest = min((_left_of(times, elapsed) for times, elapsed in current), key=lambda one: one.mean)
        mean += soonest.mean
        variance += soonest.variance
    mean, deviation = mean / max(rooms, 1), math.sqrt(variance) / max(rooms, 1)
    low = max(0.0, mean - 1.2816 * deviation) + until_start
    high = mean + 1.2816 * deviation + until_start
    low_step = math.floor(low / STEP) * STEP
    is_learned = (
        bool(ahead.count or current) and ahead.is_learned and all(times.is_learned for times, _elapsed in current)
    )
    return Wait(low_step, max(math.ceil(high / STEP) * STEP, low_step + STEP), is_learned)


def _left_of(times: Times, elapsed: float) -> Times:
    """What remains of a consultation that has lasted so long; one that outlasts the plan ends soon, but nobody knows when."""
    low, middle, high = (max(0.0, one - elapsed) for one in (times.low, times.middle, times.high))
    if elapsed > times.middle:
        middle = max(middle, (times.high - times.middle) / 2)
        high = max(high, times.high - times.low)
    return Times(low, middle, high, times.learned_from)
