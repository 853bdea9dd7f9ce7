"""LINE's webhook: the signature over the raw bytes, then events in our words.

Tolerant by rule: LINE adds event types and fields at any time, and a body is never half refused because of
one event.
"""

import hashlib
import hmac
import logging
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from careloop.messaging.ports import Inbound, InboundKind, MalformedWebhook

log = logging.getLogger(__name__)

SIGNATURE = "x-line-signature"


def signature(secret: str, body: bytes) -> str:
    """Return Base64(HMAC-SHA256(channel secret, raw body)).

    >>> signature("channel_secret", b"bodybodybodybody")
    '/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k='
    """
    return b64encode(hmac.digest(secret.encode("utf-8"), body, hashlib.sha256)).decode("ascii")


class LineWebhook:
    """Fulfils `Webhook` for one channel."""

    def __init__(self, channel_secret: str, *, bot_user_id: str = "") -> None:
        self._secret = channel_secret
        self._bot = bot_user_id

    def verify(self, body: bytes, headers: Mapping[str, str]) -> bool:
        given = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
        expected = signature(self._secret, body)
        # As bytes: compare_digest refuses to compare text that is not ASCII.
        return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("ascii"))

    def parse(self, body: bytes) -> list[Inbound]:
        try:
            webhook = orjson.loads(body)
            events = webhook["events"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise MalformedWebhook("The body is not a LINE webhook.") from None
        if not isinstance(events, list):
            raise MalformedWebhook("The body is not a LINE webhook.")
        if self._bot and webhook.get("destination") != self._bot:
            # Well signed, but meant for another account: not ours to attribute. Answered 200, or LINE
            # repeats it.
            log.warning("LINE webhook for another destination: %d events left alone", len(events))
            return []
        found = (_event(event) for event in events if isinstance(event, dict))
        # Order by time, not by position: a redelivered or late event comes anywhere.
        return sorted((event for event in found if event is not None), key=lambda event: event.occurred_at)


def _event(event: dict[str, Any]) -> Inbound | None:
    """Translate one event; None for one that another module channel answers (standby)."""
    if event.get("mode") == "standby":
        return None
    source = _dict(event, "source")
    kind, text, data, raw, provider_message_id = _what(event)
    address = _text(source, "userId")
    if source.get("type") in ("group", "room"):
        # Said among others, not to the clinic: nothing of it is kept.
        kind, text, data, address = InboundKind.UNKNOWN, "", "", ""
        raw = {"type": _text(event, "type"), "source": _text(source, "type")}
    return Inbound(
        event_id=_event_id(event),
        kind=kind,
        occurred_at=_time(event.get("timestamp")),
        address=address,
        text=text,
        data=data,
        provider_message_id=provider_message_id,
        reply_token=_text(event, "replyToken"),
        redelivery=_dict(event, "deliveryContext").get("isRedelivery") is True,
        raw=raw,
    )


def _what(event: dict[str, Any]) -> tuple[InboundKind, str, str, dict[str, Any], str]:
    """Kind, text, data, what else later work needs, and LINE's id of the message."""
    kind = _text(event, "type")
    if kind == "message":
        return _message(_dict(event, "message"))
    if kind == "postback":
        postback = _dict(event, "postback")
        raw = {"params": dict(_dict(postback, "params"))} if "params" in postback else {}
        return InboundKind.POSTBACK, "", _text(postback, "data"), raw, ""
    if kind == "follow":
        unblocked = _dict(event, "follow").get("isUnblocked") is True
        return InboundKind.FOLLOW, "", "", {"unblocked": unblocked}, ""
    if kind == "unfollow":
        return InboundKind.UNFOLLOW, "", "", {}, ""
    if kind == "unsend":
        taken_back = _text(_dict(event, "unsend"), "messageId")
        return InboundKind.UNSEND, "", taken_back, {}, taken_back
    if kind == "accountLink":
        link = _dict(event, "link")
        return InboundKind.ACCOUNT_LINK, _text(link, "result"), _text(link, "nonce"), {}, ""
    if kind == "delivery":
        return InboundKind.DELIVERY, "", _text(_dict(event, "delivery"), "data"), {}, ""
    return InboundKind.UNKNOWN, "", "", {"type": kind[:60]}, ""


def _message(message: dict[str, Any]) -> tuple[InboundKind, str, str, dict[str, Any], str]:
    kind, message_id = _text(message, "type"), _text(message, "id")
    if kind == "text":
        raw = {"quoted": message["quotedMessageId"]} if message.get("quotedMessageId") else {}
        return InboundKind.TEXT, _text(message, "text"), "", raw, message_id
    if kind in ("image", "video", "audio", "file", "location", "sticker"):
        raw = {name: message[name] for name in ("packageId", "stickerId", "fileName", "duration") if name in message}
        return InboundKind.MEDIA, "", kind, raw, message_id
    return InboundKind.UNKNOWN, "", "", {"type": "message", "message": kind[:60]}, message_id


def _dict(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    # NUL cannot be stored in PostgreSQL, and nobody types it.
    return value.replace("\x00", "") if isinstance(value, str) else ""


def _time(milliseconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _event_id(event: dict[str, Any]) -> str:
    """LINE's id of the event; one without a usable id gets one that is the same at redelivery."""
    given = _text(event, "webhookEventId")
    if 0 < len(given) <= 100:
        return given
    stable = {name: value for name, value in event.items() if name != "deliveryContext"}
    return hashlib.sha256(orjson.dumps(stable, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
