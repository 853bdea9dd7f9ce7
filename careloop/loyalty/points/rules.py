"""Rules of points as sentences: no clock, no database."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from math import sqrt


def last_valid_day(earned_on: date, *, valid_months: int) -> date | None:
    """Return the last day on which points earned on `earned_on` can be spent; None: they never end.

    Points stay valid until the end of the month that lies `valid_months` calendar months later, so nobody loses points in the
    middle of a month. The database counts the same (`loyalty_last_day`; a test compares them).

    Args:
        earned_on: clinic-local calendar date.
        valid_months: whole calendar months; 0: no end.

    >>> last_valid_day(date(2026, 1, 31), valid_months=1)
    datetime.date(2026, 2, 28)
    >>> last_valid_day(date(2026, 11, 2), valid_months=14)
    datetime.date(2028, 1, 31)
    """
    if valid_months < 0:
        raise ValueError("months are never negative")
    if valid_months == 0:
        return None
    year, month = divmod(earned_on.year * 12 + earned_on.month - 1 + valid_months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


# fewer members with ended points than this say nothing about the next ones
FEWEST_MEMBERS = 30


@dataclass(frozen=True)
class Breakage:
    """Which share of points ended unspent, so far: the share, the range it lies in 19 times of 20, and from how many members."""

    members: int
    share: float
    low: float
    high: float


def breakage(
    *, members: int, ended: int, expired: int, ended_squared: int, expired_squared: int, products: int
) -> Breakage | None:
    """Return the share of points that expired among all whose last day has passed; None: too few members to say.

    A member's points end or are spent together, so the range counts members and not points: the ratio's linearized variance over
    members (Cochran, Sampling Techniques, 3rd ed., section 6.4).

    Args:
        members: how many had points whose last day has passed.
        ended, expired: sums of those points, and of what of them expired.
        ended_squared, expired_squared, products: sums over members of the squares and of ended × expired.

    >>> breakage(members=29, ended=2900, expired=290, ended_squared=290_000, expired_squared=2_900, products=29_000) is None
    True
    >>> breakage(members=100, ended=10_000, expired=2_000, ended_squared=1_000_000, expired_squared=40_000, products=200_000)
    Breakage(members=100, share=0.2, low=0.2, high=0.2)
    """
    if members < FEWEST_MEMBERS or ended <= 0:
        return None
    share = expired / ended
    # in whole numbers: equal members differ by nothing, not by what floats lose
    spread = (expired_squared * ended * ended - 2 * expired * ended * products + expired * expired * ended_squared) / (
        ended * ended
    )
    error = 1.96 * sqrt(members * spread / (members - 1)) / ended
    return Breakage(members, share, max(0.0, share - error), min(1.0, share + error))
