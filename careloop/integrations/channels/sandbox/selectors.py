"""What a sandbox phone shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max

from careloop.kernel import vault
from careloop.messaging import sealing

from .models import SandboxDelivery
from .services import PLACE


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
    rows = list(SandboxDelivery.objects.on_phone_of(patient_id)[:limit])
    if not rows:
        return []
    key = sealing.keys_of([patient_id])[patient_id]
    shown = []
    for row in rows:
        try:
            content = sealing.open_under(key, f"{PLACE}.{row.message_key}", bytes(row.content_sealed))
        except vault.VaultError:
            continue  # sealed under a key that was destroyed
        shown.append(
            Shown(
                id=row.pk, channel_id=row.channel_id, message_key=row.message_key, patient_id=row.patient_id,
                plays=row.plays, message_class=row.message_class, language=row.language,
                delivered_at=row.delivered_at, **content,
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
