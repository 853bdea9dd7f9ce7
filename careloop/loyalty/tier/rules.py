"""When a tier is reached, kept and lost, as sentences. No clock, no database.

`standing` says the same to the database for all members at once; tests compare the two on random histories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

ALL, ANY, HAND = "ALL", "ANY", "HAND"
MONTHS, YEAR = "MONTHS", "YEAR"


@dataclass(frozen=True)
class Rule:
    """What one tier asks for: `criteria` are pairs of metric and least number, in whole units (money: minor units)."""

    rank: int
    join: str = ALL
    criteria: tuple[tuple[str, int], ...] = ()
    window: str = MONTHS
    months: int = 12
    grace_days: int = 30

    @property
    def is_for_everybody(self) -> bool:
        """Whether every member has it: nothing is asked for, so there is nothing to review."""
        return self.join == ALL and not self.criteria


@dataclass(frozen=True)
class Standing:
    """Where a member stands: ranks (0: none), the day of the review, the last day of the grace, what staff gave until when."""

    earned: int = 0
    review_on: date | None = None
    grace_until: date | None = None
    hand: int = 0
    hand_until: date | None = None

    def in_force(self, today: date) -> int:
        """Return the rank that counts today: the higher of what was earned and what was given."""
        given = self.hand if self.hand_until is not None and today <= self.hand_until else 0
        return max(self.earned, given)


def months_before(day: date, months: int) -> date:
    """Return the same day so many months earlier, or that month's last.

    >>> months_before(date(2026, 3, 31), 1), months_before(date(2028, 2, 29), 12)
    (datetime.date(2026, 2, 28), datetime.date(2027, 2, 28))
    """
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return _safe(years, month + 1, day.day)


def months_after(day: date, months: int) -> date:
    """Return the same day so many months later, or that month's last.

    >>> months_after(date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """
    return months_before(day, -months)


def _safe(year: int, month: int, day: int) -> date:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day - 1), first_of_next - timedelta(days=1))


def window_start(rule: Rule, day: date) -> date:
    """Return the day after which things count, looked at on `day`; what happened on it is just outside.

    >>> window_start(Rule(1, window="MONTHS", months=12), date(2026, 3, 16))
    datetime.date(2025, 3, 16)
    >>> window_start(Rule(1, window="YEAR"), date(2026, 3, 16))
    datetime.date(2025, 12, 31)
    """
    return date(day.year - 1, 12, 31) if rule.window == YEAR else months_before(day, rule.months)


def next_review(rule: Rule, today: date) -> date | None:
    """Return the day on which a tier reached (or kept) today is looked at again; None: never.

    >>> next_review(Rule(1, criteria=(("VISITS", 4),), window="YEAR"), date(2026, 3, 16))
    datetime.date(2027, 1, 1)
    >>> next_review(Rule(1, criteria=(("VISITS", 4),), months=6), date(2026, 3, 16))
    datetime.date(2026, 9, 16)
    """
    if rule.is_for_everybody:
        return None
    return date(today.year + 1, 1, 1) if rule.window == YEAR else months_after(today, rule.months)


def is_met(rule: Rule, figures: Mapping[str, int]) -> bool:
    """Return whether these figures of the rule's window are enough.

    >>> gold = Rule(2, join="ANY", criteria=(("VISITS", 8), ("SELF_PAY", 30000)))
    >>> is_met(gold, {"VISITS": 3, "SELF_PAY": 30000}), is_met(replace(gold, join="ALL"), {"VISITS": 3, "SELF_PAY": 30000})
    (True, False)
    >>> is_met(Rule(1), {}), is_met(Rule(3, join="HAND"), {})
    (True, False)
    """
    met = [figures.get(metric, 0) >= least for metric, least in rule.criteria]
    return {ALL: all(met), ANY: any(met), HAND: False}[rule.join]


def highest_met(rules: Sequence[Rule], figures: Mapping[int, Mapping[str, int]]) -> int:
    """Return the highest rank whose criteria are met (0: none); `figures` by rank, because windows differ."""
    return max((rule.rank for rule in rules if is_met(rule, figures.get(rule.rank, {}))), default=0)


def is_reviewing(standing: Standing, today: date) -> bool:
    """Return whether the review is due. Figures are then counted from where the window began on the eve of the review, through
    today: grace is more time for the same window.
    """
    return standing.review_on is not None and standing.review_on <= today


def judge(standing: Standing, *, met: int, rules: Sequence[Rule], today: date) -> tuple[Standing, str]:
    """Return where a member stands now and why anything changed: QUALIFIED, KEPT, GRACE, LOWERED, or nothing.

    Up at once; down only when the review has found too little and its grace is over.

    Args:
        met: the highest rank met, see `highest_met` and `is_reviewing`.

    >>> gold = Rule(2, criteria=(("VISITS", 8),), months=12, grace_days=30)
    >>> rules = [Rule(1), gold]
    >>> reached, why = judge(Standing(1), met=2, rules=rules, today=date(2026, 3, 16))
    >>> why, reached.earned, reached.review_on
    ('QUALIFIED', 2, datetime.date(2027, 3, 16))
    >>> judge(reached, met=1, rules=rules, today=date(2027, 3, 15))[1]
    ''
    >>> waiting, why = judge(reached, met=1, rules=rules, today=date(2027, 3, 16))
    >>> why, waiting.earned, waiting.grace_until
    ('GRACE', 2, datetime.date(2027, 4, 14))
    >>> judge(waiting, met=1, rules=rules, today=date(2027, 4, 15))
    (Standing(earned=1, review_on=None, grace_until=None, hand=0, hand_until=None), 'LOWERED')
    """
    by_rank = {rule.rank: rule for rule in rules}
    if standing.earned and standing.earned not in by_rank:  # that tier is no more
        return _stands_at(standing, met, by_rank, today), "RULES"
    if met > standing.earned:
        return _stands_at(standing, met, by_rank, today), "QUALIFIED"
    if not is_reviewing(standing, today):
        return standing, ""
    if met == standing.earned:
        return _stands_at(standing, met, by_rank, today), "KEPT"
    assert standing.review_on is not None
    last = standing.review_on + timedelta(days=by_rank[standing.earned].grace_days - 1)
    if today <= last:
        return replace(standing, grace_until=last), "" if standing.grace_until == last else "GRACE"
    return _stands_at(standing, met, by_rank, today), "LOWERED"


def _stands_at(standing: Standing, rank: int, by_rank: Mapping[int, Rule], today: date) -> Standing:
    review_on = next_review(by_rank[rank], today) if rank else None
    return replace(standing, earned=rank, review_on=review_on, grace_until=None)


def period_of(day: date, period: str) -> tuple[date, date]:
    """Return the first and the last day of the MONTH, QUARTER or YEAR a day lies in.

    >>> period_of(date(2026, 5, 20), "QUARTER")
    (datetime.date(2026, 4, 1), datetime.date(2026, 6, 30))
    >>> period_of(date(2026, 12, 31), "MONTH")[1], period_of(date(2026, 12, 31), "YEAR")[0]
    (datetime.date(2026, 12, 31), datetime.date(2026, 1, 1))
    """
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[period]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    return first, months_after(first, months) - timedelta(days=1)
