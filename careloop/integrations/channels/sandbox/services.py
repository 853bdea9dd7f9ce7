"""What happens on the sandbox phones: messages appear, the patient answers, the patient is erased."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from careloop.kernel.ids import uuid7
from careloop.messaging.ports import Inbound, InboundKind
from careloop.patients import sealing

from .models import SandboxDelivery

TABLE, COLUMN = "channels_sandbox_delivery", "content_sealed"

_KINDS = {
    "text": InboundKind.TEXT,
    "quick_reply": InboundKind.QUICK_REPLY,
    "button": InboundKind.POSTBACK,
    "block": InboundKind.UNFOLLOW,
    "unblock": InboundKind.FOLLOW,
}


def put_on_phones(rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Store deliveries, each key once, sealed under their patients' keys; return the keys that were new."""
    keys = [row["message_key"] for row in rows]
    before = set(SandboxDelivery.objects.filter(message_key__in=keys).values_list("message_key", flat=True))
    new = [row for row in rows if row["message_key"] not in before]
    patient_keys = sealing.create_keys([row["patient_id"] for row in new])
    SandboxDelivery.objects.bulk_create(
        [
            SandboxDelivery(
                **{name: value for name, value in row.items() if name != "content"},
                content_sealed=sealing.seal(
                    patient_keys[row["patient_id"]],
                    orjson.dumps(row["content"]).decode(),
                    table=TABLE,
                    column=COLUMN,
                    row_id=row["message_key"],
                ),
            )
            for row in new
        ],
        ignore_conflicts=True,  # another worker delivered the same key this moment
    )
    return {row["message_key"] for row in new}


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

    Args:
        kind: text, quick_reply, button, block or unblock.
        receive: `messaging.services.receive`.
        event_id: from the form, so that a double click is one answer.

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


def empty_phone(*, patient_id: UUID) -> int:
    """Erase what one patient's phone shows (erasure of the patient); return how many messages were there."""
    return SandboxDelivery.objects.filter(patient_id=patient_id).delete()[0]
