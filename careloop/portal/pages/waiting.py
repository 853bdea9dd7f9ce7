"""Tell me when something is free: joining the waitlist, answering an offer, leaving."""

from datetime import date
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.portal import booking as bookings
from careloop.portal import waiting
from careloop.portal.entering import for_patients, show
from careloop.portal.pages.book import WEEKDAYS, day_in, id_in, service_of
from careloop.portal.recognizing import Visitor
from careloop.portal.waiting import USUALLY, Wish, last_day
from careloop.scheduling import waitlist as lists
from careloop.scheduling.models import PartOfDay


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, visitor: Visitor, service_id: UUID) -> HttpResponse:
    """Say with whom and when one would come; what was looked for in vain is filled in."""
    service, problem = service_of(service_id), ""
    wish = _read(request, lists.today(visitor.now))
    if request.method == "POST":
        try:
            waiting.join(visitor, service, wish, key=(request.POST.get("key", "") or uuid4().hex)[:40])
        except DomainError as error:
            problem = str(error)
        else:
            return HttpResponseRedirect(reverse("portal:visits", args=[visitor.clinic.slug]))
    context = {
        "service": service, "name": bookings.name_of(service), "problem": problem, "key": uuid4().hex, "wish": wish,
        "practitioners": bookings.practitioners_of(service.pk), "locations": bookings.locations_of(service.pk),
        "weekdays": [(number, number in wish.weekdays) for number in WEEKDAYS],
        "parts": [(part, PartOfDay(part).label, part in wish.parts) for part in bookings.PARTS],
        "furthest": last_day(visitor, service, lists.today(visitor.now)),
    }  # fmt: skip
    return show(request, visitor, "portal/wait.html", context, tab="book", status=422 if problem else 200)


def _read(request: HttpRequest, today: date) -> Wish:
    given = request.POST if request.method == "POST" else request.GET
    first = day_in(given.get("from", "")) or today
    return Wish(
        practitioner_id=id_in(given.get("who", "")), location_id=id_in(given.get("at", "")),
        weekdays=tuple(int(one) for one in given.getlist("day") if one in tuple("1234567")),
        parts=tuple(one for one in given.getlist("part") if one in bookings.PARTS), first=first,
        last=day_in(given.get("until", "")) or max(first, today) + USUALLY,
    )  # fmt: skip


@for_patients
@require_POST
def answer(request: HttpRequest, visitor: Visitor, offer_id: UUID) -> HttpResponse:
    """Take the offered place, or leave it to the next."""
    takes = request.POST.get("do") == "take"
    appointment_id = waiting.answer(visitor, offer_id, takes=takes)
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "offer"}, now=visitor.now)
    if takes:
        return HttpResponseRedirect(reverse("portal:visit", args=[visitor.clinic.slug, appointment_id]))
    return HttpResponseRedirect(reverse("portal:visits", args=[visitor.clinic.slug]))


@for_patients
@require_POST
def leave(request: HttpRequest, visitor: Visitor, entry_id: UUID) -> HttpResponse:
    """Wait no longer."""
    waiting.leave(visitor, entry_id)
    return HttpResponseRedirect(reverse("portal:visits", args=[visitor.clinic.slug]))
