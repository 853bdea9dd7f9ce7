"""When steps are due, who is held out, whose day it is, and what a comparison says. Pure: no clock, no database."""

import calendar
import hashlib
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

LONGEST_WAIT_DAYS = 400
Z_95 = 1.959963984540054


def wait_until(start: datetime, *, days: int = 0, hours: int = 0, at: time | None = None, zone: ZoneInfo) -> datetime:
    """Return when a wait that begins at `start` is over.

    Days are calendar days in the clinic's zone, hours are hours. With `at`, the wait ends at that local time: on the day
    reached, or on the next one when that time has passed.

    >>> taipei = ZoneInfo("Asia/Taipei")
    >>> start = datetime(2026, 3, 16, 15, 30, tzinfo=taipei)
    >>> wait_until(start, days=1, at=time(10), zone=taipei).isoformat()
    '2026-03-17T10:00:00+08:00'
    >>> wait_until(start, at=time(10), zone=taipei).isoformat()
    '2026-03-17T10:00:00+08:00'
    >>> wait_until(start, hours=3, zone=taipei).isoformat()
    '2026-03-16T18:30:00+08:00'
    """
    local = start.astimezone(zone)
    reached = local + timedelta(days=days)
    if hours:
        reached = (reached.astimezone(ZoneInfo("UTC")) + timedelta(hours=hours)).astimezone(zone)
    if at is None:
        return reached
    on_the_day = datetime.combine(reached.date(), at, zone)
    if on_the_day <= local or (days == 0 and on_the_day < reached):
        on_the_day = datetime.combine(reached.date() + timedelta(days=1), at, zone)
    return on_the_day


def is_held_out(journey_id: UUID, patient_id: UUID, *, percent: int) -> bool:
    """Whether a patient is in a journey's comparison group: always the same answer, with nothing stored.

    The first 32 bits of the MD5 of both ids, modulo 100, are below `percent`. The engine does the same in SQL.

    >>> ids = [UUID(int=n) for n in range(10_000)]
    >>> 900 < sum(is_held_out(UUID(int=7), one, percent=10) for one in ids) < 1100
    True
    >>> is_held_out(UUID(int=7), UUID(int=1), percent=0)
    False
    """
    digest = hashlib.md5(f"{journey_id}{patient_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % 100 < percent


def birthdays_on(day: date) -> list[int]:
    """Return which birthdays (month × 100 + day) are kept on `day`: 29 February on the 28th in other years.

    >>> birthdays_on(date(2026, 2, 28)), birthdays_on(date(2028, 2, 28)), birthdays_on(date(2028, 2, 29))
    ([228, 229], [228], [229])
    """
    found = [day.month * 100 + day.day]
    if found == [228] and not calendar.isleap(day.year):
        found.append(229)
    return found


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval (Wilson): `low` and `high` are between 0 and 1."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.total if self.total else 0.0


def share(count: int, total: int) -> Share:
    """Return a share with its Wilson score interval.

    Source: Wilson 1927, JASA 22:209. Values checked against `evidence.md`.

    >>> [round(100 * x, 1) for x in (share(0, 20).high, share(10, 20).low, share(10, 20).high, share(169, 1000).low)]
    [16.1, 29.9, 70.1, 14.7]
    """
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    p, z2 = count / total, Z_95 * Z_95
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z_95 * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    return Share(count, total, max(0.0, middle - half), min(1.0, middle + half))


TOO_FEW = 30
"""Fewer than this in either group, and a comparison is shown as numbers without a verdict (our choice)."""


@dataclass(frozen=True)
class Difference:
    """How much more often something happened with the journey than without it, with its 95 % interval."""

    treated: Share
    held_out: Share
    value: float
    low: float
    high: float

    @property
    def too_few(self) -> bool:
        return min(self.treated.total, self.held_out.total) < TOO_FEW

    @property
    def verdict(self) -> str:
        """too_few, better, worse or unclear."""
        if self.too_few:
            return "too_few"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "unclear"


def difference(treated: Share, held_out: Share) -> Difference:
    """Return the difference of two independent shares with Newcombe's hybrid score interval.

    Source: Newcombe 1998, Statistics in Medicine 17:873, method 10, example (a): 56/70 and 48/80 give 0.0524 to 0.3339.

    >>> one = difference(share(56, 70), share(48, 80))
    >>> round(one.value, 4), round(one.low, 4), round(one.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    value = treated.value - held_out.value
    low = value - math.hypot(treated.value - treated.low, held_out.high - held_out.value)
    high = value + math.hypot(treated.high - treated.value, held_out.value - held_out.low)
    return Difference(treated, held_out, value, max(-1.0, low), min(1.0, high))
