"""Reading somebody's calendar file: the times it says they are away. Pure; `process.py` runs it apart from everything else."""

import hashlib
import heapq
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Component, vBroken

from careloop.integrations.icalendar.own import UID_END
from careloop.integrations.icalendar.parsing import CannotRead, Lines, decode, parse

MOST = 5_000  # times away
AHEAD = timedelta(days=180)
# a single time away may lie further ahead than repeated ones, but no typing error a hundred years
FURTHEST = timedelta(days=730)
# of an entry's title, and of its name in its own program; longer names are replaced by their hash
LONGEST_NOTE, LONGEST_UID = 200, 120
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
ALL_DAY = ("busy", "always", "never")


@dataclass(frozen=True)
class Away:
    """One time away. `key` is its name in the calendar it comes from: the same the next time the calendar is read."""

    key: str
    starts_at: datetime
    ends_at: datetime
    note: str
    line: int
    all_day: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Skipped:
    """An entry, or `count` repetitions of it, that are no time away, and why."""

    reason: str
    line: int
    title: str
    starts: str = ""
    count: int = 1


@dataclass(frozen=True)
class Warned:
    """What was read otherwise than it stands there, or not at all."""

    reason: str
    line: int
    title: str
    what: str = ""


@dataclass
class Found:
    """What a file says."""

    name: str = ""
    away: list[Away] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


# -- what it says ------------------------------------------------------------------------------------------------


def read(
    data: bytes, *, zone: str, now: datetime, all_day: str = "busy", tell: Callable[[int], None] = lambda _line: None
) -> Found:  # fmt: skip
    """Return the times away that a calendar file tells of, from `now` on.

    Args:
        zone: the clinic's; times without a zone, and whole days, are meant there.
        all_day: what whole days count as: `busy` when they are shown as busy (like other entries), `always`, `never`.
        tell: called with the line of each entry before it is worked on.

    Raises:
        CannotRead: the file as a whole is none, or tells of too many times.
    """
    text = decode(data)
    if "BEGIN:" not in text.upper():
        raise CannotRead("no_calendar")
    components, lines = parse(text)
    if not components:
        raise CannotRead("cut_off", lines.places[-1])
    return _Reader(components, lines, zone=ZoneInfo(zone), now=now, all_day=all_day, tell=tell).found


@dataclass
class _Entry:
    """A VEVENT with what is known about it."""

    it: Component
    line: int
    title: str
    uid: str
    errors: dict[str, str]


