"""What journeys add to the patient's page."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from careloop.journeys import selectors
from careloop.patients import panels
from careloop.patients.panels import Panel, PatientHead
from careloop.web.screens.journeys.enrollments import shown


def tab(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """All journeys of the patient, present ones first."""
    return "journeys/_patient_tab.html", {"rows": [shown(row) for row in selectors.of_patient(patient.id)]}


def now_on(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]] | None:
    """The journeys the patient is on now, on the first tab."""
    rows = [shown(row) for row in selectors.of_patient(patient.id, limit=5) if row["state"] == "ACTIVE"]
    return ("journeys/_patient_overview.html", {"rows": rows}) if rows else None


panels.register(Panel("journeys", _("Care journeys"), tab, order=75, permission="journeys.view", icon="route"))
panels.register(
    Panel(
        "journeys",
        _("Care journeys"),
        now_on,
        order=75,
        permission="journeys.view",
        place="overview",
        icon="route",
        shows_when="exists (select 1 from journeys_enrollment e where e.patient_id = p.id and e.state = 'ACTIVE')",
    )
)
