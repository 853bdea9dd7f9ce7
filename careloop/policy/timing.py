"""When a message may leave, and how many: quiet hours and the frequency cap (rule M2).

Quiet hours are wall-clock hours where the clinic is, so they follow the zone through daylight saving.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from careloop.policy.answers import MessageClass

CAPPED = frozenset({MessageClass.MARKETING})


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """Quiet from `starts` up to, not including, `ends`, also across midnight. Equal times: never quiet."""

    starts: time = time(21)
    ends: time = time(8)


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most `limit` marketing messages to one person in any `days` days."""

    limit: int = 2
    days: int = 30


def is_quiet(local: time, window: QuietWindow = QuietWindow()) -> bool:
    """Return whether a wall-clock time lies in the quiet hours.

    >>> [is_quiet(time(hour)) for hour in (7, 8, 20, 21)]
    [True, False, False, True]
    """
    if window.starts <= window.ends:
        return window.starts <= local < window.ends
    return local >= window.starts or local < window.ends


def next_allowed_at(now: datetime, *, zone: ZoneInfo, window: QuietWindow = QuietWindow()) -> datetime:
    """Return `now` when it is not quiet, else the end of the quiet hours, in UTC.

    Raises:
        ValueError: `now` has no zone.

    >>> next_allowed_at(datetime(2026, 11, 21, 14, tzinfo=UTC), zone=ZoneInfo("Asia/Taipei")).isoformat()
    '2026-11-22T00:00:00+00:00'
    """
    if now.tzinfo is None:
        raise ValueError("now needs a zone")
    local = now.astimezone(zone)
    if not is_quiet(local.time(), window):
        return now.astimezone(UTC)
    day = local.date()
    if local.time() >= window.ends:
        day += timedelta(days=1)
    # An hour that exists twice (or not at all) has two readings; the later one lets nothing leave too early.
    end = datetime.combine(day, window.ends, tzinfo=zone)
    return max(end.astimezone(UTC), end.replace(fold=1).astimezone(UTC))


def cap_reached(sent_at: Iterable[datetime], *, now: datetime, cap: FrequencyCap = FrequencyCap()) -> bool:
    """Return whether one more marketing message now would be one too many."""
    return cap_free_at(sent_at, now=now, cap=cap) > now


def cap_free_at(sent_at: Iterable[datetime], *, now: datetime, cap: FrequencyCap = FrequencyCap()) -> datetime:
    """Return the first moment from `now` on at which another marketing message fits under the cap.

    A message counts for exactly `days` days. A limit of 0 means never; then the far future is returned.
    """
    if cap.limit <= 0:
        return datetime.max.replace(tzinfo=UTC)
    period = timedelta(days=cap.days)
    counting = sorted(at for at in sent_at if at > now - period)
    if len(counting) < cap.limit:
        return now
    return counting[-cap.limit] + period


def is_capped(message_class: MessageClass) -> bool:
    """Return whether messages of this class count towards the cap and are held back by it."""
    return message_class in CAPPED


def waits_in_quiet_hours(message_class: MessageClass, *, urgent: bool = False) -> bool:
    """Return whether quiet hours hold the message back.

    Only an operational message that the patient is waiting for (a sign-in code, the answer to a tap) does not
    wait; marking anything else urgent changes nothing.
    """
    return not (urgent and message_class == MessageClass.OPERATIONAL)
