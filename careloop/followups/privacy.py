"""What follow-ups give out and erase for one patient."""

from typing import Any
from uuid import UUID

from django.utils import timezone

from careloop.followups import services
from careloop.followups.models import FollowUp


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the patient's follow-ups."""
    rows = FollowUp.objects.filter(patient_id=patient_id).order_by("created_at").values(
        "kind", "title", "script", "state", "due_at", "outcome", "outcome_note", "attempts", "origin", "created_at", "closed_at"
    )  # fmt: skip
    return {"follow_ups": [dict(row) for row in rows]}


def erase(patient_id: UUID) -> None:
    """Close what is open, and empty the words of the patient's follow-ups; that there was work, and its outcome, stays countable."""
    still_open = FollowUp.objects.filter(patient_id=patient_id, state=FollowUp.State.OPEN).values_list("id", flat=True)
    services.cancel(follow_up_ids=list(still_open), reason="inactive", now=timezone.now(), by=None)
    FollowUp.objects.filter(patient_id=patient_id).update(title="—", script="", outcome_note="")
