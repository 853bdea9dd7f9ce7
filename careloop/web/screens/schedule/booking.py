"""Finding a place and booking it, at the desk or on the telephone."""

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.loyalty.tier import tiers
from careloop.patients import selectors as patients
from careloop.scheduling import availability, catalogue, selectors, services
from careloop.scheduling.availability import Free
from careloop.scheduling.models import Appointment, PartOfDay
from careloop.scheduling.places import Place, rules_of
from careloop.web.http import clinic_zone, next_url, redirect_to, respond
from careloop.web.screens.schedule.common import (
    PARTS,
    POOLS,
    SOURCES,
    address,
    bounds,
    calendar_url,
    clock,
    day_words,
    locations_of,
    moment_of,
    offer_choices,
    patient_or_404,
    place_key,
    place_words,
    read_place,
    span,
    tabs,
    uuid_of,
    when_words,
)

FOUND = 8
EXTRA = "extra"
AT_THE_DESK = ("desk", "phone", "walk-in")


class BookForm(forms.Form):
    """What is known once place and patient are. `key` makes a double click book once."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=60)
    service = forms.ChoiceField(label=gettext_lazy("Service"))
    number = forms.ChoiceField(label=pgettext_lazy("schedule", "Number"))
    source = forms.ChoiceField(label=gettext_lazy("Asked for"), widget=forms.RadioSelect)
    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=services.LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("For colleagues at the desk; patients do not see it."),
    )  # fmt: skip

    def __init__(self, *args: Any, offered: list[Any], session: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service"].choices = [  # type: ignore[attr-defined]
            (str(one["id"]), _("%(name)s (%(minutes)d min)") % {"name": one["name"], "minutes": one["minutes"]}) for one in offered
        ]  # fmt: skip
        self.fields["source"].choices = [(one, SOURCES[one]) for one in AT_THE_DESK]  # type: ignore[attr-defined]
        if session["mode"] == "NUMBERS":
            asked = str(self.initial.get("number") or self.data.get("number") or "")
            self.fields["number"].choices = number_choices(session, asked=asked)  # type: ignore[attr-defined]
        else:
            del self.fields["number"]


def number_choices(session: dict[str, Any], *, asked: str = "") -> list[tuple[str, Any]]:
    """Which number somebody can be given: the next of a group, one they asked for, or an extra one."""
    groups = [one["pool"] for one in session["pools"]] or ["BOOKED"]
    found: list[tuple[str, Any]] = [
        (name, _("next number: %(group)s") % {"group": POOLS[name]}) for name in dict.fromkeys(groups)
    ]
    if not session["pools"]:
        found = [("BOOKED", _("next number"))]
    number, _bar, pool = asked.partition("-")
    if number.isdigit():
        found.insert(
            0, (asked, _("number %(number)s") % {"number": number} + (f" ({POOLS[pool]})" if pool in POOLS else ""))
        )
    return [*found, (EXTRA, _("extra number, beyond the last one"))]


def read_number(session_id: UUID, text: str) -> Place:
    """The place that a choice of `number_choices` means."""
    if text == EXTRA:
        return Place(session_id, extra=True)
    number, _bar, pool = text.partition("-")
    if number.isdigit():
        return Place(session_id, number=int(number), pool=pool or "BOOKED")
    return Place(session_id, pool=text or "BOOKED")


class WishForm(forms.Form):
    """What somebody wishes for: service, with whom, where, when."""

    patient = forms.CharField(required=False, widget=forms.HiddenInput)
    wish = forms.CharField(required=False, widget=forms.HiddenInput, max_length=40)
    service = forms.ChoiceField(label=gettext_lazy("Service"))
    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"), required=False)
    location = forms.ChoiceField(label=gettext_lazy("Clinic"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("schedule", "From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Weekdays"), required=False, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    parts = forms.MultipleChoiceField(
        label=gettext_lazy("Part of the day"),
        required=False,
        choices=PartOfDay.choices,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, known: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_choices(self.fields, known)


def search_places(
    wish: dict[str, Any], *, zone: ZoneInfo, now: datetime, limit: list[UUID] | None, patient_id: UUID | None = None,
    moving: UUID | None = None, is_first_visit: bool = False,
) -> list[Free]:  # fmt: skip
    """Free places for a wish that `WishForm` understood."""
    since = bounds(wish["since"], 1, zone)[0] if wish.get("since") else now
    location = uuid_of(wish.get("location"))
    if location is not None and limit is not None and location not in limit:
        return []
    return availability.search(
        service_id=UUID(wish["service"]), now=now, since=since, practitioner_id=uuid_of(wish.get("practitioner")),
        location_ids=[location] if location else limit, weekdays=wish.get("weekdays") or (), parts=wish.get("parts") or (),
        patient_id=patient_id, moving=moving, is_first_visit=is_first_visit, sessions=12, per_session=24,
    )  # fmt: skip


def by_day(places: list[Free], zone: ZoneInfo, url: Any) -> list[dict[str, Any]]:
    """Places as a list of days, each with its sessions and their places; `url(place)` is where each leads."""

    def day(one: Free) -> date:
        return one.on_date

    found = []
    order = list(PARTS)
    for on_date, those in groupby(
        sorted(places, key=lambda one: (one.on_date, order.index(one.part), one.practitioner, one.starts_at)), key=day
    ):
        sessions = []
        for (who, where, part), group in groupby(those, key=lambda one: (one.practitioner, one.location, one.part)):
            sessions.append({
                "who": who, "where": where, "part": PARTS[part],
                "places": [{"label": clock(one.starts_at, zone) if one.number is None else _("number %(number)d") % {"number": one.number},
                            "left": one.left if one.number is not None else 0, "url": url(one), "value": place_key(one)} for one in group],
            })  # fmt: skip
        found.append({"label": day_words(on_date), "sessions": sessions})
    return found


@requires("schedule.book")
@require_GET
def find(request: HttpRequest) -> HttpResponse:
    """The next free places for a wish; one that finds nothing is noted, without saying who asked."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone, limit = timezone.now(), clinic_zone(request), locations_of(request)
    patient_id = uuid_of(request.GET.get("patient"))
    person = patient_or_404(patient_id) if patient_id else None
    known = selectors.choices(limit=limit)
    asked = "service" in request.GET
    wish_key = request.GET.get("wish", "")[:40] or uuid7().hex
    initial = {"patient": request.GET.get("patient", ""), "wish": wish_key}
    form = WishForm(request.GET if asked else None, known=known, initial=initial)
    places: list[Free] | None = None
    if asked and form.is_valid():
        wish = form.cleaned_data
        first = selectors.is_first_visit(patient_id) if patient_id else False
        places = search_places(wish, zone=zone, now=now, limit=limit, patient_id=patient_id, is_first_visit=first)
        if not places and wish["wish"]:
            catalogue.note_miss(
                service_id=UUID(wish["service"]), source="desk", key=f"desk:{wish['wish']}", now=now,
                practitioner_id=uuid_of(wish["practitioner"]), location_id=uuid_of(wish.get("location")),
                weekdays=wish["weekdays"], parts=wish["parts"],
            )  # fmt: skip
    if person:
        audit.record("patient.viewed", patients=[person["id"]], details={"for": "booking"})

    def url(place: Free) -> str:
        return address(
            "book", session=place.session_id, at=place.starts_at.isoformat() if place.number is None else "",
            service=form.cleaned_data["service"], patient=patient_id,
        )  # fmt: skip

    window = window_words(person["id"], None, None, now=now) if person else ""
    if person and window:
        tiers.note_offered(person["id"], kinds=["BOOKING_WINDOW"], now=now)
    context = {
        "window": window,
        "form": form, "person": person, "days": by_day(places, zone, url) if places else [], "asked": places is not None,
        "tabs": tabs(member, "find"), "has_services": bool(known["services"]), "may_manage": member.can("schedule.manage"),
        "wider": _wider(request), "wait_url": wait_url(request),
    }  # fmt: skip
    return respond(request, "schedule/find.html", context)


