"""From a message, or from “my visits”, to the patient's number in the waiting room: how far it is, and “I am here”.

Looking does nothing: the link of a message leads on where there is a number already, and else asks. Pressing the button makes the
number and checks in, as far as the rules of the queue let the patient do so; the page of the number says what is missing.
"""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from careloop.accounts.access import public
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.messaging.variables import spoken_date
from careloop.portal import visiting
from careloop.portal.doors import Opened, opened
from careloop.portal.entering import for_patients
from careloop.portal.pages.book import zone_of
from careloop.portal.recognizing import Visitor
from careloop.portal.views import BY_WHAT, _gone, _note_opened, _page
from careloop.reminders import turns
from careloop.reminders.pages import visit_of
from careloop.tenancy.context import current_organization_id
from careloop.waitingroom import links, live, services


@public(BY_WHAT)
@never_cache
@csrf_exempt  # the token is the proof, and LINE's browser may keep no cookie
@require_http_methods(["GET", "HEAD", "POST"])
def from_message(request: HttpRequest, token: str) -> HttpResponse:
    """Lead to the number of the visit a message speaks of; where the visit is off or over, to the visit itself."""
    now = timezone.now()
    with opened(token, now=now) as door:
        if door is None:
            return _gone(request)
        if door.message.origin == turns.ORIGIN:
            return HttpResponseRedirect(_number_page(UUID(door.message.origin_id)))
        found = visit_of(door.message, now=now)
        if found is None:
            return _gone(request)
        page = _number_of(found.id)
        if request.method == "POST":
            page = page_after_check_in(request, found.id, now=now)
        elif not page and found.how in ("booked", "moved", "over") and _is_near(door, found.starts_at, now=now):
            _note_opened(door)
            return _ask(request, door)
    return HttpResponseRedirect(page or reverse("portal:linked_visit", args=[token]))


def _ask(request: HttpRequest, door: Opened) -> HttpResponse:
    found = visit_of(door.message, now=timezone.now())
    assert found is not None
    at, language = found.starts_at.astimezone(ZoneInfo(door.organization.time_zone)), door.message.language
    with translation.override(language):
        return _page(
            request,
            "portal/linked_number.html",
            door,
            visit=found,
            on=spoken_date(at.date(), language),
            at=f"{at:%H:%M}",
        )


def _is_near(door: Opened, starts_at: datetime, *, now: datetime) -> bool:
    """Whether it is the day of the visit, or the night before it."""
    zone = ZoneInfo(door.organization.time_zone)
    return (starts_at.astimezone(zone).date() - now.astimezone(zone).date()).days in (0, 1)


def _number_of(appointment_id: UUID) -> str:
    found = sql.value("select id from waitingroom_ticket where appointment_id = %s", [appointment_id])
    return _number_page(found) if found else ""


def _number_page(ticket_id: UUID) -> str:
    return reverse("queue_pages:number", args=[links.token_of(current_organization_id(), ticket_id)])


def page_after_check_in(request: HttpRequest, appointment_id: UUID, *, now: datetime) -> str:
    """Make the visit's number and check in if the queue's rules let the patient do so; return the number's page.

    Nothing when the visit is called off or over.
    """
    try:
        page = _number_page(services.pass_for(appointment_id=appointment_id, now=now)[0])
    except DomainError:
        return ""
    how = "LINE" if " Line/" in request.headers.get("User-Agent", "") else "PHONE"
    try:
        services.check_in(appointment_id=appointment_id, how=how, now=now, by=None)
    except DomainError:
        return page  # too early, or only with the clinic's code: that page says so
    live.refresh(current_organization_id())
    return page


@for_patients
@require_POST
def of_visit(request: HttpRequest, visitor: Visitor, appointment_id: UUID) -> HttpResponse:
    """The same from one's own visit."""
    found = visiting.one(visitor.patient_id, appointment_id, now=visitor.now, zone=zone_of(visitor))
    url = page_after_check_in(request, found["id"], now=visitor.now)
    return HttpResponseRedirect(url or reverse("portal:visit", args=[visitor.clinic.slug, appointment_id]))
