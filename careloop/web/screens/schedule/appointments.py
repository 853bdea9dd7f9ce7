"""One appointment: what is known, what happened to it, and what can be done with it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.events.registry import KINDS
from careloop.kernel.errors import DomainError
from careloop.payments import selectors as payments
from careloop.scheduling import errors, rules, selectors, services
from careloop.scheduling.availability import Free
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place
from careloop.web.http import clinic_zone, next_url, redirect_to, refuse, respond
from careloop.web.screens.payments.common import new_url, shown
from careloop.web.screens.schedule import booking
from careloop.web.screens.schedule.common import (
    ICONS,
    PARTS,
    POOLS,
    REASONS,
    SOURCES,
    STATES,
    TONES,
    address,
    calendar_url,
    clock,
    day_words,
    locations_of,
    place_key,
    place_words,
    read_place,
    seen_patients,
    shown_name,
    span,
    uuid_of,
    when_words,
)

# what a button does, its words, its picture; in the order in which a visit goes
STEPS: dict[str, tuple[str, Any, str, Any]] = {
    "confirm": ("booked", gettext_lazy("Confirmed by the patient"), "check", gettext_lazy("Noted that the patient will come.")),
    "arrive": ("arrived", gettext_lazy("Is here"), "door-enter", gettext_lazy("Noted that the patient is here.")),
    "check-in": ("checked-in", gettext_lazy("Check in"), "user-check", gettext_lazy("The patient is checked in.")),
    "seen": ("fulfilled", gettext_lazy("Was seen"), "circle-check", gettext_lazy("Noted that the patient was seen.")),
    "no-show": ("noshow", gettext_lazy("Did not come"), "user-x", gettext_lazy("Noted that the patient did not come.")),
}  # fmt: skip


# patients come at most this long before their time
COMES_FROM = timedelta(hours=16)


class CancelForm(forms.Form):
    """Why the visit does not take place."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.ChoiceField(
        label=pgettext_lazy("schedule", "Why"), widget=forms.RadioSelect,
        choices=[(one.value, one.label) for one in (Appointment.Cancelled.PATIENT, Appointment.Cancelled.CLINIC)],
    )  # fmt: skip
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Stays with the appointment."),
    )


class ErrorForm(forms.Form):
    """Why the appointment should never have been there."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(label=pgettext_lazy("schedule", "What happened"), max_length=200)


def load(request: HttpRequest, appointment_id: UUID) -> dict[str, Any]:
    """The appointment, if it is in a branch the member sees."""
    found = selectors.appointment(appointment_id, limit=locations_of(request))
    if found is None:
        raise Http404
    return found


def back_of(request: HttpRequest, row: dict[str, Any]) -> str:
    """Where to go after something was done: where the reader came from, or the appointment's page."""
    return next_url(request, address("appointment", row["id"]))


def steps_for(row: dict[str, Any], *, now: datetime, next_to: str = "") -> list[dict[str, Any]]:
    """What can be done now with one click, the likeliest first."""
    found = []
    for step, (state, label, icon, _said) in STEPS.items():
        if step == "confirm":
            allowed = row["state"] == "booked" and row["confirmed_at"] is None and row["starts_at"] > now
        else:
            allowed = rules.may_become(row["state"], state)
        if step == "no-show":
            allowed = allowed and (row["session_state"] == "FINISHED" or row["session_ends_at"] <= now)
        # somebody who is expected next week is not here yet
        if step in ("arrive", "check-in") and row["starts_at"] - now > COMES_FROM:
            allowed = False
        if step == "seen" and row["state"] == "booked" and row["starts_at"] > now:
            allowed = False
        if allowed:
            found.append({"step": step, "label": label, "icon": icon, "url": address("step", row["id"], step)})
    return found


