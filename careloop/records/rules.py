"""Refill windows of chronic prescriptions, and what a bill adds up to. Pure functions: no clock, no database."""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files

# NHI Medical Care Regulations (全民健康保險醫療辦法) art. 24: within ten days before the earlier supply ends.
REFILL_DAYS_BEFORE = 10


class RefillState(StrEnum):
    """Where a refillable prescription stands today."""

    NOT_YET = "NOT_YET"
    OPEN = "OPEN"
    RAN_OUT = "RAN_OUT"
    LAST_FILL = "LAST_FILL"


@dataclass(frozen=True, slots=True)
class RefillWindow:
    """From when to when the next fill can be collected. After the last fill a return visit is due instead."""

    opens_on: date
    closes_on: date
    state: RefillState
    fills_left: int


@cache
def early_openings() -> tuple[tuple[date, date, date], ...]:
    """Return the yearly exceptions (Lunar New Year): supply ends from, to, and the day the window opens."""
    day = date.fromisoformat
    text = files("careloop.records").joinpath("data/refill_openings.csv").read_text(encoding="utf-8")
    return tuple(
        (day(row["supply_ends_from"]), day(row["supply_ends_to"]), day(row["opens_on"]))
        for row in csv.DictReader(text.splitlines())
    )


def refill_opens_on(supply_ends_on: date, *, days_before: int = REFILL_DAYS_BEFORE) -> date:
    """Return the first day on which the next fill can be collected.

    Args:
        supply_ends_on: last day of the current fill.
        days_before: ten by the regulations; some pharmacies count inclusively and use nine.

    >>> refill_opens_on(date(2026, 5, 23)), refill_opens_on(date(2026, 2, 16))
    (datetime.date(2026, 5, 13), datetime.date(2026, 1, 31))
    """
    usual = supply_ends_on - timedelta(days=days_before)
    early = [opens for start, end, opens in early_openings() if start <= supply_ends_on <= end]
    return min([usual, *early])


def refill_window(
    *, supply_ends_on: date, fills_allowed: int | None, fills_taken: int | None, today: date,
    days_before: int = REFILL_DAYS_BEFORE,
) -> RefillWindow:  # fmt: skip
    """Return where a refillable prescription stands. Unknown fills count as one left: better asked once too often.

    >>> window = refill_window(supply_ends_on=date(2026, 5, 23), fills_allowed=3, fills_taken=1, today=date(2026, 5, 14))
    >>> window.state.value, window.fills_left, window.opens_on.isoformat()
    ('OPEN', 2, '2026-05-13')
    >>> refill_window(supply_ends_on=date(2026, 5, 23), fills_allowed=3, fills_taken=3, today=date(2026, 5, 14)).state.value
    'LAST_FILL'
    """
    left = max(fills_allowed - (fills_taken or 0), 0) if fills_allowed is not None else 1
    opens = refill_opens_on(supply_ends_on, days_before=days_before)
    if not left:
        state = RefillState.LAST_FILL
    elif today < opens:
        state = RefillState.NOT_YET
    elif today <= supply_ends_on:
        state = RefillState.OPEN
    else:
        state = RefillState.RAN_OUT
    return RefillWindow(opens, supply_ends_on, state, left)


def nhi_part(*, total: int, self_pay: int, copay: int) -> int:
    """Return what NHI or another insurer paid: the rest of the bill.

    >>> nhi_part(total=800, self_pay=300, copay=50)
    450
    """
    return max(total - self_pay - copay, 0)
