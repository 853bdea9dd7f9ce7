"""The public booking page: service, day and time, who it is, the service's questions, booked. Every step is a plain page."""

import time
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.consent import selectors as consent
from careloop.kernel.errors import DomainError
from careloop.kernel.money import Money
from careloop.loyalty.thanks import referrals
from careloop.loyalty.tier import tiers
from careloop.portal import booking as bookings
from careloop.portal import codes, errors, recognizing, referring, registering, waiting
from careloop.portal.booking import Found, Wanted
from careloop.portal.entering import for_everybody, show
from careloop.portal.forms import AddressForm, NewcomerForm
from careloop.portal.models import Booking
from careloop.portal.recognizing import Visitor
from careloop.portal.referring import Carried
from careloop.scheduling.availability import Free
from careloop.scheduling.models import PartOfDay, Service

OPEN = "what can be booked is for everybody to see; it names no patient"
OWN = "shows only what this very browser holds, known by a random cookie"
# the policy of every page, but for who may put this one into a frame
FRAMED_BY = "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors {}"
# how long registering takes at least, whether a record exists or not
REGISTERING_SECONDS = 0.4
WEEKDAYS = (1, 2, 3, 4, 5, 6, 7)


def zone_of(visitor: Visitor) -> ZoneInfo:
    return ZoneInfo(visitor.clinic.time_zone)


