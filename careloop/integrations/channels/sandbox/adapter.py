"""Delivers to the sandbox phone. It can do exactly what the channel it plays can do, no more."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from careloop.integrations.channels.line.kind import CAPABILITIES as LINE
from careloop.integrations.channels.smtp.adapter import CAPABILITIES as EMAIL
from careloop.messaging.ports import (
    Capabilities,
    ChannelError,
    ChannelKind,
    Check,
    Cost,
    Outgoing,
    Reason,
    Result,
    Sent,
    SettingField,
    Unit,
    refusal,
)
from careloop.tenancy.context import in_organization

# As one long SMS of five UCS-2 parts: 5 × 67 (channels.md, SMS).
SMS = Capabilities(text_limit=335, text_unit=Unit.UTF16, two_way=True, cost=Cost.PER_PART)

PLAYS: dict[str, Capabilities] = {
    # The phone deduplicates by key whatever it plays: its table has the key unique.
    "line": replace(LINE, cost=Cost.FREE),
    "sms": replace(SMS, cost=Cost.FREE, deduplicates=True, deduplicates_for_hours=24 * 365),
    "email": replace(EMAIL, two_way=True, quick_replies_max=13, deduplicates=True, deduplicates_for_hours=24 * 365),
}

Row = dict[str, Any]
# Stores rows that are not there yet and returns the keys that were new. Replaceable so that the adapter is
# testable without a database.
Deliver = Callable[[UUID, Sequence[Row]], set[UUID]]


class SandboxChannel:
    """Fulfils `Channel`."""

    kind = "sandbox"

    def __init__(self, *, organization_id: UUID, channel_id: UUID, plays: str, deliver: Deliver) -> None:
        self.plays = plays
        self.capabilities = PLAYS[plays]
        self._organization_id = organization_id
        self._channel_id = channel_id
        self._deliver = deliver

    async def send_many(self, messages: Sequence[Outgoing]) -> list[Result]:
        now = datetime.now(UTC)
        results: list[Result | None] = [self._refusal(message) for message in messages]
        rows = [self._row(message, now) for message, refused in zip(messages, results, strict=True) if refused is None]
        if not rows:
            return [result for result in results if result is not None]
        # A thread, because Django's database layer does not work inside an event loop.
        new = await asyncio.to_thread(self._deliver, self._organization_id, rows)
        return [
            result or Sent(f"sandbox-{message.key.hex}", now, repeated=message.key not in new)
            for message, result in zip(messages, results, strict=True)
        ]

    async def check(self) -> Check:
        return Check(True, _("The sandbox phone is always there; nothing leaves this machine."))

    async def close(self) -> None:
        """Nothing is kept open."""

    def _refusal(self, message: Outgoing) -> Result | None:
        if error := refusal(self.capabilities, message):
            return error
        if (
            message.patient_id is None
            or not message.to.strip()
            or any(character in message.to for character in "\r\n\x00")
        ):
            return ChannelError("There is no such phone.", retry=False, reason=Reason.BAD_ADDRESS)
        if "\x00" in message.text or any(character in message.subject for character in "\r\n\x00"):
            return ChannelError("The message holds a control character.", retry=False, reason=Reason.REFUSED)
        if self.plays == "email" and message.message_class == "MARKETING" and not message.unsubscribe_url:
            return ChannelError(
                "A marketing e-mail needs a one-click unsubscribe address.",
                retry=False,
                reason=Reason.REFUSED,
            )
        return None

    def _row(self, message: Outgoing, now: datetime) -> Row:
        return {
            "channel_id": self._channel_id,
            "message_key": message.key,
            "patient_id": message.patient_id,
            "plays": self.plays,
            "content": {
                "subject": message.subject if self.capabilities.subject else "",
                "text": message.text,
                "quick_replies": [asdict(item) for item in message.quick_replies],
                "buttons": [asdict(item) for item in message.buttons],
                "links": [asdict(item) for item in message.links],
                "unsubscribe_url": message.unsubscribe_url,
            },
            "message_class": message.message_class,
            "language": message.language,
            "delivered_at": now,
        }


def deliver(organization_id: UUID, rows: Sequence[Row]) -> set[UUID]:
    """Put messages on the phones in a transaction of its own; return the keys that were new."""
    from .services import put_on_phones

    try:
        with in_organization(organization_id):
            return put_on_phones(rows)
    finally:
        if not connection.in_atomic_block:
            connection.close()  # this thread's own; back to the pool


def open_channel(settings: Mapping[str, Any]) -> SandboxChannel:
    """Open the phone network of one organization.

    Raises:
        ValueError: `plays` is none of line, sms, email.
    """
    plays = settings.get("plays") or "line"
    if plays not in PLAYS:
        raise ValueError("plays must be line, sms or email.")
    return SandboxChannel(
        organization_id=UUID(str(settings["organization_id"])),
        channel_id=UUID(str(settings["channel_id"])),
        plays=plays,
        deliver=deliver,
    )


KIND = ChannelKind(
    kind="sandbox",
    label=_("Sandbox phone (demo)"),
    capabilities=PLAYS["line"],
    open=open_channel,
    capabilities_for=lambda settings: PLAYS[settings.get("plays") or "line"],
    fields=(
        SettingField(
            "plays",
            _("Plays the part of"),
            type="choice",
            default="line",
            choices=(("line", _("LINE")), ("sms", _("SMS")), ("email", _("E-mail"))),
        ),
    ),
)
