"""LINE Messaging API: push out, webhook in."""

from .kind import CAPABILITIES, KIND, open_channel, open_webhook
from .webhook import LineWebhook, signature

__all__ = ["CAPABILITIES", "KIND", "LineWebhook", "open_channel", "open_webhook", "signature"]
