"""“Who has seen this patient” on the patient's page."""

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from careloop.audit.actions import label_of
from careloop.audit.selectors import seen_by
from careloop.kernel import sql
from careloop.patients.panels import Panel, PatientHead, register

SHOWN = 100


def render(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """The last entries of the chain that name the patient."""
    here = ZoneInfo(sql.value("select time_zone from tenancy_organization"))
    found = [
        {"at": row["recorded_at"].astimezone(here), "who": row["actor_name"] or row["actor_kind"], "what": label_of(row["action"]),
         "reason": row["reason"], "address": row["address"]}
        for row in seen_by(patient.id, limit=SHOWN)
    ]  # fmt: skip
    return "audit/_patient_panel.html", {"entries": found, "shown": SHOWN}


register(Panel("access", _("Who has seen it"), render, order=200, permission="audit.view", icon="shield-check"))
