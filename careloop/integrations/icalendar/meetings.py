"""One meeting as a calendar's event: its name there, its state, its place. Shared by feeds and invitations."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.integrations.icalendar import writing
from careloop.integrations.icalendar.own import UID_END

# RFC 5545 knows three; an offered or held place is not certain yet
STATUS = {
    "proposed": "TENTATIVE", "pending": "TENTATIVE", "booked": "CONFIRMED", "arrived": "CONFIRMED",
    "checked-in": "CONFIRMED", "fulfilled": "CONFIRMED", "noshow": "CONFIRMED", "cancelled": "CANCELLED",
    "entered-in-error": "CANCELLED",
}  # fmt: skip


def uid(kind: str, key: UUID) -> str:
    """Return an event's name, the same for ever and in every file of ours: a moved meeting stays the same meeting.

    >>> uid("appointment", UUID(int=1))
    'appointment-00000000-0000-0000-0000-000000000001@careloop'
    """
    return f"{kind}-{key}{UID_END}"


def event(
    *, kind: str, key: UUID, starts_at: datetime, ends_at: datetime, zone: ZoneInfo, stamp: datetime, sequence: int,
    status: str, summary: str, place: str, changed_at: datetime | None = None, lines: Iterable[str] = (),
) -> writing.Lines:  # fmt: skip
    """Return the lines of one event; further `lines` stand at its end."""
    return writing.component("VEVENT", [
        f"UID:{uid(kind, key)}",
        writing.instant("DTSTAMP", stamp),
        *([writing.instant("LAST-MODIFIED", changed_at)] if changed_at else []),
        f"SEQUENCE:{sequence}",
        writing.local("DTSTART", starts_at, zone),
        writing.local("DTEND", ends_at, zone),
        f"STATUS:{status}",
        writing.text("SUMMARY", summary),
        *([writing.text("LOCATION", place)] if place else []),
        *lines,
    ])  # fmt: skip
