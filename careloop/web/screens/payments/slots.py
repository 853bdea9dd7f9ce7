"""What payments add to the patient's page and to the settings."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.patients import panels
from careloop.patients.panels import Panel, PatientHead
from careloop.payments import selectors
from careloop.web.http import clinic_zone
from careloop.web.screens.payments.common import new_url, shown
from careloop.web.screens.settings.home import Card, register


def _rows(request: HttpRequest, patient: PatientHead) -> list[dict[str, Any]]:
    now, zone = timezone.now(), clinic_zone(request)
    return [shown(row, zone, now=now) for row in selectors.of_patient(patient.id)]


def tab(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """All payments of the patient, the latest first."""
    url = new_url(patient_id=patient.id) if patient.active and not patient.deceased else ""
    return "payments/_patient_tab.html", {"rows": _rows(request, patient), "new_url": url}


def owed(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]] | None:
    """What is not paid yet, in the column of what to do next."""
    rows = [row for row in _rows(request, patient) if row["is_open"]]
    return ("payments/_patient_next.html", {"rows": rows}) if rows else None


panels.register(
    Panel(
        "payments",
        pgettext_lazy("patient page", "Payments"),
        tab,
        order=45,
        permission="payments.manage",
        icon="credit-card",
    )
)
panels.register(
    Panel(
        "payments",
        _("To pay"),
        owed,
        order=8,
        permission="payments.manage",
        place="next",
        icon="credit-card",
        asks=True,
        shows_when="exists (select 1 from payments_payment y where y.patient_id = p.id and y.state in ('REQUESTED', 'STARTED', 'FAILED'))",
    )
)
register(
    Card(
        "outside",
        _("Payment providers"),
        _("Where patients pay: ECPay, or a sandbox to try it."),
        "payments:accounts",
        "credit-card",
        ("settings.payments",),
    )
)
