"""What journeys give out and erase for one patient."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from careloop.journeys import leaving
from careloop.journeys.models import Enrollment
from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the patient's journeys with every step."""
    journeys = Enrollment.objects.filter(patient_id=patient_id).order_by("entered_at").values(
        "id", "journey__name", "state", "held_out", "entered_at", "entered_because", "exited_at", "exit_reason", "answer",
        "messaged_at", "answered_at", "visited_at", "goal_at",
    )  # fmt: skip
    steps = sql.rows(
        """select s.enrollment_id, s.step, s.what, s.reason, s.at from journeys_enrollment_step s
             join journeys_enrollment e on e.id = s.enrollment_id where e.patient_id = %s order by s.enrollment_id, s.number""",
        [patient_id],
    )
    return {
        "journeys": [
            {**row, "steps": [step for step in steps if step["enrollment_id"] == row["id"]]}
            for row in map(dict, journeys)
        ]
    }


def erase(patient_id: UUID, *, now: datetime | None = None) -> None:
    """Take the patient out of every journey and forget what started them and what was answered; counts stay."""
    active = Enrollment.objects.filter(patient_id=patient_id, state=Enrollment.State.ACTIVE).values_list(
        "id", flat=True
    )
    leaving.leave(list(active), reason="inactive", now=now or timezone.now())
    Enrollment.objects.filter(patient_id=patient_id).update(context={}, answer="", new_answer="")
