"""What the channels hold about one person: only what the sandbox phone shows."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from .sandbox import selectors, services


def export(patient_id: UUID) -> dict[str, Any]:
    """Return everything this slice holds about the patient, in clear."""
    return {"sandbox_phone": [asdict(shown) for shown in selectors.phone(patient_id, limit=10_000)]}


def erase(patient_id: UUID) -> None:
    """Remove everything this slice holds about the patient."""
    services.empty_phone(patient_id=patient_id)