class _Reader:
    def __init__(
        self, components: list[Component], lines: Lines, *, zone: ZoneInfo, now: datetime, all_day: str, tell: Callable[[int], None]
    ) -> None:  # fmt: skip
        self.zone, self.now, self.all_day, self.tell = zone, now, all_day, tell
        self.found = Found()
        self.keys: set[str] = set()
        self._read(components, lines)

    def _read(self, components: list[Component], lines: Lines) -> None:
        walked = [one for component in components for one in component.walk()]
        names: dict[str, int] = defaultdict(int)
        for one in walked:
            names[str(one.name)] += 1
        self.found.counts = {name: names[name] for name in ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")}
        self.found.name = next(
            (_text(one, "X-WR-CALNAME") or _text(one, "NAME") for one in walked if one.name == "VCALENDAR"), ""
        )
        places = lines.beginnings("VEVENT")
        events = [one for one in walked if one.name == "VEVENT"]
        entries = [
            self._entry(one, places[at] if len(places) == len(events) else 0) for at, one in enumerate(events)
        ]  # fmt: skip
        for group in _by_uid(entries):
            try:
                self._series(group)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
                # whatever else a file from outside can hold: this entry is left out, and the others are read
                self._skip("unreadable", group[0])
        self.found.away.sort(key=lambda one: (one.starts_at, one.key))

    def _entry(self, it: Component, line: int) -> _Entry:
        title = _text(it, "SUMMARY")[:LONGEST_NOTE]
        uid = _text(it, "UID") or "none-" + hashlib.sha256(f"{_raw(it, 'DTSTART')}|{title}".encode()).hexdigest()[:32]
        errors = {str(name): str(what) for name, what in it.errors}
        for name in errors.keys() - {"RRULE"}:  # said where the rule is used
            self._warn("unreadable", line, title, "" if name == "None" else name)
        return _Entry(it, line, title, uid, errors)

    # -- one series -----------------------------------------------------------------------------------------------

    def _series(self, group: list[_Entry]) -> None:
        """Read what shares a name: the entry itself, and the repetitions of it that were changed one by one."""
        self.tell(group[0].line)
        masters = [one for one in group if "RECURRENCE-ID" not in one.it]
        changed = [one for one in group if "RECURRENCE-ID" in one.it]
        newest = max((_sequence(one.it) for one in masters), default=0)
        current = [one for one in masters if _sequence(one.it) == newest]
        for one in masters:
            if one not in current:
                self._skip("replaced", one)
        overrides = self._overrides(changed)
        for number, one in enumerate(current):
            # several entries of one name are no calendar's right, but common: each is told apart by its beginning
            self._one(one, overrides, suffix="" if number == 0 else f"#{_raw(one.it, 'DTSTART')}")
        for override in overrides.values():
            if not override.used:
                self._take(override.entry, override.key, override.starts, override.ends, repeated=True)

    def _overrides(self, changed: list[_Entry]) -> dict[datetime, "_Override"]:
        found: dict[datetime, _Override] = {}
        for one in changed:
            which = self._moment(one, "RECURRENCE-ID")
            times = self._times(one)
            if which is None or times is None:
                continue
            later = _parameter(one.it, "RECURRENCE-ID", "RANGE").upper() == "THISANDFUTURE"
            made = _Override(one, _utc(which.at), *times, later=later)
            earlier = found.get(made.which)
            if earlier is not None and _sequence(earlier.entry.it) > _sequence(one.it):
                self._skip("replaced", one)
                continue
            found[made.which] = made
        return found

    def _one(self, entry: _Entry, overrides: dict[datetime, "_Override"], *, suffix: str) -> None:
        times = self._times(entry)
        if times is None:
            return
        starts, ends = times
        key = _key(entry.uid) + suffix
        if not any(name in entry.it for name in ("RRULE", "RDATE")):
            if (override := overrides.get(_utc(starts.at))) is not None:
                override.used = True
                self._take(override.entry, override.key, override.starts, override.ends, repeated=True)
                return
            self._take(entry, key, starts, ends)
            return
        if reason := self._no_time_away(entry, starts):
            self._skip(reason, entry, starts)
            # repetitions that were changed to be a time away still count
            return
        self._repeated(entry, key, starts, ends, overrides)

    def _repeated(
        self, entry: _Entry, key: str, starts: "_Moment", ends: "_Moment", overrides: dict[datetime, "_Override"]
    ) -> None:
        length, later = (
            _utc(ends.at) - _utc(starts.at),
            sorted((o for o in overrides.values() if o.later), key=lambda o: o.which),
        )
        gone, taken = 0, False
        for at, own_length in self._occurrences(entry, starts):
            taken, moment = True, _Moment(at, starts.is_day)
            which = _utc(moment.at)
            if (override := overrides.get(which)) is not None:
                override.used = True
                self._take(override.entry, override.key, override.starts, override.ends, repeated=True)
                continue
            moved = next((o for o in reversed(later) if o.which <= which), None)
            if moved is not None:
                shifted = _Moment(at + (moved.starts.at - moved.which), moved.starts.is_day)
                self._take(
                    moved.entry,
                    f"{key}#{which:%Y%m%dT%H%M%SZ}",
                    shifted,
                    shifted.after(_utc(moved.ends.at) - _utc(moved.starts.at)),
                    repeated=True,
                )
                continue
            end = moment.after(own_length or length, days=self._days(starts, ends))
            if _utc(end.at) <= self.now:
                gone += 1
                continue
            self._take(entry, f"{key}#{which:%Y%m%dT%H%M%SZ}", moment, end, repeated=True)
        if gone:
            self._skip("past", entry, starts, count=gone)
        elif not taken:
            self._skip("later", entry, starts)

    def _days(self, starts: "_Moment", ends: "_Moment") -> int:
        """How many whole days an entry lasts; 0 when it goes by the clock. A day is not always 24 hours."""
        return (ends.at.date() - starts.at.date()).days if starts.is_day else 0

    def _occurrences(self, entry: _Entry, starts: "_Moment") -> Iterator[tuple[datetime, timedelta | None]]:
        """The beginnings of a series until the end of the window, in order, with their own length where they have one."""
        zone = starts.at.tzinfo or self.zone
        first, until = starts.at.replace(tzinfo=None), (self.now + AHEAD).astimezone(zone).replace(tzinfo=None)
        excluded, excluded_days = self._excluded(entry, zone)
        added: dict[datetime, timedelta | None] = {first: None}
        for value in _values(entry.it, "RDATE"):
            begin, own_length = value if isinstance(value, tuple) else (value, None)
            if own_length is not None and not isinstance(own_length, timedelta):
                own_length = self._aware(own_length, zone) - self._aware(begin, zone)
            added[self._aware(begin, zone).astimezone(zone).replace(tzinfo=None)] = own_length
        if "RRULE" in entry.errors:
            self._warn("rule", entry.line, entry.title, "RRULE")
        rules = [self._dates(entry, rule, first, zone) for rule in _listed(entry.it.get("RRULE"))]
        seen: set[datetime] = set()
        for at in _merged([*rules, iter(sorted(added))]):
            if at > until:
                break
            if at in seen or at in excluded or at.date() in excluded_days:
                continue
            seen.add(at)
            yield at.replace(tzinfo=zone), added.get(at)

    def _dates(self, entry: _Entry, rule: Any, first: datetime, zone: tzinfo) -> Iterator[datetime]:
        """What a rule gives, on the clock of the entry's zone: 9 o'clock stays 9 o'clock when the clocks change."""
        try:
            parts = {str(name).upper(): values for name, values in dict(rule).items()}
            if set(map(str, parts.get("FREQ", []))) & TOO_OFTEN:
                self._skip("too_often", entry)
                return
            if limit := parts.pop("UNTIL", None):
                last = limit[0]
                if not isinstance(last, datetime):
                    last = datetime.combine(last, time.max)
                if last.tzinfo is not None:
                    last = last.astimezone(zone).replace(tzinfo=None)
            else:
                last = None
            text = ";".join(
                piece for piece in rule.to_ical().decode().split(";") if not piece.upper().startswith(("UNTIL=", "X-"))
            )
            for at in rrulestr(f"RRULE:{text}", dtstart=first):
                if last is not None and at > last:
                    return
                yield at
        except (ValueError, TypeError, OverflowError, KeyError, IndexError, AttributeError):
            self._warn("rule", entry.line, entry.title, "RRULE")

    def _excluded(self, entry: _Entry, zone: tzinfo) -> tuple[set[datetime], set[date]]:
        moments: set[datetime] = set()
        days: set[date] = set()
        is_day = not isinstance(_value(entry.it, "DTSTART"), datetime)
        for value in _values(entry.it, "EXDATE"):
            if isinstance(value, datetime) and not is_day:
                moments.add(self._aware(value, zone).astimezone(zone).replace(tzinfo=None))
            elif isinstance(value, date):
                days.add(value.date() if isinstance(value, datetime) else value)
        return moments, days

    # -- one time -------------------------------------------------------------------------------------------------

    def _take(self, entry: _Entry, key: str, starts: "_Moment", ends: "_Moment", *, repeated: bool = False) -> None:
        """Note a time away, or why it is none."""
        if reason := self._no_time_away(entry, starts) or self._outside(starts, ends):
            self._skip(reason, entry, starts)
            return
        if key in self.keys:
            self._skip("twice", entry, starts)
            return
        self.keys.add(key)
        if len(self.found.away) >= MOST:
            raise CannotRead("too_many", entry.line, most=MOST)
        is_secret = _text(entry.it, "CLASS").upper() in ("PRIVATE", "CONFIDENTIAL")
        self.found.away.append(
            Away(
                key,
                _utc(starts.at),
                _utc(ends.at),
                "" if is_secret else entry.title,
                entry.line,
                starts.is_day,
                repeated,
            )
        )

    def _no_time_away(self, entry: _Entry, starts: "_Moment") -> str:
        it = entry.it
        if entry.uid.endswith(UID_END):
            return "own"
        if _text(it, "STATUS").upper() == "CANCELLED":
            return "cancelled"
        if starts.is_day and self.all_day == "never":
            return "all_day"
        is_free = (
            _text(it, "TRANSP").upper() == "TRANSPARENT" or _text(it, "X-MICROSOFT-CDO-BUSYSTATUS").upper() == "FREE"
        )
        if is_free and not (starts.is_day and self.all_day == "always"):
            return "free"
        return ""

    def _outside(self, starts: "_Moment", ends: "_Moment") -> str:
        if _utc(ends.at) <= _utc(starts.at):
            return "no_length"
        if _utc(ends.at) <= self.now:
            return "past"
        return "far" if _utc(starts.at) > self.now + FURTHEST else ""

    def _times(self, entry: _Entry) -> tuple["_Moment", "_Moment"] | None:
        """When an entry begins and ends; None when nobody can tell."""
        starts = self._moment(entry, "DTSTART")
        if starts is None or {"DTEND", "DURATION"} & entry.errors.keys():
            self._skip("no_start" if "DTSTART" not in entry.errors else "unreadable", entry)
            return None
        length = _value(entry.it, "DURATION")
        if "DTEND" in entry.it:
            ends = self._moment(entry, "DTEND")
            if ends is None:
                self._skip("unreadable", entry)
                return None
            return starts, ends
        if isinstance(length, timedelta):
            try:
                return starts, starts.after(length, days=length.days if starts.is_day else 0)
            except OverflowError:
                self._skip("no_length", entry)
                return None
        return starts, starts.after(timedelta(0), days=1) if starts.is_day else starts

    def _moment(self, entry: _Entry, name: str) -> "_Moment | None":
        value = _value(entry.it, name)
        if not isinstance(value, date):  # a datetime is a date too
            return None
        zone_name = _parameter(entry.it, name, "TZID")
        if isinstance(value, datetime) and value.tzinfo is None:
            self._warn("zone" if zone_name else "floating", entry.line, entry.title, zone_name)
        if not 1900 <= value.year <= 2200:
            return _Moment(datetime(1900 if value.year < 1900 else 2200, 1, 1, tzinfo=self.zone), False)
        return _Moment(self._aware(value, self.zone), not isinstance(value, datetime))

    def _aware(self, value: date, zone: tzinfo) -> datetime:
        """A value of the file as a moment; what has no zone is meant at the clinic, or where its series is."""
        if not isinstance(value, datetime):
            return datetime.combine(value, time.min, zone)
        return value if value.tzinfo is not None else value.replace(tzinfo=zone)

    def _skip(self, reason: str, entry: _Entry, starts: "_Moment | None" = None, *, count: int = 1) -> None:
        shown = (
            ""
            if starts is None
            else starts.at.date().isoformat()
            if starts.is_day
            else starts.at.astimezone(self.zone).isoformat()[:16]
        )
        self.found.skipped.append(Skipped(reason, entry.line, entry.title, shown, count))

    def _warn(self, reason: str, line: int, title: str, what: str = "") -> None:
        made = Warned(reason, line, title, what)
        if made not in self.found.warned[-5:]:
            self.found.warned.append(made)


@dataclass(frozen=True)
class _Moment:
    """A moment, or the beginning of a day at the clinic."""

    at: datetime
    is_day: bool

    def after(self, length: timedelta, *, days: int = 0) -> "_Moment":
        """Return the moment so much later: whole days on the calendar, other lengths as time goes by."""
        if days:
            return _Moment(
                (self.at.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=self.at.tzinfo), self.is_day
            )
        return _Moment((self.at.astimezone(UTC) + length).astimezone(self.at.tzinfo), self.is_day)


@dataclass
class _Override:
    """A repetition that was changed: which one (as it would have been), and how it is instead."""

    entry: _Entry
    which: datetime
    starts: _Moment
    ends: _Moment
    later: bool = False  # and all after it
    used: bool = False

    @property
    def key(self) -> str:
        return f"{_key(self.entry.uid)}#{self.which:%Y%m%dT%H%M%SZ}"


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _key(uid: str) -> str:
    """A name of at most 120 characters that a database takes."""
    if len(uid) <= LONGEST_UID and uid.isprintable():
        return uid
    return "sha256-" + hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()


def _by_uid(entries: Iterable[_Entry]) -> Iterable[list[_Entry]]:
    groups: dict[str, list[_Entry]] = {}
    for one in entries:
        groups.setdefault(one.uid, []).append(one)
    return groups.values()


def _merged(dates: list[Iterator[datetime]]) -> Iterator[datetime]:
    """What several rules give, in order."""
    return heapq.merge(*dates)


def _listed(value: Any) -> list[Any]:
    """What stands once or several times, without what could not be read."""
    every = [] if value is None else value if isinstance(value, list) else [value]
    return [one for one in every if not isinstance(one, vBroken)]


def _value(it: Component, name: str) -> Any:
    """The value of a property that may stand once; of several the first counts."""
    found = _listed(it.get(name))
    return getattr(found[0], "dt", None) if found else None


def _parameter(it: Component, name: str, parameter: str) -> str:
    found = _listed(it.get(name))
    return str(getattr(found[0], "params", {}).get(parameter, "")) if found else ""


def _values(it: Component, name: str) -> list[Any]:
    return [one.dt for many in _listed(it.get(name)) for one in getattr(many, "dts", [])]


def _text(it: Component, name: str) -> str:
    """A property as text that a database takes."""
    found = _listed(it.get(name))
    return re.sub("[\x00-\x1f\x7f\ud800-\udfff]+", " ", str(found[0])).strip() if found else ""


def _raw(it: Component, name: str) -> str:
    value = _value(it, name)
    return value.isoformat() if isinstance(value, date) else ""


def _sequence(it: Component) -> int:
    try:
        return int(_text(it, "SEQUENCE") or 0)
    except ValueError:
        return 0
