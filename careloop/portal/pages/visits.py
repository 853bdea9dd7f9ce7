"""My visits: what is coming with confirm, move and cancel as far as the service's rules allow; what was."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.portal import booking as bookings
from careloop.portal import owing, visiting, waiting
from careloop.portal.entering import for_patients, show
from careloop.portal.forms import CancelForm
from careloop.portal.pages.book import picker, read_wanted, shown_place, zone_of
from careloop.portal.recognizing import Visitor
from careloop.scheduling import rules as scheduling_rules
from careloop.scheduling import services as scheduling
from careloop.scheduling.models import Service
from careloop.scheduling.places import rules_of


@for_patients
@require_GET
def visits(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What is coming and what was."""
    zone = zone_of(visitor)
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "visits"}, now=visitor.now)
    context = {
        "wishes": waiting.shown(visitor.patient_id, zone=zone),
        "upcoming": visiting.upcoming(visitor.patient_id, now=visitor.now, zone=zone),
        "past": visiting.past(visitor.patient_id, now=visitor.now, zone=zone),
        "owed": owing.of(visitor.clinic.pk, visitor.patient_id, now=visitor.now),
    }
    return show(request, visitor, "portal/visits.html", context, tab="visits")


@for_patients
@require_GET
def visit(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """One visit."""
    found = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=zone_of(visitor))
    audit.record(
        "portal.viewed", patients=[visitor.patient_id], target=("appointment", appointment_id), now=visitor.now
    )
    owed = owing.of(visitor.clinic.pk, visitor.patient_id, now=visitor.now, appointment_id=appointment_id)
    return show(request, visitor, "portal/visit.html", {"visit": found, "owed": owed}, tab="visits")


@for_patients
@require_POST
def confirm(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """I am coming."""
    found = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=zone_of(visitor))
    scheduling.confirm(
        appointment_id=found["id"], now=visitor.now, by=None, sequence=_number(request.POST.get("sequence"))
    )
    return _back(visitor, appointment_id)


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """Ask, then call it off."""
    found = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=zone_of(visitor))
    scheduling_rules.check_may_change(rules_of(found["service_id"]), starts_at=found["starts_at"], now=visitor.now)
    form = CancelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        scheduling.cancel(
            appointment_id=found["id"], reason="patient", now=visitor.now, by=None, note=form.cleaned_data["note"],
            version=_number(request.POST.get("version")), online=True,
        )  # fmt: skip
        return _back(visitor, appointment_id)
    return show(request, visitor, "portal/cancel.html", {"visit": found, "form": form}, tab="visits")


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """Choose another time; the old one is kept until the new one is certain."""
    zone = zone_of(visitor)
    found = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=zone)
    scheduling_rules.check_may_change(rules_of(found["service_id"]), starts_at=found["starts_at"], now=visitor.now)
    service = Service.objects.get(pk=found["service_id"])
    if request.method == "POST":
        place = bookings.read_place(request.POST.get("place", ""))
        version = _number(request.POST.get("version"))
        if place is None or version is None:
            return HttpResponseRedirect(request.path)
        try:
            scheduling.move(
                appointment_id=found["id"], place=place, version=version, now=visitor.now, by=None, online=True,
                more_days=bookings.earlier(visitor.patient_id, now=visitor.now),
            )  # fmt: skip
        except DomainError as error:
            context = {
                "visit": found, "sentence": str(error),
                "alternatives": [shown_place(one, zone) for one in bookings.alternatives_of(error)],
            }  # fmt: skip
            return show(request, visitor, "portal/move_refused.html", context, tab="visits", status=error.status)
        return _back(visitor, appointment_id)
    wanted = read_wanted(request, service)
    free = bookings.find(
        service, wanted, zone=zone, now=visitor.now, patient_id=visitor.patient_id, moving=found["id"],
        more_days=bookings.earlier(visitor.patient_id, now=visitor.now),
    )  # fmt: skip
    shown: dict[str, Any] = {"visit": found, "service": service, **picker(request, service, wanted, free, zone=zone)}
    return show(request, visitor, "portal/move.html", shown, tab="visits")


def _back(visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("portal:visit", args=[visitor.clinic.slug, appointment_id]))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else None
