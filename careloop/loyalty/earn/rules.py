"""How many points something earns, in sentences. No clock and no database: the program, the preview and the tests read the same.

What is decided here follows the programme's own rules. Whether a rule may be used at all is the guard's to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

PAID_BY = frozenset({"VISIT", "KEPT_APPOINTMENT", "SELF_PAY"})
"""Kinds about a visit that somebody pays for: the NHI, the patient, or both."""
MOST_PERCENT = 1000


class EarnRule(Protocol):
    """What of a rule is read here; `careloop.loyalty.models.EarnRule` is one."""

    kind: Any
    points: Any
    per_amount: Any
    rounding: Any
    settle_days: Any
    multipliers: Any
    valid_from: Any
    valid_to: Any


@dataclass(frozen=True)
class Happening:
    """What happened, as far as a rule asks. `amount` is self-pay in minor units: never the co-pay, never the NHI's part."""

    on: date
    amount: int = 0
    tier: str = ""
    birth_month: int = 0


@dataclass(frozen=True)
class Limit:
    """How many points may be earned in some time, and how many of them were. `name` says which limit it is."""

    name: str
    most: int
    used: int = 0


@dataclass(frozen=True)
class Given:
    """What a rule gives, and how it came to that."""

    base: int
    percent: int
    points: int
    capped_by: str = ""


def gives(rule: EarnRule, happening: Happening, *, limits: Iterable[Limit] = ()) -> Given:
    """Return the points a rule gives for something that happened: base, times the multiplier, at most what the limits leave.

    Args:
        limits: those of the rule and of the account; the narrowest decides and is named.
    """
    base = base_points(rule, happening.amount)
    percent = multiplier(rule.multipliers, happening)
    points = _whole(base * percent, 100, rule.rounding)
    capped_by = ""
    for limit in limits:
        left = max(0, limit.most - limit.used)
        if left < points:
            points, capped_by = left, limit.name
    return Given(base, percent, points, capped_by)


class _Priced(Protocol):
    kind: Any
    points: Any
    per_amount: Any
    rounding: Any


def base_points(rule: _Priced, amount: int) -> int:
    """Return a rule's points before any multiplier: each time the same, or so many for every so much money.

    Args:
        amount: what the patient paid out of pocket, in minor units; only rules about money read it.

    >>> from types import SimpleNamespace as Rule
    >>> base_points(Rule(kind="SELF_PAY", points=1, per_amount=100, rounding="DOWN"), 1250)
    12
    >>> base_points(Rule(kind="SELF_PAY", points=3, per_amount=100, rounding="UP"), 1250)
    39
    >>> base_points(Rule(kind="VISIT", points=10, per_amount=0, rounding="DOWN"), 0)
    10
    """
    if rule.kind != "SELF_PAY":
        return int(rule.points)
    return _whole(max(0, amount), rule.per_amount, rule.rounding) * int(rule.points)


