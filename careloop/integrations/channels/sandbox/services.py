"""Answering as the patient, from the sandbox phone's page."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from careloop.kernel.ids import uuid7
from careloop.messaging.ports import Inbound, InboundKind

from .models import SandboxDelivery

_KINDS = {
    "text": InboundKind.TEXT,
    "quick_reply": InboundKind.QUICK_REPLY,
    "button": InboundKind.POSTBACK,
    "block": InboundKind.UNFOLLOW,
    "unblock": InboundKind.FOLLOW,
}


def answer(
    *,
    channel_id: UUID,
    patient_id: UUID,
    kind: str,
    receive: Callable[..., int],
    now: datetime,
    text: str = "",
    data: str = "",
    event_id: str = "",
) -> int:
    """Say something as the patient whose phone this is; it goes the way a real webhook's event goes.

    `receive` is `messaging.services.receive`. `event_id` (from the form) makes a double click one answer.

    Raises:
        ValueError: `kind` is not one that a phone has.
    """
    if kind not in _KINDS:
        raise ValueError("A phone cannot do that.")
    event = Inbound(
        event_id=event_id or str(uuid7()),
        kind=_KINDS[kind],
        occurred_at=now,
        patient_id=patient_id,
        text=text.replace("\x00", "")[:5000],
        data=data.replace("\x00", "")[:300],
        raw={"sandbox": True},
    )
    return receive(channel_id=channel_id, events=[event], now=now)


def take_back_phone(*, patient_id: UUID) -> int:
    """Erase what one patient's phone shows (erasure of the patient). Returns how many messages were there."""
    return SandboxDelivery.objects.filter(patient_id=patient_id).delete()[0]
