"""What segments give out and erase for one patient."""

from typing import Any
from uuid import UUID

from careloop.segments.models import Member


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the groups the patient is counted in at the moment, and since when."""
    rows = Member.objects.filter(patient_id=patient_id).order_by("entered_at").values("segment__name", "entered_at")
    return {"segments": [dict(row) for row in rows]}


def erase(patient_id: UUID) -> None:
    """Take the patient out of every group. The reader of the log would do so too, as the record is closed."""
    Member.objects.filter(patient_id=patient_id).delete()
