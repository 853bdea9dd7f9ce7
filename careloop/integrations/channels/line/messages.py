"""Our message as LINE message objects (Messaging API, official OpenAPI description of 2026-07).

Text stays text. Two buttons under a short text become LINE's own confirm template; other buttons and links
a Flex bubble. Quick replies hang on the last object, as LINE wants it.
"""

from functools import lru_cache
from typing import Any

from careloop.messaging.ports import Button, ChannelError, Link, Outgoing, QuickReply, Reason

TEXT_LIMIT = 5000  # UTF-16 units
QUICK_REPLIES = 13
BUTTONS = 10  # ours: a bubble with more is no longer a message
LABEL = 20  # UTF-16 units; the same for quick replies, templates and URI actions
CONFIRM_TEXT = 240
ALT_TEXT = 400
DATA = 300
URI = 1000


def shorten(text: str, limit: int) -> str:
    """Cut to `limit` UTF-16 units, with an ellipsis, never through a character.

    >>> shorten("請選擇方便的時間", 5)
    '請選擇方…'
    >>> shorten("😀😀😀", 4)
    '😀…'
    """
    if len(text) * 2 <= limit or _units(text) <= limit:
        return text
    kept, used = [], 0
    for character in text:
        used += 2 if character > "\uffff" else 1
        if used > limit - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def objects(message: Outgoing) -> list[dict[str, Any]]:
    """Return the message objects of one push (one object; LINE allows five and counts them as one).

    Raises:
        ChannelError: an action cannot be expressed (data over 300, address over 1,000 or not http(s)/tel).
    """
    taps: list[Button | Link] = [*message.buttons, *message.links]
    actions = [_button(item) for item in taps]
    body: dict[str, Any]
    if not actions:
        body = {"type": "text", "text": message.text}
    elif len(actions) == 2 and not message.links and _units(message.text) <= CONFIRM_TEXT:
        template = {"type": "confirm", "text": message.text, "actions": actions}
        body = {"type": "template", "altText": shorten(message.text, ALT_TEXT), "template": template}
    else:
        body = {
            "type": "flex",
            "altText": shorten(message.text, ALT_TEXT),
            "contents": _bubble(message, actions),
        }
    if message.quick_replies:
        items = [{"type": "action", "action": _quick_reply(item)} for item in message.quick_replies]
        body["quickReply"] = {"items": items}
    return [body]


def _bubble(message: Outgoing, actions: list[dict[str, Any]]) -> dict[str, Any]:
    buttons = [
        {
            "type": "button",
            "style": "primary" if at == 0 and message.buttons else "secondary",
            "height": "sm",
            "action": action,
        }
        for at, action in enumerate(actions)
    ]
    return {
        "type": "bubble",
        "body": {
            "type": "box",
            "layout": "vertical",
            "contents": [{"type": "text", "text": message.text, "wrap": True}],
        },
        "footer": {"type": "box", "layout": "vertical", "spacing": "sm", "contents": buttons},
    }


_shortened = lru_cache(maxsize=1024)(shorten)  # labels: a template's, the same for thousands


def _quick_reply(item: QuickReply) -> dict[str, Any]:
    label, said = _shortened(item.label, LABEL), _shortened(item.text or item.label, DATA)
    if item.data:
        return {"type": "postback", "label": label, "data": _data(item.data), "displayText": said}
    return {"type": "message", "label": label, "text": said}


def _button(item: Button | Link) -> dict[str, Any]:
    label = _shortened(item.label, LABEL)
    if item.url:
        if len(item.url) > URI or not item.url.startswith(("https://", "http://", "tel:")):
            raise ChannelError(
                "A link is too long or of a kind LINE does not open.", retry=False, reason=Reason.REFUSED
            )
        return {"type": "uri", "label": label, "uri": item.url}
    if isinstance(item, Button) and item.data:
        return {
            "type": "postback",
            "label": label,
            "data": _data(item.data),
            "displayText": _shortened(item.label, DATA),
        }
    raise ChannelError("A button leads nowhere.", retry=False, reason=Reason.REFUSED)


def _data(data: str) -> str:
    if _units(data) > DATA:
        raise ChannelError("The data of an action are too long.", retry=False, reason=Reason.TOO_LONG)
    return data
