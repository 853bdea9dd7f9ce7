"""LINE as messaging knows it: what it can, what it asks for, how it is opened.

The adapter is loaded when a channel is opened: its HTTP libraries are ten megabytes that a web process seldom needs.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from careloop.messaging.ports import Capabilities, Channel, ChannelKind, Cost, SettingField, Unit

from .messages import BUTTONS, QUICK_REPLIES, TEXT_LIMIT
from .webhook import LineWebhook

CAPABILITIES = Capabilities(
    text_limit=TEXT_LIMIT,
    text_unit=Unit.UTF16,
    quick_replies_max=QUICK_REPLIES,
    buttons_max=BUTTONS,
    two_way=True,
    deduplicates=True,
    deduplicates_for_hours=24,
    cost=Cost.QUOTA,
)


def open_channel(settings: Mapping[str, Any]) -> Channel:
    """Open the channel described by its stored settings. The host is the installation's, not the clinic's."""
    from .adapter import LineChannel

    return LineChannel(
        access_token=settings["access_token"].strip(),
        host=settings.get("host") or _installation_host(),
        connections=int(settings.get("connections") or 16),
        timeout=float(settings.get("timeout_seconds") or 10),
    )


def _installation_host() -> str:
    from django.conf import settings

    return str(getattr(settings, "CARELOOP_LINE_API", "https://api.line.me"))


def open_webhook(settings: Mapping[str, Any]) -> LineWebhook:
    return LineWebhook(settings["channel_secret"], bot_user_id=settings.get("bot_user_id", ""))


KIND = ChannelKind(
    kind="line",
    label=_("LINE official account"),
    capabilities=CAPABILITIES,
    open=open_channel,
    webhook=open_webhook,
    fields=(
        SettingField(
            "access_token",
            _("Channel access token"),
            secret=True,
            help=_("LINE Developers console, Messaging API tab, long-lived token"),
        ),
        SettingField(
            "channel_secret",
            _("Channel secret"),
            secret=True,
            help=_("LINE Developers console, Basic settings tab; proves that a webhook comes from LINE"),
        ),
        SettingField(
            "bot_user_id",
            _("User id of the account itself"),
            required=False,
            help=_("Found by the connection check; events for another account are then left alone"),
        ),
        SettingField(
            "login_channel_id",
            _("LINE Login channel id"),
            required=False,
            help=_("Lets patients sign in with LINE; a LINE Login channel of the same provider"),
        ),
        SettingField(
            "login_channel_secret",
            _("LINE Login channel secret"),
            secret=True,
            required=False,
            help=_("LINE Developers console, Basic settings tab of the LINE Login channel"),
        ),
    ),
)
