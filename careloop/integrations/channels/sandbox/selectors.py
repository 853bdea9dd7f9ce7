"""What a sandbox phone shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Max

from careloop.patients import sealing

from .models import SandboxDelivery
from .services import COLUMN, TABLE


@dataclass(frozen=True, slots=True)
class Shown:
    """One message on a phone, opened."""

    id: int
    channel_id: UUID
    message_key: UUID
    patient_id: UUID
    plays: str
    message_class: str
    language: str
    delivered_at: datetime
    subject: str
    text: str
    quick_replies: Sequence[dict[str, Any]]
    buttons: Sequence[dict[str, Any]]
    links: Sequence[dict[str, Any]]
    unsubscribe_url: str


def phone(patient_id: UUID, *, limit: int = 50) -> list[Shown]:
    """Return what one patient's phone shows, the newest first. Empty after the patient was erased."""
    key = sealing.load_keys([patient_id]).get(patient_id)
    if key is None:
        return []  # destroyed with the patient
    shown = []
    for row in SandboxDelivery.objects.on_phone_of(patient_id)[:limit]:
        text = sealing.unseal(key, bytes(row.content_sealed), table=TABLE, column=COLUMN, row_id=row.message_key)
        shown.append(
            Shown(
                id=row.pk, channel_id=row.channel_id, message_key=row.message_key, patient_id=row.patient_id,
                plays=row.plays, message_class=row.message_class, language=row.language,
                delivered_at=row.delivered_at, **orjson.loads(text),
            )
        )  # fmt: skip
    return shown


def patients_with_phones(*, limit: int = 200) -> list[UUID]:
    """Return the patients whose phones have messages, the latest first."""
    return list(
        SandboxDelivery.objects.values("patient_id")
        .annotate(latest=Max("delivered_at"))
        .order_by("-latest")
        .values_list("patient_id", flat=True)[:limit]
    )
