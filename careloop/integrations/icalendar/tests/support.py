"""A clinic with a schedule, a link to its physician's calendar, and readers of what comes out."""

from datetime import UTC, datetime
from typing import Any

from icalendar import Calendar

from careloop.integrations.icalendar import links
from careloop.scheduling.tests.make import NOW

LEAVE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
X-WR-CALNAME:休假
BEGIN:VEVENT
UID:congress
SUMMARY:學會年會
DTSTART;TZID=Asia/Taipei:20260317T090000
DTEND;TZID=Asia/Taipei:20260317T103000
END:VEVENT
BEGIN:VEVENT
UID:holiday
SUMMARY:特休
DTSTART;VALUE=DATE:20260406
DTEND;VALUE=DATE:20260409
END:VEVENT
BEGIN:VEVENT
UID:lunch
SUMMARY:午餐
TRANSP:TRANSPARENT
DTSTART;TZID=Asia/Taipei:20260318T120000
DTEND;TZID=Asia/Taipei:20260318T130000
END:VEVENT
END:VCALENDAR
"""


def link(physician: Any, *, with_names: bool = False, locations: Any = None, now: datetime = NOW) -> tuple[Any, str]:
    """Make a link; return it with the address a calendar program asks."""
    made, token = links.create_link(
        practitioner_id=physician.pk, with_names=with_names, locations=locations, by=None, now=now
    )
    return made, f"/p/cal/{token}.ics"


def events(file: bytes) -> dict[str, Any]:
    """The events of a calendar, by UID."""
    return {str(one["UID"]): one for one in Calendar.from_ical(file).walk("VEVENT")}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
