"""Connecting LINE at the desk: a code on the screen that the patient opens with their own phone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.integrations.channels.line.login import is_set_up
from careloop.messaging.links import base_url
from careloop.patients import inviting
from careloop.patients.models import ContactPoint, Patient
from careloop.waitingroom import qr
from careloop.web.http import clinic_zone, respond


@requires("patients.edit")
def line(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Say what will happen; a POST shows a new code, good once and for ten minutes."""
    member: Any = request.member  # type: ignore[attr-defined]
    patient = Patient.objects.filter(pk=patient_id, merged_into=None).first()
    if patient is None:
        raise Http404
    now, code, until, ready = timezone.now(), None, None, is_set_up()
    if request.method == "POST" and ready:
        token = inviting.invite(patient_id=patient_id, now=now, by=member.user_id)
        # written out, because web and portal do not know each other
        code = qr.svg(f"{base_url()}/p/{organizations.current().slug}/line/{token}/", title=_("Code to connect LINE"))
        until = (now + timedelta(seconds=inviting.VALID_SECONDS)).astimezone(clinic_zone(request))
    audit.record("patient.viewed", patients=[patient_id], details={"tab": "line"}, now=now)
    context = {
        "patient": patient, "code": code, "until": until, "is_set_up": ready, "may_set_up": member.can("settings.channels"),
        "connected": ContactPoint.objects.filter(patient_id=patient_id, system="line", verified_at__isnull=False).exists(),
        "back": reverse("patients:page", args=[patient_id]),
    }  # fmt: skip
    response = respond(request, "patients/connect_line.html", context)
    response["Cache-Control"] = "private, no-store"
    return response
