"""The visit a message speaks of, as a file for the patient's calendar."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from careloop.accounts.access import public
from careloop.audit import services as audit
from careloop.integrations.icalendar import invitation as writing
from careloop.messaging.models import Message
from careloop.portal import visiting
from careloop.portal.doors import opened
from careloop.portal.entering import for_patients
from careloop.portal.recognizing import Visitor
from careloop.portal.views import BY_WHAT, _gone
from careloop.reminders.pages import visit_of
from careloop.scheduling.models import Appointment


@public(BY_WHAT)
@never_cache
@require_safe
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Give the visit as it is now: a calendar that has it already moves it, or takes it out when it was called off."""
    now = timezone.now()
    with opened(token, now=now) as door:
        found = appointment_of(door.message, now=now) if door is not None else None
        if door is None or found is None:
            return _gone(request)
        response = _file(found, language=door.message.language)
        audit.record(
            "invitation.fetched", patients=[door.message.patient_id], target=("appointment", found.pk), now=now
        )
    return response


@for_patients
@require_GET
def of_visit(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """Give one of the patient's own visits, from the signed-in pages."""
    shown = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=ZoneInfo(visitor.clinic.time_zone))
    found = Appointment.objects.select_related("practitioner", "location").get(pk=shown["id"])
    audit.record("invitation.fetched", patients=[visitor.patient_id], target=("appointment", found.pk), now=visitor.now)
    return _file(found, language=translation.get_language() or "")


def _file(found: Appointment, *, language: str) -> HttpResponse:
    file = writing.invitation(found, language=language)
    response = HttpResponse(file, content_type=f"text/calendar; charset=utf-8; method={writing.method(found)}")
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response


def appointment_of(message: Message, *, now: datetime) -> Appointment | None:
    """Return the visit a message speaks of: the one booked instead, if the patient chose a new time on its page."""
    shown = visit_of(message, now=now)
    if shown is None or shown.patient_id != message.patient_id:
        return None
    return Appointment.objects.select_related("practitioner", "location").get(pk=shown.id)