def head(row: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
    """An appointment as its page and dialogs show it."""
    zone, now = clinic_zone(request), timezone.now()
    member: Any = request.member  # type: ignore[attr-defined]
    may_book = member.can("schedule.book")
    state = row["state"]
    pairs = [
        (_("Service"), row["service"]),
        (_("Practitioner"), _("%(who)s, for %(regular)s") % {"who": row["practitioner"], "regular": row["regular"]} if row["regular"] else row["practitioner"]),
        (_("Clinic"), row["location"]), (_("Room"), row["room"]), (_("Equipment"), row["equipment"]),
        (pgettext("schedule", "Number"), f"{row['number']} · {POOLS[row['pool']]}" if row["pool"] in POOLS else row["number"] if row["number"] else ""),
        (_("Asked for"), SOURCES.get(row["source"], row["source"])),
        (_("Confirmed"), _stamp(row["confirmed_at"], zone)), (pgettext("time", "Arrived"), _stamp(row["arrived_at"], zone)),
        (_("Held until"), _stamp(row["held_until"], zone)),
        (pgettext("appointment", "Cancelled because"), REASONS.get(row["cancel_reason"], "")),
        (_("Note"), row["note"] if row["is_visible"] else ""), (_("Reason given"), row["cancel_note"] if row["is_visible"] else ""),
    ]  # fmt: skip
    return {
        "id": row["id"], "name": shown_name(row), "is_visible": row["is_visible"], "patient_id": row["patient_id"],
        "chart_number": row["chart_number"] if row["is_visible"] else "", "when": when_words(row, zone),
        "until": clock(row["ends_at"], zone), "day": day_words(row["starts_at"].astimezone(zone).date()),
        "time": span(row["starts_at"], row["ends_at"], zone) if not row["number"] else clock(row["starts_at"], zone), "number": row["number"],
        "part": PARTS[row["part"]], "state": state, "state_label": STATES[state], "tone": TONES[state], "icon": ICONS[state],
        "is_first": row["is_first_visit"], "version": row["version"], "session_url": address("session", row["session_id"]),
        "pairs": [{"label": label, "value": value, "href": ""} for label, value in pairs if value],
        "steps": steps_for(row, now=now) if may_book else [], "may_move": may_book and state == "booked",
        "may_cancel": may_book and rules.may_become(state, "cancelled"), "may_err": may_book and rules.may_become(state, "entered-in-error"),
        "history": _history(row, zone), "url": address("appointment", row["id"]),
        "earlier_url": address("wish_new", patient=row["patient_id"], instead=row["id"]) if may_book and row["patient_id"] and row["is_visible"] and state == "booked" and row["starts_at"] > now else "",
        "again_url": address("find", patient=row["patient_id"], service=row["service_id"]) if may_book and row["patient_id"] and row["is_visible"] and state in ("cancelled", "noshow", "fulfilled") else "",
    }  # fmt: skip


def _stamp(moment: datetime | None, zone: Any) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""


def _history(row: dict[str, Any], zone: Any) -> list[dict[str, Any]]:
    """What happened, newest first: who, when, what, why."""
    shown = []
    for one in row["history"]:
        kind, payload = KINDS.get(one["kind"]), one["payload"]
        said = str(kind.sentence or kind.label) if kind else one["kind"]
        try:
            said %= payload
        except (KeyError, TypeError, ValueError):
            said = str(kind.label) if kind else one["kind"]
        why = REASONS.get(payload.get("reason", ""), "")
        if payload.get("what") == "practitioner":
            said = _("Another practitioner sees the patient: %(who)s.") % {"who": payload.get("practitioner", "")}
        shown.append({
            "at": f"{one['at'].astimezone(zone):%Y-%m-%d %H:%M}", "said": said, "why": why, "icon": kind.icon if kind else "circle-dot",
            "who": one["who"] or _actor(one),
        })  # fmt: skip
    return shown


def _actor(one: dict[str, Any]) -> str:
    if one["actor_kind"] == "system":
        return _("CareLoop, by the clock")
    return str(SOURCES.get(one["source"], one["source"] or one["actor_kind"]))


def payments_of(request: HttpRequest, row: dict[str, Any]) -> dict[str, Any] | None:
    """What was asked for about this appointment, for members who see payments and the patient."""
    member: Any = request.member  # type: ignore[attr-defined]
    if not member.can("payments.manage") or not row["is_visible"]:
        return None
    now, zone = timezone.now(), clinic_zone(request)
    return {
        "rows": [shown(one, zone, now=now) for one in payments.of_appointment(row["id"])],
        "new_url": new_url(patient_id=row["patient_id"], appointment_id=row["id"]),
    }


@requires("schedule.view")
@require_GET
def page(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """One appointment, as a page or in a dialog."""
    row = load(request, appointment_id)
    audit.record("appointment.viewed", patients=seen_patients([row]), target=("appointment", row["id"]))
    context = {
        "one": head(row, request),
        "next": back_of(request, row),
        "back_url": calendar_url(row["starts_at"].astimezone(clinic_zone(request)).date()),
        "payments": payments_of(request, row),
    }
    return respond(request, "schedule/appointment.html", context, fragment="schedule/_appointment.html")


@requires("schedule.book")
@require_POST
def step(request: HttpRequest, appointment_id: UUID, step: str) -> HttpResponse:
    """One click in a visit's way: confirmed, is here, checked in, was seen, did not come."""
    row = load(request, appointment_id)
    if step not in STEPS:
        raise Http404
    now, by = timezone.now(), request.member.user_id  # type: ignore[attr-defined]
    version = request.POST.get("version", "")
    given: dict[str, Any] = {"appointment_id": appointment_id, "now": now, "by": by}
    seen: dict[str, Any] = {"version": int(version)} if version.isdigit() else {}
    try:
        match step:
            case "confirm":
                services.confirm(**given)
            case "arrive":
                services.arrive(**given, **seen)
            case "check-in":
                services.arrive(**given, **seen, state="checked-in")
            case "seen":
                services.fulfil(**given, **seen)
            case _:
                services.miss(**given, **seen)
    except DomainError as refusal:
        return redirect_to(request, back_of(request, row), message=str(refusal), tone="warning")
    return redirect_to(request, back_of(request, row), message=str(STEPS[step][3]))


@requires("schedule.book")
def cancel(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """Cancel, with the reason; the patient is told."""
    row = load(request, appointment_id)
    form = CancelForm(request.POST or None, initial={"version": row["version"], "reason": "patient"})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            services.cancel(
                appointment_id=appointment_id, reason=given["reason"], note=given["note"], version=given["version"],
                now=timezone.now(), by=request.member.user_id,  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(
                request, back_of(request, row), message=_("The appointment is cancelled; the place is free again.")
            )
    return _ask(
        request, row, form, title=_("Cancel this appointment?"), label=_("Cancel the appointment"), tone="danger",
        text=_("The place becomes free at once, and the patient is told. Cancelled stays cancelled: to bring the visit back, book it anew."),
    )  # fmt: skip


@requires("schedule.book")
def err(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """Take out what should never have been there."""
    row = load(request, appointment_id)
    form = ErrorForm(request.POST or None, initial={"version": row["version"]})
    if request.method == "POST" and form.is_valid():
        try:
            services.mark_entered_in_error(
                appointment_id=appointment_id, version=form.cleaned_data["version"], note=form.cleaned_data["note"],
                now=timezone.now(), by=request.member.user_id,  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, back_of(request, row), message=_("The appointment is taken out."))
    return _ask(
        request, row, form, title=_("Entered in error?"), label=_("Take it out"), tone="danger",
        text=_("For an appointment that should never have been there, as one booked for the wrong patient. It is kept and hidden, and it counts nowhere."),
    )  # fmt: skip


def _ask(
    request: HttpRequest, row: dict[str, Any], form: forms.Form, *, title: str, text: str, label: str, tone: str
) -> HttpResponse:
    zone = clinic_zone(request)
    audit.record("appointment.viewed", patients=seen_patients([row]), target=("appointment", row["id"]))
    back = back_of(request, row)
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": form, "action": request.path,
        "facts": [{"label": _("Patient"), "value": shown_name(row)}, {"label": _("When"), "value": when_words(row, zone)},
                  {"label": _("Service"), "value": row["service"]}, {"label": _("Practitioner"), "value": row["practitioner"]}],
        "cancel_url": back, "hidden": [{"name": "next", "value": back}], "back_label": shown_name(row),
        "back_url": address("appointment", row["id"], next=back),
    }  # fmt: skip
    return respond(
        request,
        "schedule/ask.html",
        context,
        fragment="schedule/_ask.html",
        status=422 if request.method == "POST" else 200,
    )


# -- moving ---------------------------------------------------------------------------------------------------------


def sentence_of(found: dict[str, Any] | None) -> str:
    """Why an appointment cannot be moved there, in the words of the refusal; nothing when it can."""
    if found is None:
        return str(errors.UnknownSession())
    if found["was"] != "booked":
        return str(errors.NotInThisState(state=STATES[found["was"]]))
    checks = (
        (found["state"] != "OPEN", errors.SessionClosed), (not found["is_offered"], errors.NotOffered),
        (not found["is_inside"], errors.OutsideSession), (found["is_away"], errors.PractitionerAway),
        (found["is_taken"], errors.PlaceTaken), (found["is_busy"], errors.PatientBusy),
    )  # fmt: skip
    return next((str(refusal()) for is_so, refusal in checks if is_so), "")


@requires("schedule.book")
@require_GET
def move_check(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """Whether an appointment would fit into a place, for the one who drags it: asked before it is dropped."""
    limit = locations_of(request)
    if selectors.appointment(appointment_id, limit=limit) is None:
        raise Http404
    session_id, at = read_place(request.GET.get("place", ""))
    if session_id is None:
        return JsonResponse({"fits": False, "text": str(errors.UnknownSession())})
    why = sentence_of(selectors.conflict(appointment_id, session_id=session_id, starts_at=at, limit=limit))
    return JsonResponse({"fits": not why, "text": why})


@requires("schedule.book")
def move(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """Move: choose among free places, or confirm the one that was chosen or dropped on."""
    row = load(request, appointment_id)
    zone, now, limit = clinic_zone(request), timezone.now(), locations_of(request)
    back = back_of(request, row)
    if row["state"] != "booked":
        return refuse(request, str(errors.NotInThisState(state=STATES[row["state"]])))
    given = request.POST if request.method == "POST" else request.GET
    session_id, at = read_place(given.get("place", ""))
    session = selectors.board(session_id, now=now, limit=limit) if session_id else None
    if given.get("place") and session is None:
        raise Http404
    refusal_text = ""
    alternatives: list[Free] = []
    if request.method == "POST" and session is not None:
        version = request.POST.get("version", "")
        try:
            moved = services.move(
                appointment_id=appointment_id, place=Place(session["id"], starts_at=at if session["mode"] == "SLOTS" else None),
                version=int(version) if version.isdigit() else row["version"], now=now, by=request.member.user_id,  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as refusal:
            refusal_text, alternatives = str(refusal), getattr(refusal, "alternatives", [])
        else:
            said = _("Moved to %(when)s.") % {
                "when": when_words({"starts_at": moved.starts_at, "number": moved.number}, zone)
            }
            return redirect_to(request, back, message=said)
    audit.record("appointment.viewed", patients=seen_patients([row]), target=("appointment", row["id"]))
    context = {
        "one": head(row, request), "next": back, "refusal": refusal_text, "cancel_url": back,
        "alternatives": [{"label": place_words(one, zone), "value": place_key(one)} for one in alternatives],
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    if session is not None and not refusal_text:
        why = sentence_of(selectors.conflict(appointment_id, session_id=session["id"], starts_at=at, limit=limit))
        to = (
            when_words({"starts_at": at, "number": None}, zone)
            if at
            else f"{day_words(session['on_date'])} {PARTS[session['part']]}"
        )
        context |= {"to": to, "to_who": session["practitioner"], "to_where": session["location"], "place": given["place"], "why_not": why,
                    "same_who": session["practitioner"] == row["practitioner"]}  # fmt: skip
        return respond(
            request, "schedule/move_there.html", context, fragment="schedule/_move_there.html", status=status
        )
    return _free_places(request, row, context, status=status)


def _free_places(request: HttpRequest, row: dict[str, Any], context: dict[str, Any], *, status: int) -> HttpResponse:
    """The same service's free places: by default with the same practitioner, from today."""
    zone, now, limit = clinic_zone(request), timezone.now(), locations_of(request)
    known = selectors.choices(limit=limit)
    given: Any = {"service": str(row["service_id"]), "practitioner": str(row["practitioner_id"])}
    if "since" in request.GET or "practitioner" in request.GET:
        given = request.GET.copy()
        given["service"] = str(row["service_id"])
    form = booking.WishForm(given, known=known)
    form.fields["service"].choices = [(str(row["service_id"]), row["service"])]  # type: ignore[attr-defined]
    form.fields["service"].widget = form.fields["service"].hidden_widget()
    places: list[Free] = []
    if form.is_valid():
        places = booking.search_places(
            form.cleaned_data, zone=zone, now=now, limit=limit, patient_id=row["patient_id"], moving=row["id"],
            is_first_visit=row["is_first_visit"],
        )  # fmt: skip

    def url(place: Free) -> str:
        return address("move", row["id"], place=place_key(place), next=context["next"])

    context |= {
        "form": form, "days": booking.by_day(places, zone, url), "anybody_url": address("move", row["id"]) + "?practitioner=",
        "is_one": bool(uuid_of(form.data.get("practitioner"))), "home_url": reverse("schedule:home"),
    }  # fmt: skip
    return respond(request, "schedule/move.html", context, fragment="schedule/_move.html", status=status)
