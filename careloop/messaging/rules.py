"""When a message may go, by which way, and what to do when it did not. Pure: no clock, no database.

The set-wise checks in `planning.py` and `dispatch.py` are these rules in SQL; tests hold them together.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from careloop.consent.selectors import NEEDS_PERMIT, PURPOSE_OF

CHANNEL_ORDER = ("line", "sms", "email")
"""Which channel is tried first when the patient has no wish: what costs least and is read soonest."""

SYSTEM_OF = {"line": "line", "sms": "phone", "email": "email"}
"""The sort of contact point that a channel needs."""

MARKETING_CAP_DAYS = 30


def consent_reason(message_class: str, channel: str, *, permits: Sequence[str], denials: Sequence[str]) -> str:
    """Return why the patient's decisions stop this message on this channel; empty when they do not.

    Args:
        message_class: OPERATIONAL, CARE, EDUCATION, SURVEY or MARKETING.
        channel: line, sms or email.
        permits: channels ("any" included) for which the patient agreed to the class's purpose.
        denials: the same for refusals; a refusal always wins.

    Source: PDPA art. 7, 20; rules P3, P5; `consent.selectors.allowed_sql` is the same in SQL.

    >>> consent_reason("MARKETING", "line", permits=["any"], denials=["sms"])
    ''
    >>> consent_reason("MARKETING", "sms", permits=["any"], denials=["sms"])
    'consent_refused'
    >>> consent_reason("MARKETING", "line", permits=[], denials=[])
    'consent_missing'
    >>> consent_reason("CARE", "line", permits=[], denials=[])
    ''
    """
    if channel in denials or "any" in denials:
        return "consent_refused"
    if PURPOSE_OF[message_class] in NEEDS_PERMIT and channel not in permits and "any" not in permits:
        return "consent_missing"
    return ""


RETRY_MINUTES = (1, 5, 30, 120, 360)
"""How long a message that could not be handed over waits before the next try; after the last it has failed."""


def next_try(attempts: int, *, now: datetime, retry_after_seconds: float | None = None) -> datetime | None:
    """Return when to try again after `attempts` tries, or None when it was tried often enough.

    >>> next_try(1, now=datetime(2026, 3, 16, 10, 0)).minute
    1
    >>> next_try(6, now=datetime(2026, 3, 16, 10, 0)) is None
    True
    """
    if attempts > len(RETRY_MINUTES):
        return None
    pause = timedelta(minutes=RETRY_MINUTES[max(attempts, 1) - 1])
    if retry_after_seconds is not None:
        pause = max(pause, timedelta(seconds=retry_after_seconds))
    return now + pause


UNKNOWN_IS_LEFT = {"OPERATIONAL": False, "CARE": False, "EDUCATION": True, "SURVEY": True, "MARKETING": True}
"""Whether a message of which nobody knows if it arrived is settled by itself after a day as "leave it".

A second copy of an offer or a survey annoys; a missing reminder may harm. So marketing, surveys and education are left,
and operational and care messages stay on the list until a person decides.
"""
UNKNOWN_SETTLED_AFTER = timedelta(hours=24)


def spoken_language(language: str, *, default: str) -> str:
    """Return which of our languages a patient's language code means.

    >>> [spoken_language(code, default="zh-hant") for code in ("zh-TW", "zh-CN", "en-GB", "vi", "")]
    ['zh-hant', 'zh-hans', 'en', 'zh-hant', 'zh-hant']
    """
    code = language.lower().replace("_", "-")
    if code.startswith("en"):
        return "en"
    if code.startswith(("zh-hans", "zh-cn", "zh-sg")):
        return "zh-hans"
    if code.startswith("zh"):
        return "zh-hant"
    return default


def sms_parts(text: str) -> int:
    """Return how many SMS a text takes: 160 GSM-7 characters or 70 UCS-2 units in one, 153 or 67 in each of several.

    Source: channels.md, SMS (vectors 70 → 1, 71 → 2, 134 → 2, 135 → 3).

    >>> [sms_parts("牙" * n) for n in (70, 71, 134, 135)], [sms_parts("a" * n) for n in (160, 161, 306, 307)]
    ([1, 2, 2, 3], [1, 2, 2, 3])
    """
    if all(char in GSM_7 for char in text):
        units, one, part = sum(2 if char in GSM_EXTENSION else 1 for char in text), 160, 153
    else:
        units, one, part = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if units <= one else -(-units // part)


GSM_EXTENSION = frozenset("^{}[]~|\\€\f")
GSM_7 = (
    frozenset(
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
        "¿abcdefghijklmnopqrstuvwxyzäöñüà"
    )
    | GSM_EXTENSION
)