@for_everybody(OPEN)
@require_GET
def services(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What can be booked."""
    return show(request, visitor, "portal/book.html", {"services": _cards(visitor)}, tab="book")


def _cards(visitor: Visitor) -> list[dict[str, Any]]:
    return [
        {
            "id": one.pk, "name": bookings.name_of(one), "description": one.description, "minutes": one.minutes,
            "first_minutes": one.first_visit_minutes, "who": one.who, "is_nhi": one.payer == Service.Payer.NHI,
            "price": _money(one, visitor),
        }
        for one in bookings.services_offered()
    ]  # fmt: skip


def _money(service: Service, visitor: Visitor) -> str:
    return str(Money(service.price, visitor.clinic.currency)) if service.payer == "SELF" and service.price else ""


def service_of(service_id: UUID) -> Service:
    found = Service.objects.filter(pk=service_id, is_active=True, is_online=True).first()
    if found is None:
        raise Http404
    return found


@for_everybody(OPEN)
@require_GET
def times(request: HttpRequest, visitor: Visitor, service_id: UUID) -> HttpResponse:
    """When there is room: the next free place on top, then day by day; filters are a plain form."""
    service = service_of(service_id)
    wanted = read_wanted(request, service)
    patient_id = visitor.patient_id if visitor.session else None
    first = wanted.says_first if patient_id is None else False
    more_days = bookings.earlier(patient_id, now=visitor.now)
    found = bookings.find(
        service, wanted, zone=zone_of(visitor), now=visitor.now, patient_id=patient_id, is_first_visit=first, more_days=more_days,
    )  # fmt: skip
    if more_days and patient_id:
        tiers.note_offered(patient_id, kinds=["BOOKING_WINDOW"], now=visitor.now)
    if (
        not found.days
        and wanted.since is None
        and recognizing.cookie_name("browser", visitor.clinic.slug) in request.COOKIES
    ):
        waiting.note_nothing_found(visitor, service, wanted, now=visitor.now)
    kept = {name: request.GET.getlist(name) for name in ("who", "at", "day", "part", "from") if request.GET.get(name)}
    wait_url = reverse("portal:wait", args=[visitor.clinic.slug, service.pk])
    context = {
        "service": service, "name": bookings.name_of(service), "price": _money(service, visitor),
        "wait_url": f"{wait_url}?{urlencode(kept, doseq=True)}" if kept else wait_url,
        "more_days": more_days, "asks_first": patient_id is None and service.who == "ANY", "key": uuid4(),
        **picker(request, service, wanted, found, zone=zone_of(visitor)),
    }  # fmt: skip
    return show(request, visitor, "portal/times.html", context, tab="book")


def picker(request: HttpRequest, service: Service, wanted: Wanted, found: Found, *, zone: ZoneInfo) -> dict[str, Any]:
    """Return what the list of free places shows: filters as chosen, days, and the way on."""
    asked = {name: request.GET.getlist(name) for name in ("who", "at", "day", "part", "first") if request.GET.get(name)}
    return {
        "wanted": wanted,
        "practitioners": bookings.practitioners_of(service.pk),
        "locations": bookings.locations_of(service.pk),
        "weekdays": [(number, number in wanted.weekdays) for number in WEEKDAYS],
        "parts": [(part, PartOfDay(part).label, part in wanted.parts) for part in bookings.PARTS],
        "first": shown_place(found.first, zone) if found.first else None,
        "days": [
            {
                "on": day.on,
                "slots": [shown_place(one, zone) for one in day.places if one.mode == "SLOTS"],
                "sessions": [shown_place(one, zone) for one in day.places if one.mode == "NUMBERS"],
            }
            for day in found.days
        ],
        "later": "?" + urlencode({**asked, "from": found.next_since.isoformat()}, doseq=True)
        if found.next_since
        else "",
        "earliest": "?" + urlencode(asked, doseq=True) if wanted.since else "",
        "is_filtered": bool(
            wanted.practitioner_id or wanted.location_id or wanted.weekdays or wanted.parts or wanted.since
        ),
    }


def shown_place(place: Free, zone: ZoneInfo) -> dict[str, Any]:
    """Return a free place for a template."""
    at = place.starts_at.astimezone(zone)
    return {
        "value": bookings.written(place), "at": at, "on": place.on_date, "part": PartOfDay(place.part).label,
        "practitioner": place.practitioner, "location": place.location, "number": place.number, "left": place.left,
        "by_number": place.mode == "NUMBERS",
    }  # fmt: skip


def read_wanted(request: HttpRequest, service: Service) -> Wanted:
    """Read the filters out of the address; what makes no sense is not there."""
    get = request.GET
    days = tuple(int(one) for one in get.getlist("day") if one in "1234567" and len(one) == 1)
    says_first = service.who == "FIRST" or (service.who == "ANY" and get.get("first") == "1")
    return Wanted(
        since=day_in(get.get("from", "")), practitioner_id=id_in(get.get("who", "")), location_id=id_in(get.get("at", "")),
        weekdays=days, parts=tuple(one for one in get.getlist("part") if one in bookings.PARTS), says_first=says_first,
    )  # fmt: skip


def day_in(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2200 else None


def id_in(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# -- the place is held -------------------------------------------------------------------------------------------


@for_everybody("holds a place for fifteen minutes for this very browser, within limits; the form carries a token")
@require_POST
def hold(request: HttpRequest, visitor: Visitor, service_id: UUID) -> HttpResponse:
    """Hold the chosen place while the visitor says who they are."""
    service = service_of(service_id)
    place, key = bookings.read_place(request.POST.get("place", "")), id_in(request.POST.get("key", ""))
    if place is None or key is None:
        return HttpResponseRedirect(reverse("portal:book_times", args=[visitor.clinic.slug, service_id]))
    source = "line" if "Line/" in request.headers.get("User-Agent", "") else "portal"
    try:
        bookings.check_limits(visitor)
        bookings.start(
            visitor, key=key, service=service, place=place, source=source,
            says_first=service.who == "FIRST" or (service.who == "ANY" and request.POST.get("first") == "1"),
        )  # fmt: skip
    except DomainError as error:
        return refused(request, visitor, service, error)
    return HttpResponseRedirect(reverse("portal:book_details", args=[visitor.clinic.slug]))


def refused(request: HttpRequest, visitor: Visitor, service: Service, error: DomainError) -> HttpResponse:
    """Say why not, offer what is free near it, and always the telephone."""
    context = {
        "sentence": str(error), "service": service, "name": bookings.name_of(service), "key": uuid4(),
        "alternatives": [shown_place(one, zone_of(visitor)) for one in bookings.alternatives_of(error)],
    }  # fmt: skip
    return show(request, visitor, "portal/book_refused.html", context, tab="book", status=error.status)


@for_everybody(OWN)
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The held place: first who it is for, then the service's questions, then it is booked."""
    booking = bookings.current(visitor)
    if booking is None or booking.appointment is None:
        return HttpResponseRedirect(reverse("portal:book", args=[visitor.clinic.slug]))
    if visitor.session is not None and booking.patient_id is None:
        # signed in on another tab
        bookings.belongs_to(booking, visitor.patient_id, is_proved=True, now=visitor.now)
    if booking.patient_id is None:
        return _who_page(request, visitor, booking)
    questions = bookings.questions_of(booking.service)
    said, missing = bookings.read_answers(questions, request.POST) if request.method == "POST" else ({}, {})
    if request.method == "POST" and not missing:
        try:
            bookings.finish(visitor, booking, answers=said)
        except DomainError as error:
            bookings.give_up(visitor)
            return refused(request, visitor, booking.service, error)
        if booking.is_new_patient:
            registering.tell_staff(booking.patient_id, is_proved=booking.is_proved, now=visitor.now)
            referring.claim(request, visitor, booking.patient_id)
        return HttpResponseRedirect(reverse("portal:book_done", args=[visitor.clinic.slug]))
    shown = [
        {**one, "said": request.POST.get(one["key"], ""), "error": missing.get(one["key"], "")} for one in questions
    ]
    context = {**_held(visitor, booking), "questions": shown, "for_name": _for_whom(visitor, booking)}
    return show(request, visitor, "portal/details.html", context, tab="book", status=422 if missing else 200)


def _for_whom(visitor: Visitor, booking: Booking) -> str:
    """The name only where the person has proved to be somebody: a browser that just typed a name knows it anyway."""
    if visitor.session is not None and booking.patient_id == visitor.patient_id:
        return visitor.name
    return ""


def _held(visitor: Visitor, booking: Booking) -> dict[str, Any]:
    held = booking.appointment
    assert held is not None
    zone = zone_of(visitor)
    return {
        "booking": booking, "held": held, "name": bookings.name_of(booking.service),
        "at": held.starts_at.astimezone(zone), "number": held.number,
        "until": held.held_until.astimezone(zone) if held.held_until and held.state == "pending" else None,
        "price": _money(booking.service, visitor), "practitioner": held.practitioner.name, "location": held.location.name,
    }  # fmt: skip


def _who_page(request: HttpRequest, visitor: Visitor, booking: Booking) -> HttpResponse:
    """Two ways: a code for who was here before, a form for who was not."""
    today = recognizing.today_of(visitor.clinic, visitor.now)
    verify = booking.service.verify_phone and registering.can_verify()
    code = referring.carried(request, visitor)
    form = NewcomerForm(
        request.POST or None,
        today=today,
        takes_codes=referrals.is_on(),
        initial={"referral": code.spoken if code else ""},
    )
    if request.method == "POST" and form.is_valid() and _reads_code(visitor, form):
        newcomer = registering.Newcomer(
            form.cleaned_data["name"], form.cleaned_data["birth_date"], form.cleaned_data["phone"]
        )
        try:
            return _with_code(visitor, form, code, _register(visitor, booking, newcomer, verify=verify))
        except errors.TooOften as error:
            form.add_error(None, str(error))
        except DomainError as error:
            bookings.give_up(visitor)
            return refused(request, visitor, booking.service, error)
    notice = consent.current_notice()
    context = {
        **_held(visitor, booking), "form": form, "address_form": AddressForm(), "verify": verify,
        "only_first": booking.service.who == "FIRST", "only_returning": booking.service.who == "RETURNING",
        "notice": consent.text_in(notice["texts"], translation.get_language() or "") if notice else None,
        "new_first": booking.says_first or bool(form.errors),
        "next": reverse("portal:book_details", args=[visitor.clinic.slug]),
    }  # fmt: skip
    return show(request, visitor, "portal/who_books.html", context, tab="book", status=422 if form.errors else 200)


def _reads_code(visitor: Visitor, form: NewcomerForm) -> bool:
    """Whether the friend's code in the form, if there is one, is somebody's."""
    try:
        if typed := form.cleaned_data.get("referral"):
            form.cleaned_data["referral"] = referring.check(visitor, typed)
    except DomainError as error:
        form.add_error("referral", str(error))
        return False
    return True


def _with_code(visitor: Visitor, form: NewcomerForm, before: Carried | None, response: HttpResponse) -> HttpResponse:
    """Let the browser carry the code on to where the booking is finished; one that was taken out is forgotten."""
    if code := form.cleaned_data.get("referral"):
        how = before.how if before and before.code == code else "TYPED"
        referring.remember(
            response, visitor, Carried(code, how, agreed=True, shows_name=form.cleaned_data["shows_name"])
        )
    elif before is not None:
        referring.forget(response, visitor)
    return response


def _register(visitor: Visitor, booking: Booking, newcomer: registering.Newcomer, *, verify: bool) -> HttpResponse:
    began = time.monotonic()
    registering.check_limits(organization_id=visitor.clinic.pk, network=visitor.address)
    if verify:
        codes.check_limits(newcomer.phone, organization_id=visitor.clinic.pk, network=visitor.address)
    language = translation.get_language() or visitor.clinic.language
    sent = registering.register(booking, newcomer, language=language, now=visitor.now, verify=verify)
    # making a record takes longer than finding one: nobody learns from the clock which of them it was
    time.sleep(max(0.0, REGISTERING_SECONDS - (time.monotonic() - began)))
    if sent is not None:
        return HttpResponseRedirect(reverse("portal:code", args=[visitor.clinic.slug]))
    patient_id = booking.patient_id
    assert patient_id is not None
    booking.patient_id = None
    bookings.belongs_to(booking, patient_id, is_proved=False, is_new=True, now=visitor.now)
    registering.note_notice(patient_id, now=visitor.now)
    return HttpResponseRedirect(reverse("portal:book_details", args=[visitor.clinic.slug]))


@for_everybody(OWN)
@require_POST
def give_up(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Let the held place go."""
    bookings.give_up(visitor)
    return HttpResponseRedirect(reverse("portal:book", args=[visitor.clinic.slug]))


@for_everybody(OWN)
@require_GET
def done(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """It is booked: when, where, with whom, and the number."""
    booking = bookings.last_finished(visitor)
    if booking is None or booking.appointment is None:
        return HttpResponseRedirect(reverse("portal:book", args=[visitor.clinic.slug]))
    response = show(
        request,
        visitor,
        "portal/booked.html",
        {**_held(visitor, booking), "referred": _referred(request, visitor, booking)},
        tab="book",
    )
    if referring.carried(request, visitor) is not None:
        # it has done its work, or cannot do any
        referring.forget(response, visitor)
    return response


def _referred(request: HttpRequest, visitor: Visitor, booking: Booking) -> str:
    """Whether a friend's code that this browser brought counts: yes, no, or empty when it brought none."""
    code = referring.carried(request, visitor)
    if code is None or not code.agreed or booking.patient_id is None:
        return ""
    return "yes" if booking.is_new_patient and referring.was_claimed(booking.patient_id) else "no"


# -- inside another website --------------------------------------------------------------------------------------


@for_everybody(
    "names no patient and takes no form; what is chosen here is booked on the page itself, in a window of its own"
)
@require_GET
def embed(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The clinic's services and their next free places, for a frame on the websites the clinic has named."""
    zone = zone_of(visitor)
    cards = []
    for card, service in zip(_cards(visitor), bookings.services_offered(), strict=True):
        found = bookings.find(service, Wanted(says_first=service.who == "FIRST"), zone=zone, now=visitor.now,
                              is_first_visit=service.who == "FIRST")  # fmt: skip
        cards.append({**card, "next": shown_place(found.first, zone) if found.first else None})
    response = show(request, visitor, "portal/embed.html", {"services": cards})
    allowed = visitor.clinic.embed_origins.split()
    if allowed := visitor.clinic.embed_origins.split():
        response.headers["Content-Security-Policy"] = FRAMED_BY.format(" ".join(allowed))
        response.xframe_options_exempt = True  # type: ignore[attr-defined]  # the older header knows one origin only
    return response
