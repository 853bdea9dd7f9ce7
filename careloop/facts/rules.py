"""How a patient's facts are worked out: windows, own rhythm, life-cycle stage, and what the bits mean."""

from collections.abc import Iterable
from datetime import date, timedelta
from enum import IntFlag
from itertools import pairwise

from careloop.consent.models import Purpose
from careloop.consent.selectors import WRITTEN_SOURCES
from careloop.facts.models import Stage

# How long after the only visit so far somebody counts as new, and when they have not come back.
NEW_FOR_DAYS = 90
ONE_VISIT_LAPSED_AFTER_DAYS = 365
# An own rhythm needs at least two intervals; until then half a year, the usual dental and chronic-care recall.
USUAL_INTERVAL_DAYS = 180
SHORTEST_RHYTHM_DAYS = 30
LONGEST_RHYTHM_DAYS = 365

CHANNELS = ("line", "sms", "email", "wechat", "phone")
PURPOSES = (Purpose.CARE, Purpose.SURVEY, Purpose.MARKETING, Purpose.HEALTH_MARKETING)


class Reach(IntFlag):
    """What contact points a patient has, and which of them arrive (not blocked by the patient, not bounced)."""

    LINE = 1
    LINE_ARRIVES = 2
    SMS = 4
    SMS_ARRIVES = 8
    EMAIL = 16
    EMAIL_ARRIVES = 32
    WECHAT = 64
    WECHAT_ARRIVES = 128
    PHONE = 256
    PHONE_ARRIVES = 512


def consent_bit(purpose: str, channel: str) -> int:
    """Return the bit that stands for `purpose` on `channel` in `consent_given` and `consent_refused`.

    Raises:
        ValueError: not a purpose, or not a channel one can be reached on.

    >>> consent_bit("CARE", "line"), consent_bit("MARKETING", "line"), consent_bit("HEALTH_MARKETING", "phone")
    (1, 1024, 524288)
    """
    try:
        return 1 << (PURPOSES.index(Purpose(purpose)) * len(CHANNELS) + CHANNELS.index(channel))
    except ValueError:
        raise ValueError(f"no consent bit for {purpose} on {channel}") from None


def consent_mask(purpose: str) -> int:
    """Return the bits of `purpose` on every channel."""
    return sum(consent_bit(purpose, channel) for channel in CHANNELS)


def effective_consent(decisions: Iterable[tuple[str, str, str, str]]) -> tuple[int, int]:
    """Return the bits given and refused for the decisions in force: tuples of purpose, channel, decision, source.

    A refusal always wins over an agreement, and a refusal on every channel wins over an agreement on one. Who refuses
    news and offers refuses offers chosen by health data too (PDPA art. 20); agreeing to those counts in writing only
    (art. 6).

    >>> given, refused = effective_consent(
    ...     [("MARKETING", "any", "permit", "desk"), ("MARKETING", "sms", "deny", "keyword")])
    >>> bool(given & consent_bit("MARKETING", "line")), bool(given & consent_bit("MARKETING", "sms"))
    (True, False)
    >>> bool(refused & consent_bit("HEALTH_MARKETING", "sms"))
    True
    """
    permitted = denied = 0
    for purpose, channel, decision, source in decisions:
        bits = consent_mask(purpose) if channel == "any" else consent_bit(purpose, channel)
        if decision == "deny":
            denied |= bits
            if purpose == Purpose.MARKETING:
                denied |= bits << len(CHANNELS)
        elif purpose != Purpose.HEALTH_MARKETING or source in WRITTEN_SOURCES:
            permitted |= bits
    return permitted & ~denied, denied


def a_year_before(today: date) -> date:
    """Return the day on which the last twelve months begin; what happened on that day is just outside.

    >>> a_year_before(date(2026, 3, 16)), a_year_before(date(2028, 2, 29))
    (datetime.date(2025, 3, 16), datetime.date(2027, 2, 28))
    """
    try:
        return today.replace(year=today.year - 1)
    except ValueError:
        return date(today.year - 1, 2, 28)


def own_rhythm(visit_days: Iterable[date]) -> int | None:
    """Return the lower median of the days between visits, or None before the third visit day.

    Two visits on one day are one visit day here: a dentist and a hygienist do not make a rhythm of zero days.

    >>> own_rhythm([date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 1), date(2026, 5, 1)])
    31
    """
    days = sorted(set(visit_days))
    gaps = sorted((later - earlier).days for earlier, later in pairwise(days))
    return gaps[(len(gaps) - 1) // 2] if len(gaps) >= 2 else None


def patience(*, visit_days: int, rhythm: int | None) -> tuple[int, int]:
    """Return after how many days without a visit a patient is at risk, and after how many lapsed.

    Somebody who came once is new for 90 days, then at risk, and lapsed after a year. Everybody else is measured by the
    own rhythm (kept between 30 and 365 days; half a year while unknown): at risk after one and a half intervals but not
    before 60 days, lapsed after three but not before 180.

    >>> patience(visit_days=1, rhythm=None), patience(visit_days=9, rhythm=90), patience(visit_days=9, rhythm=7)
    ((90, 365), (135, 270), (60, 180))

    Source: CareLoop's own definition; after the idea of "past expected return" in RFM practice.
    """
    if visit_days <= 1:
        return NEW_FOR_DAYS, ONE_VISIT_LAPSED_AFTER_DAYS
    interval = min(max(rhythm or USUAL_INTERVAL_DAYS, SHORTEST_RHYTHM_DAYS), LONGEST_RHYTHM_DAYS)
    return max(interval * 3 // 2, 60), max(interval * 3, 180)


def stage_of(
    *, active: bool, deceased: bool, visit_days: int, last_visit: date | None, rhythm: int | None, today: date
) -> tuple[Stage, date | None]:
    """Return the life-cycle stage today, and the day on which it changes if nothing else happens.

    >>> stage_of(active=True, deceased=False, visit_days=1, last_visit=date(2026, 3, 1), rhythm=None, today=date(2026, 3, 16))
    (Stage.NEW, datetime.date(2026, 5, 31))
    """
    if deceased:
        return Stage.DECEASED, None
    if not active:
        return Stage.CLOSED, None
    if last_visit is None:
        return Stage.PROSPECT, None
    at_risk_after, lapsed_after = patience(visit_days=visit_days, rhythm=rhythm)
    away = (today - last_visit).days
    if away <= at_risk_after:
        stage = Stage.NEW if visit_days == 1 else Stage.ACTIVE
        return stage, last_visit + timedelta(days=at_risk_after + 1)
    if away <= lapsed_after:
        return Stage.AT_RISK, last_visit + timedelta(days=lapsed_after + 1)
    return Stage.LAPSED, None
