"""What follow-ups add to the patient's page."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.followups import selectors
from careloop.patients import panels
from careloop.patients.panels import Panel, PatientHead
from careloop.web.http import clinic_zone
from careloop.web.screens.followups.views import shown


def _rows(request: HttpRequest, patient: PatientHead, limit: int) -> list[dict[str, Any]]:
    now, zone = timezone.now(), clinic_zone(request)
    return [shown(row, now, zone) for row in selectors.of_patient(patient.id, limit=limit)]


def tab(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """All follow-ups of the patient, open ones first."""
    return "followups/_patient_tab.html", {"rows": _rows(request, patient, 100)}


def next_to_do(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]] | None:
    """Open follow-ups, in the column of what to do next."""
    rows = [row for row in _rows(request, patient, 5) if row["is_open"]]
    return ("followups/_patient_next.html", {"rows": rows}) if rows else None


panels.register(Panel("tasks", _("Follow-ups"), tab, order=70, permission="followups.view", icon="checklist"))
panels.register(
    Panel(
        "tasks",
        _("Follow-ups"),
        next_to_do,
        order=10,
        permission="followups.view",
        place="next",
        icon="checklist",
        asks=True,
        shows_when="exists (select 1 from followups_follow_up f where f.patient_id = p.id and f.state = 'OPEN')",
    )
)
