"""From sessions and appointments to columns of a calendar: pure, so that a page is drawn from one statement.

A column's rows are five minutes each; what stands in it says its first row and how many it takes (classes `cl-r…` and `cl-n…`
of `assets/css/schedule.css`, because the content policy allows no style attributes).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from careloop.scheduling import rules
from careloop.scheduling.models import HOLDS

ROW = 5
MOST_ROWS = 24 * 60 // ROW
# how tall five minutes are, so that the shortest place on the page can still be touched
SCALES = ((5, 5), (10, 10), (15, 15), (720, 30))
OPENS, CLOSES = 9, 17


@dataclass
class Column:
    """One practitioner, room or day: its sessions, and what stands in them in the order of time."""

    key: Any
    title: str
    sub: str = ""
    is_today: bool = False
    sessions: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@dataclass(frozen=True)
class Frame:
    """Which hours a calendar shows and how tall they are."""

    first: int
    last: int
    scale: int

    @property
    def rows(self) -> int:
        return (self.last - self.first) * 60 // ROW

    def hours(self) -> list[dict[str, Any]]:
        return [
            {"label": f"{hour:02}:00", "row": (hour - self.first) * 60 // ROW + 1, "span": 60 // ROW}
            for hour in range(self.first, self.last)
        ]

    def place(self, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> dict[str, int]:
        """Where something stands: its first row and how many it takes, kept inside the frame."""
        start = starts_at.astimezone(zone)
        minutes = start.hour * 60 + start.minute - self.first * 60
        row = min(max(round(minutes / ROW), 0), self.rows - 1)
        taken = max(1, round((ends_at - starts_at) / timedelta(minutes=ROW)))
        return {"row": row + 1, "span": min(taken, self.rows - row)}


def frame(sessions: Iterable[dict[str, Any]], zone: ZoneInfo) -> Frame:
    """Return the hours from the first session to the last; a working day when there is none."""
    first, last, shortest = 24, 0, 60
    for one in sessions:
        start, end = one["starts_at"].astimezone(zone), one["ends_at"].astimezone(zone)
        first = min(first, start.hour)
        last = max(last, 24 if end.date() > start.date() else end.hour + (1 if end.minute else 0))
        if one["mode"] == "SLOTS":
            shortest = min(shortest, one["slot_minutes"])
    if first >= last:
        first, last = OPENS, CLOSES
    return Frame(first, last, next(scale for most, scale in SCALES if shortest <= most))


def holds(one: dict[str, Any]) -> bool:
    return one["state"] in HOLDS


def free_times(
    session: dict[str, Any], absences: Sequence[dict[str, Any]], *, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the pieces of a session by time that nobody has, from now on."""
    if session["state"] != "OPEN" or session["mode"] != "SLOTS":
        return []
    taken = [(one["starts_at"], one["ends_at"]) for one in session["appointments"] if holds(one)]
    taken += [
        (one["starts_at"], one["ends_at"]) for one in absences if one["practitioner_id"] == session["practitioner_id"]
    ]
    step = timedelta(minutes=session["slot_minutes"])
    found, at = [], session["starts_at"]
    while at + step <= session["ends_at"]:
        end = at + step
        if end > now and not any(start < end and at < until for start, until in taken):
            found.append((at, end))
        at = end
    return found


def numbers(session: dict[str, Any], *, now: datetime) -> list[dict[str, Any]]:
    """Return every number of a session with whose it is, extra ones (加號) at the end."""
    by_number = {one["number"]: one for one in session["appointments"] if holds(one)}
    for one in session["appointments"]:  # who did not come, where nobody else has the number
        by_number.setdefault(one["number"], one)
    pool_of = {
        number: pool["pool"]
        for pool in session["pools"]
        for number in rules.numbers_for(pool["pool"], pools=[pool], numbers=session["numbers"])
    }
    can_book = session["state"] == "OPEN" and session["ends_at"] > now
    every = [*range(1, session["numbers"] + 1), *sorted(n for n in by_number if n and n > session["numbers"])]
    return [
        {
            "number": number, "appointment": by_number.get(number), "pool": pool_of.get(number, ""),
            "is_free": can_book and number not in by_number and (not session["pools"] or number in pool_of),
            "is_extra": number > session["numbers"],
        }
        for number in every
    ]  # fmt: skip


def pools(session: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each pool of a session by number with how many numbers it has and how many are left."""
    taken = {one["number"] for one in session["appointments"] if holds(one)}
    found: dict[str, set[int]] = {}
    for pool in session["pools"]:
        found.setdefault(pool["pool"], set()).update(
            rules.numbers_for(pool["pool"], pools=[pool], numbers=session["numbers"])
        )
    return [{"pool": name, "all": len(those), "left": len(those - taken)} for name, those in found.items()]


def counts(session: dict[str, Any], free: int) -> dict[str, int]:
    """Return how many places of a session are taken and free."""
    taken = sum(holds(one) for one in session["appointments"])
    return {"taken": taken, "free": free, "all": taken + free}


def without_overlaps(session: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a session by time shows: who did not come gives way to whoever came instead."""
    kept = [one for one in session["appointments"] if holds(one)]
    for one in session["appointments"]:
        if not holds(one) and not any(
            other["starts_at"] < one["ends_at"] and one["starts_at"] < other["ends_at"] for other in kept
        ):
            kept.append(one)
    return kept
