"""What LINE's answer means for us."""

from collections.abc import Mapping
from typing import Any

import orjson

from careloop.messaging.ports import ChannelError, Reason

# LINE gives no Retry-After; limits are counted per second, so a short rest is enough (channels.md).
RATE_SECONDS = 1.0


def error_from(status: int, body: bytes, headers: Mapping[str, str]) -> ChannelError:
    """Translate a refusal. 2xx and 409 (already accepted) are no errors and do not come here.

    429 means two things that only the text tells apart: too fast, or the month's messages are used up.
    """
    text, properties = _explanation(body)
    words = f"LINE {status}: {text[:160]}" + (f" ({', '.join(properties)})" if properties else "")
    if status == 429:
        if "monthly limit" in text.lower():
            return ChannelError(words, retry=False, reason=Reason.QUOTA)
        return ChannelError(words, retry=True, reason=Reason.RATE, retry_after=_seconds(headers))
    if status in (401, 403):
        return ChannelError(words, retry=False, reason=Reason.AUTH)
    if status == 413:
        return ChannelError(words, retry=False, reason=Reason.TOO_LONG)
    if status >= 500 or status == 408:
        return ChannelError(words, retry=True, reason=Reason.UNAVAILABLE, retry_after=RATE_SECONDS)
    if status == 404 or "to" in properties or "'to'" in text:
        return ChannelError(words, retry=False, reason=Reason.BAD_ADDRESS)
    return ChannelError(words, retry=False, reason=Reason.REFUSED)


def _explanation(body: bytes) -> tuple[str, list[str]]:
    """The message and the names of the properties it is about. Values are left out: they may be a
    patient's.
    """
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", []
    if not isinstance(answer, dict):
        return "", []
    details = answer.get("details") or []
    names = [str(item.get("property", ""))[:60] for item in details if isinstance(item, dict)]
    return str(answer.get("message", "")), [name for name in names if name][:5]


def _seconds(headers: Mapping[str, str]) -> float:
    try:
        return max(0.1, float(headers.get("retry-after", RATE_SECONDS)))
    except ValueError:
        return RATE_SECONDS
