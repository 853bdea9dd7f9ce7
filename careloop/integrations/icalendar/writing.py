"""Calendar files as text (RFC 5545): content lines, and the description of a time zone. Pure.

The library `icalendar` reads everything here back in the tests. It does not write it, because a practitioner's 4,500
appointments take it 4.4 s and these lines 0.06 s, and because its time zones change an hour late in spring.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PRODID = "-//CareLoop//CareLoop//EN"
LONGEST_LINE = 75  # octets, without the line break
# RFC 5545 allows no control characters in a text but the tab
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
# a lone surrogate cannot be written as UTF-8
HALVES = re.compile("[\ud800-\udfff]")

Lines = Iterator[str]


def plain(value: str) -> str:
    r"""Return a text as a calendar can hold it: line breaks made one kind, other control characters left out.

    >>> plain("a\r\nb\x00")
    'a\nb'
    """
    return HALVES.sub("", CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n")))


def text(name: str, value: str) -> str:
    r"""Return a property with a text value.

    >>> text("SUMMARY", "one; two, three\nfour")
    'SUMMARY:one\\; two\\, three\\nfour'
    """
    escaped = plain(value).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    return f"{name}:{escaped}"


def parameter(value: str) -> str:
    """Return the value of a parameter, quoted; what cannot stand in quotes is written as RFC 6868 says.

    >>> parameter('Smile "Dental"')
    '"Smile ^\\'Dental^\\'"'
    """
    escaped = plain(value).replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{escaped}"'


def instant(name: str, at: datetime) -> str:
    """Return a property with a moment in UTC.

    >>> instant("DTSTAMP", datetime(2026, 3, 16, 2, 0, tzinfo=UTC))
    'DTSTAMP:20260316T020000Z'
    """
    return f"{name}:{at.astimezone(UTC):%Y%m%dT%H%M%S}Z"


def local(name: str, at: datetime, zone: ZoneInfo) -> str:
    """Return a property with a moment as the clinic's clock shows it; the file must hold `time_zone(zone, …)`.

    >>> local("DTSTART", datetime(2026, 3, 16, 2, 0, tzinfo=UTC), ZoneInfo("Asia/Taipei"))
    'DTSTART;TZID=Asia/Taipei:20260316T100000'
    """
    return f"{name};TZID={zone.key}:{at.astimezone(zone):%Y%m%dT%H%M%S}"


def folded(line: str) -> str:
    """Return a content line broken into pieces of at most 75 octets, never inside a character."""
    if line.isascii() and len(line) <= LONGEST_LINE:
        return line
    pieces: list[str] = []
    start = width = 0
    for place, character in enumerate(line):
        octets = len(character.encode())
        # the blank that begins a following line counts too
        if width + octets > LONGEST_LINE - (1 if pieces else 0):
            pieces.append(line[start:place])
            start, width = place, 0
        width += octets
    return "\r\n ".join([*pieces, line[start:]])


def component(name: str, lines: Iterable[str]) -> Lines:
    """Put lines between BEGIN and END."""
    yield f"BEGIN:{name}"
    yield from lines
    yield f"END:{name}"


def calendar(lines: Iterable[str], *, method: str = "") -> bytes:
    """Return a whole file with these lines in its calendar."""
    head = ["VERSION:2.0", f"PRODID:{PRODID}", "CALSCALE:GREGORIAN", *([f"METHOD:{method}"] if method else [])]
    whole = component("VCALENDAR", [*head, *lines])
    return "".join(f"{folded(line)}\r\n" for line in whole).encode()


# -- time zones --------------------------------------------------------------------------------------------------


def time_zone(zone: ZoneInfo, first: date, last: date) -> Lines:
    """Describe a zone for the days from `first` to `last`: every change of its clocks in that time."""
    return component(
        "VTIMEZONE", _observances(zone, datetime.combine(first, time.min), datetime.combine(last, time.min))
    )


def _observances(zone: ZoneInfo, start: datetime, end: datetime) -> Lines:
    yield f"TZID:{zone.key}"
    before = start.replace(tzinfo=UTC)
    offset = before.astimezone(zone).utcoffset() or timedelta(0)
    yield from _observance(zone, before, offset, onset=start)
    for change in _changes(zone, before, end.replace(tzinfo=UTC)):
        yield from _observance(zone, change, offset, onset=(change + offset).replace(tzinfo=None))
        offset = change.astimezone(zone).utcoffset() or timedelta(0)


def _observance(zone: ZoneInfo, at: datetime, before: timedelta, *, onset: datetime) -> Lines:
    """What holds from `at` on; its onset is told in the time that held before."""
    here = at.astimezone(zone)
    kind = "DAYLIGHT" if here.dst() else "STANDARD"
    lines = [f"DTSTART:{onset:%Y%m%dT%H%M%S}", f"TZOFFSETFROM:{_offset(before)}", f"TZOFFSETTO:{_offset(here.utcoffset())}",
             text("TZNAME", here.tzname() or zone.key)]  # fmt: skip
    return component(kind, lines)


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments at which the zone's clocks change, found by looking at every day and halving the days that differ."""

    def state(at: datetime) -> tuple[timedelta | None, timedelta | None, str | None]:
        here = at.astimezone(zone)
        return here.utcoffset(), here.dst(), here.tzname()

    day = start
    while day < end:
        following = day + timedelta(days=1)
        if state(day) != state(following):
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if state(middle) == state(day) else (low, middle)
            yield high
        day = following


def _offset(offset: timedelta | None) -> str:
    seconds = int((offset or timedelta(0)).total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{sign}{hours:02d}{minutes:02d}" + (f"{left:02d}" if left else "")