def _wider(request: HttpRequest) -> str:
    """The same search for anybody at any time."""
    return address(
        "find", service=request.GET.get("service"), patient=request.GET.get("patient"), wish=request.GET.get("wish")
    )


def wait_url(request: HttpRequest) -> str:
    """Where the same wish is put on the waitlist."""
    wanted = {
        name: request.GET.getlist(name)
        for name in ("patient", "service", "practitioner", "location", "weekdays", "parts")
    }
    return f"{reverse('schedule:wish_new')}?{urlencode(wanted, doseq=True)}"


def window_words(patient_id: UUID, service_id: UUID | None, at: datetime | None, *, now: datetime) -> str:
    """Say how far ahead this patient may book by themselves where it matters at the desk, which itself may book any day.

    At a place beyond everybody's window it says whether the patient's tier opens it; without a place (`at`) how much earlier it opens.
    """
    more = tiers.more_days(patient_id, now=now)
    if at is None:
        said = ngettext("As a member this patient can book %(days)d day earlier than others.",
                        "As a member this patient can book %(days)d days earlier than others.", more)  # fmt: skip
        return said % {"days": more} if more else ""
    ahead = rules_of(service_id).days_ahead if service_id else None
    if ahead is None or at <= now + timedelta(days=ahead):
        return ""
    given = {"ahead": ahead, "more": more}
    if more and at <= now + timedelta(days=ahead + more):
        return (
            _("Patients can book %(ahead)d days ahead; this patient’s tier opens the day %(more)d days earlier.")
            % given
        )
    return _("Patients can book %(ahead)d days ahead. This day is later than that; the desk decides.") % given


def _session(request: HttpRequest, session_id: UUID | None) -> dict[str, Any]:
    found = selectors.board(session_id, now=timezone.now(), limit=locations_of(request)) if session_id else None
    if found is None:
        raise Http404
    return found