def _whole(amount: int, unit: int, rounding: str) -> int:
    """How often `unit` is in `amount`: whole ones, to the nearest (a half counts), or begun ones.

    >>> [_whole(150, 100, how) for how in ("DOWN", "NEAREST", "UP")]
    [1, 2, 2]
    """
    if rounding == "UP":
        return -(-amount // unit)
    if rounding == "NEAREST":
        return (2 * amount + unit) // (2 * unit)
    return amount // unit


def multiplier(multipliers: Sequence[Mapping[str, Any]], happening: Happening) -> int:
    """Return by how many per cent points are multiplied: the highest of those that fit; 100 when none does.

    Multipliers do not pile up: a gold member who comes on a double day gets the better of the two.

    >>> happening = Happening(date(2026, 3, 4), tier="gold", birth_month=3)
    >>> multiplier([{"percent": 150, "tier": "gold"}, {"percent": 200, "weekdays": [2]}], happening)
    200
    >>> multiplier([{"percent": 300, "tier": "silver"}], happening)
    100
    """
    return max((int(one["percent"]) for one in multipliers if fits(one, happening)), default=100)


def fits(one: Mapping[str, Any], happening: Happening) -> bool:
    """Return whether everything a multiplier asks for is so: tier, dates, weekdays, birthday month."""
    on = happening.on
    return (
        (not one.get("tier") or one["tier"] == happening.tier)
        and (not one.get("from") or on >= date.fromisoformat(one["from"]))
        and (not one.get("until") or on <= date.fromisoformat(one["until"]))
        and (not one.get("weekdays") or on.weekday() in one["weekdays"])
        and (not one.get("birthday_month") or on.month == happening.birth_month)
    )


def counts_on(rule: EarnRule, on: date) -> bool:
    """Return whether a rule is for something that happened on this day."""
    return (rule.valid_from is None or rule.valid_from <= on) and (rule.valid_to is None or on <= rule.valid_to)


def final_at(rule: EarnRule, occurred_at: datetime) -> datetime:
    """Return when what a rule gave becomes final, if nothing comes between: so many days after it happened."""
    return occurred_at + timedelta(days=int(rule.settle_days))


def counts_of_bill(*, invoices: int, payments: int, counted: int) -> int:
    """Return how much more of one day's money counts, in minor units.

    A bill shows twice: as the invoice the clinic's program reports, and as the payment made here. What one patient paid on one day is
    therefore the larger of both sums, and never both.

    >>> counts_of_bill(invoices=0, payments=1200, counted=0)       # paid by link
    1200
    >>> counts_of_bill(invoices=1200, payments=1200, counted=1200)  # and the invoice of it arrives in the evening
    0
    >>> counts_of_bill(invoices=2000, payments=500, counted=500)    # a deposit first, the whole bill later
    1500
    """
    return max(0, max(invoices, payments) - counted)


def left_after(rule: _Priced, *, base: int, percent: int, points: int, amount: int, refunded: int) -> int:
    """Return how many of an earning's points are left when some of the money went back.

    What is left is what the rest of the money would have earned, and never more than was given: a refund takes nothing from points
    that a limit had cut off already.

    >>> from types import SimpleNamespace as Rule
    >>> rule = Rule(kind="SELF_PAY", points=1, per_amount=100, rounding="DOWN")
    >>> left_after(rule, base=12, percent=100, points=12, amount=1200, refunded=500)
    7
    >>> left_after(rule, base=12, percent=100, points=5, amount=1200, refunded=500)
    5
    """
    if refunded >= amount:
        return 0
    rest = _whole(base_points(rule, amount - refunded) * percent, 100, rule.rounding)
    return min(points, rest)


@dataclass(frozen=True)
class Payers:
    """Who is known to have paid on the day of a visit."""

    nhi: bool = False
    patient: bool = False


def why_not_for(payers: Payers, *, kind: str, forbids_nhi: bool) -> str:
    """Return why a visit earns nothing because of who paid for it, as a code of `Earning.Because`; empty: it earns.

    Where points on what the NHI pays are forbidden, a visit that the NHI shared earns nothing, not even for the part the patient
    paid; and one of which nobody has said who paid counts as such (in Taiwan most visits are). Source: law.md S7; 全民健康保險醫事服務
    機構特約及管理辦法 36(6), 39(2).

    >>> why_not_for(Payers(nhi=True, patient=True), kind="SELF_PAY", forbids_nhi=True)
    'NHI'
    >>> why_not_for(Payers(), kind="VISIT", forbids_nhi=True)
    'PAYER_UNKNOWN'
    >>> why_not_for(Payers(), kind="SELF_PAY", forbids_nhi=True)  # somebody paid: that is what it is about
    ''
    """
    if not forbids_nhi or kind not in PAID_BY:
        return ""
    if payers.nhi:
        return "NHI"
    return "" if payers.patient or kind == "SELF_PAY" else "PAYER_UNKNOWN"
