"""E-mail over SMTP."""

from .adapter import CAPABILITIES, KIND, SmtpChannel, open_channel

__all__ = ["CAPABILITIES", "KIND", "SmtpChannel", "open_channel"]