@requires("schedule.book")
def book(request: HttpRequest) -> HttpResponse:
    """Book a place: who, what for, how they asked. Works in two plain steps; a refusal shows free places near as buttons."""
    given = request.POST if request.method == "POST" else request.GET
    session_id, at = uuid_of(given.get("session")), moment_of(given.get("at"))
    if given.get("place"):
        session_id, at = read_place(given["place"])
    if session_id is None:
        return redirect_to(request, reverse("schedule:find"), message=_("Choose a free place first."), tone="warning")
    session = _session(request, session_id)
    zone = clinic_zone(request)
    patient_id = uuid_of(given.get("patient"))
    if patient_id is None:
        return _choose_patient(request, session, at, zone)
    person = patient_or_404(patient_id)
    offered = selectors.services_of(session_id)
    asked = {name: given.get(name, "") for name in ("number", "pool")}
    number = f"{asked['number']}-{asked['pool']}" if asked["number"].isdigit() else asked["number"] or asked["pool"]
    initial = {"key": uuid7().hex, "source": "desk", "service": given.get("service", ""), "number": number}
    posted = request.POST if request.method == "POST" else None
    form = BookForm(posted, offered=offered, session=session, initial=initial)
    alternatives: list[Free] = []
    if posted is not None and form.is_valid():
        try:
            made = _book(form.cleaned_data, session, at, patient_id, request)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
            alternatives = getattr(refusal, "alternatives", [])
        else:
            row = {"starts_at": made.starts_at, "number": made.number}
            said = _("%(name)s is booked: %(when)s.") % {"name": person["name"], "when": when_words(row, zone)}
            day = made.starts_at.astimezone(zone).date()
            return redirect_to(request, next_url(request, calendar_url(day)), message=said)
    if posted is None or alternatives or form.errors:
        audit.record("patient.viewed", patients=[patient_id], details={"for": "booking"})
    only = str(offered[0]["id"]) if len(offered) == 1 else ""
    service_id = uuid_of(given.get("service") or only)
    known = service_id if service_id in {one["id"] for one in offered} else None
    context = {
        "window": window_words(patient_id, known, at or session["starts_at"], now=timezone.now()),
        **_place_words(session, at, zone), "form": form, "person": person, "session": session, "at": at.isoformat() if at else "",
        "alternatives": [{"label": place_words(one, zone), "value": place_key(one)} for one in alternatives], "offered": offered,
        "next": next_url(request, ""), "other_url": address("find", patient=patient_id, service=given.get("service")),
        "phones": patients.masked_phones([patient_id]).get(patient_id, []), "is_first": selectors.is_first_visit(patient_id),
        "may_manage": request.member.can("schedule.manage"),  # type: ignore[attr-defined]
    }  # fmt: skip
    return respond(request, "schedule/book.html", context, status=422 if posted is not None else 200)


def _book(
    given: dict[str, Any], session: dict[str, Any], at: datetime | None, patient_id: UUID, request: HttpRequest
) -> Appointment:
    place = (
        read_number(session["id"], given["number"])
        if session["mode"] == "NUMBERS"
        else Place(session["id"], starts_at=at)
    )
    if given["source"] == "walk-in" and place == Place(session["id"]):
        # a walk-in takes a number kept for walk-ins, if the session keeps any
        kept = {one["pool"] for one in session["pools"]}
        place = Place(session["id"], pool="WALK_IN" if "WALK_IN" in kept else "BOOKED")
    member: Any = request.member  # type: ignore[attr-defined]
    return services.book(
        patient_id=patient_id, service_id=UUID(given["service"]), place=place, source=given["source"], note=given["note"],
        key=f"desk:{given['key']}", now=timezone.now(), by=member.user_id,
    )  # fmt: skip


def _place_words(session: dict[str, Any], at: datetime | None, zone: ZoneInfo) -> dict[str, Any]:
    by_time = session["mode"] == "SLOTS"
    return {
        "day": day_words(session["on_date"]), "by_time": by_time,
        "time": clock(at, zone) if at and by_time else span(session["starts_at"], session["ends_at"], zone),
        "part": PARTS[session["part"]], "is_open": session["state"] == "OPEN", "session_url": address("session", session["id"]),
        "day_url": calendar_url(session["on_date"]),
    }  # fmt: skip


def _choose_patient(request: HttpRequest, session: dict[str, Any], at: datetime | None, zone: ZoneInfo) -> HttpResponse:
    """The first step: find the patient, or register one and come back here."""
    given = request.POST if request.method == "POST" else request.GET
    text = given.get("q", "").strip()
    kept = {name: given.get(name, "") for name in ("session", "at", "number", "pool", "service", "next")}
    found = []
    if text:
        today = timezone.now().astimezone(zone).date()
        found = patients.search(text, today=today, limit=FOUND)
        if found:
            audit.record("patients.searched", patients=[one.id for one in found], details={"for": "booking"})
    here = address("book", **{name: value for name, value in kept.items() if value})
    context = {
        **_place_words(session, at, zone), "session": session, "kept": {name: value for name, value in kept.items() if value}, "q": text,
        "found": [{"person": one, "url": f"{here}&patient={one.id}"} for one in found], "here": here,
        "may_register": request.member.can("patients.edit"),  # type: ignore[attr-defined]
    }  # fmt: skip
    return respond(request, "schedule/who.html", context, status=422 if request.method == "POST" else 200)
