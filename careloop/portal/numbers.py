"""From a message, or from “my visits”, to the patient's number in the waiting room: how far it is, and “I am here”."""

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from careloop.accounts.access import public
from careloop.kernel.errors import DomainError
from careloop.portal import visiting
from careloop.portal.doors import Opened, opened
from careloop.portal.entering import for_patients
from careloop.portal.pages.book import zone_of
from careloop.portal.recognizing import Visitor
from careloop.portal.views import _gone, _note_opened
from careloop.reminders import turns
from careloop.reminders.pages import visit_of
from careloop.tenancy.context import current_organization_id
from careloop.waitingroom import links, services

BY_NUMBER = (
    "opened by a 256-bit token that only the patient was sent; leads to the patient's own number, checks nobody in"
)


@public(BY_NUMBER)
@never_cache
@require_safe
def from_message(request: HttpRequest, token: str) -> HttpResponse:
    """Lead to the number of the visit a message speaks of; where there is none (any more), to the visit itself."""
    now = timezone.now()
    with opened(token, now=now) as door:
        if door is None:
            return _gone(request)
        if request.method == "GET":
            _note_opened(door)
        url = _number_of(door, now=now)
        if not url and door.message.appointment_id is None:
            return _gone(request)
    return HttpResponseRedirect(url or reverse("portal:linked_visit", args=[token]))


def _number_of(door: Opened, *, now: datetime) -> str:
    if door.message.origin == turns.ORIGIN:
        return _number_page(UUID(door.message.origin_id))
    found = visit_of(door.message, now=now)
    return number_url(found.id, now=now) if found is not None else ""


def number_url(appointment_id: UUID, *, now: datetime) -> str:
    """Return the address of a visit's number; nothing when the visit is called off or over."""
    try:
        return _number_page(services.pass_for(appointment_id=appointment_id, now=now)[0])
    except DomainError:
        return ""


def _number_page(ticket_id: UUID) -> str:
    return reverse("queue_pages:number", args=[links.token_of(current_organization_id(), ticket_id)])


@for_patients
@require_GET
def of_visit(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """Lead from one's own visit to its number."""
    found = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=zone_of(visitor))
    url = number_url(found["id"], now=visitor.now)
    return HttpResponseRedirect(url or reverse("portal:visit", args=[visitor.clinic.slug, appointment_id]))
