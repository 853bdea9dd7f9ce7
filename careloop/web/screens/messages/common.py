"""What all messages' screens share: tabs, and the words and colours of states."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.messaging import channels
from careloop.messaging.models import Message

TONES = {
    "planned": "info", "due": "info", "claimed": "info", "accepted": "success", "failed": "danger", "unknown": "warning",
    "cancelled": "neutral", "blocked": "neutral",
}  # fmt: skip
CHANNEL_ICONS = {"line": "brand-line", "sms": "device-mobile", "email": "mail"}
CHANNEL_NAMES: dict[str, str | Promise] = {"line": "LINE", "sms": _("SMS"), "email": _("E-mail")}


def channel_name(channel: str) -> str | Promise:
    return CHANNEL_NAMES.get(channel, "–")


def state_label(state: str) -> str | Promise:
    return Message.State(state).label


def tabs(request: HttpRequest, current: str, *, unread: int = 0) -> list[dict[str, Any]]:
    """Return the tabs above the messages' pages."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = [
        {"label": _("Messages"), "url": reverse("messaging:list"), "is_current": current == "list"},
        {
            "label": _("Answers"),
            "url": reverse("messaging:answers"),
            "is_current": current == "answers",
            "count": unread,
        },
        {"label": _("Templates"), "url": reverse("messaging:templates"), "is_current": current == "templates"},
    ]
    if channels.sandbox_accounts() and member.can("messages.view"):
        found.append(
            {"label": _("Sandbox phones"), "url": reverse("messaging:phones"), "is_current": current == "phones"}
        )
    return found
