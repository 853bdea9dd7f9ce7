"""LINE Messaging API: push out, webhook in."""

from .adapter import CAPABILITIES, KIND, LineChannel, open_channel, open_webhook
from .webhook import LineWebhook, signature

__all__ = ["CAPABILITIES", "KIND", "LineChannel", "LineWebhook", "open_channel", "open_webhook", "signature"]
