"""When a visit is spoken of, and who is likely to miss it. No clock, no database.

`planning.py` asks the same of all visits at once, in SQL; a test holds the two together.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

# A reminder that follows the booking too closely only annoys: the patient has just been told.
EARLY_AFTER = timedelta(days=2)
DAY_BEFORE_AFTER = timedelta(hours=12)
# Shorter than this before its beginning, a patient is under way or does not come.
SAME_DAY_UNTIL = timedelta(minutes=30)


@dataclass(frozen=True)
class Times:
    """A clinic's choices as far as times go; see `ReminderSettings`."""

    early_from_days: int = 5
    early_to_days: int = 3
    hour: int = 10
    same_day_hour: int = 8


@dataclass(frozen=True)
class Due:
    """When a reminder leaves, and until when it may still leave if something held it up."""

    at: datetime
    until: datetime


def early(*, starts_at: datetime, told_at: datetime, zone: ZoneInfo, times: Times) -> Due | None:
    """Return when the reminder some days before leaves: on the first of its days that is not too close to `told_at`.

    Args:
        told_at: when the patient learnt of this time (booked, moved).

    Source: Hall: sent five days before, no-shows fell from 11.1 to 8.4 % (evidence.md).

    >>> taipei, visit = ZoneInfo("Asia/Taipei"), datetime(2026, 3, 20, 9, 30, tzinfo=ZoneInfo("Asia/Taipei"))
    >>> ask = lambda told: early(starts_at=visit, told_at=datetime(2026, 3, told, 12, tzinfo=taipei), zone=taipei, times=Times())
    >>> [ask(day).at.day if ask(day) else None for day in (1, 12, 13, 14, 15)]
    [15, 15, 16, 17, None]
    """
    day = starts_at.astimezone(zone).date()
    for days in range(times.early_from_days, times.early_to_days - 1, -1):
        at = _at(day - timedelta(days=days), times.hour, zone)
        if at >= told_at + EARLY_AFTER:
            return Due(at, _at(day - timedelta(days=1), times.hour, zone))
    return None


def day_before(*, starts_at: datetime, told_at: datetime, zone: ZoneInfo, times: Times) -> Due | None:
    """Return when the reminder on the day before leaves; it says “tomorrow”, so it dies at midnight.

    >>> taipei, visit = ZoneInfo("Asia/Taipei"), datetime(2026, 3, 20, 9, 30, tzinfo=ZoneInfo("Asia/Taipei"))
    >>> day_before(starts_at=visit, told_at=datetime(2026, 3, 19, 9, tzinfo=taipei), zone=taipei, times=Times()) is None
    True
    """
    day = starts_at.astimezone(zone).date()
    at = _at(day - timedelta(days=1), times.hour, zone)
    return Due(at, _at(day, 0, zone)) if at >= told_at + DAY_BEFORE_AFTER else None


def same_day(*, starts_at: datetime, told_at: datetime, zone: ZoneInfo, times: Times) -> Due | None:
    """Return when the reminder on the day itself leaves; none for who learnt of it that day, none shortly before the visit.

    >>> taipei, told = ZoneInfo("Asia/Taipei"), datetime(2026, 3, 19, 23, tzinfo=ZoneInfo("Asia/Taipei"))
    >>> at = lambda hour, minute: datetime(2026, 3, 20, hour, minute, tzinfo=taipei)
    >>> [same_day(starts_at=at(*when), told_at=told, zone=taipei, times=Times()) is None for when in ((8, 20), (8, 30))]
    [True, False]
    """
    day = starts_at.astimezone(zone).date()
    due = Due(_at(day, times.same_day_hour, zone), starts_at - SAME_DAY_UNTIL)
    return due if told_at.astimezone(zone).date() < day and due.at <= due.until else None


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone)


# -- who is likely to miss a visit ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Risk:
    """The rule in force on a day: what counts how many points, and how many make a call worth while."""

    points: Mapping[str, int]
    threshold: int
    look_back_days: int
    source: str
    why: Mapping[str, str]

    def score(self, factors: Iterable[str]) -> int:
        """Return the points of these factors.

        >>> rule = risk_on(date(2026, 3, 16))
        >>> rule.score(["first_visit", "lead_7_to_28_days"]), rule.threshold
        (3, 3)
        """
        return sum(self.points[name] for name in factors)


@lru_cache(maxsize=1)
def _rules() -> tuple[dict[str, Any], ...]:
    found = tomllib.loads((Path(__file__).parent / "data" / "risk.toml").read_text(encoding="utf-8"))["rule"]
    return tuple(sorted(found, key=lambda one: one["valid_from"]))


def risk_on(day: date) -> Risk:
    """Return the rule in force on a day; before the first one, the first."""
    in_force = [one for one in _rules() if one["valid_from"] <= day] or list(_rules()[:1])
    found = in_force[-1]
    return Risk(
        {one["name"]: one["points"] for one in found["factor"]}, found["threshold"], found["look_back_days"], found["source"],
        {one["name"]: one["why"] for one in found["factor"]},
    )  # fmt: skip
