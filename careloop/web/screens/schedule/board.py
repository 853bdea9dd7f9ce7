"""One session: who comes in which order, with what can be done; closing it, giving it to a substitute, ending it; opening one by hand."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.scheduling import selectors, sessions
from careloop.scheduling.models import Mode
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.schedule import layout
from careloop.web.screens.schedule.appointments import steps_for
from careloop.web.screens.schedule.calendar import card, numbers_shown, session_head
from careloop.web.screens.schedule.common import (
    PARTS,
    POOLS,
    REASONS,
    SOURCES,
    address,
    calendar_url,
    clock,
    day_of,
    day_words,
    locations_of,
    seen_patients,
    span,
    uuid_of,
)

TOLD = ("booked",)


class CloseForm(forms.Form):
    """Why a session does not take place; patients may read it."""

    reason = forms.CharField(
        label=pgettext_lazy("schedule", "Why"),
        max_length=200,
        help_text=gettext_lazy("Colleagues see it in the calendar, as: the physician is ill."),
    )


class SubstituteForm(forms.Form):
    """Who sees the patients instead."""

    practitioner = forms.ChoiceField(label=gettext_lazy("Who sees the patients instead"))

    def __init__(self, *args: Any, people: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].choices = people  # type: ignore[attr-defined]


class OpenForm(forms.Form):
    """A session that the week does not have."""

    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"))
    location = forms.ChoiceField(label=gettext_lazy("Clinic"))
    room = forms.ChoiceField(label=gettext_lazy("Room"), required=False)
    date = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    starts = forms.TimeField(
        label=pgettext_lazy("schedule", "From"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    ends = forms.TimeField(
        label=pgettext_lazy("schedule", "Until"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    mode = forms.ChoiceField(label=gettext_lazy("Places are given"), choices=Mode.choices)
    slot_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes of one place"), min_value=1, max_value=240, initial=15,
        help_text=gettext_lazy("By number: how long one patient takes, for the expected time."),
    )  # fmt: skip
    numbers = forms.IntegerField(
        label=gettext_lazy("How many numbers"),
        min_value=0,
        max_value=999,
        required=False,
        initial=0,
        help_text=gettext_lazy("Only by number."),
    )

    def __init__(self, *args: Any, people: Any, locations: Any, rooms: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].choices = people  # type: ignore[attr-defined]
        self.fields["location"].choices = locations  # type: ignore[attr-defined]
        self.fields["room"].choices = [("", _("No room")), *rooms]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("starts") and given.get("ends") and given["ends"] <= given["starts"]:
            self.add_error("ends", _("The session must end after it begins."))
        if given.get("mode") == Mode.NUMBERS and not given.get("numbers"):
            self.add_error("numbers", _("Say how many numbers the session has (1 to 999)."))
        return given


def load(request: HttpRequest, session_id: UUID) -> dict[str, Any]:
    """The session, if it is in a branch the member sees."""
    found = selectors.board(session_id, now=timezone.now(), limit=locations_of(request))
    if found is None:
        raise Http404
    return found


@requires("schedule.view")
@require_GET
def page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Everybody of a session in the order of time or number, each with what can be done."""
    row = load(request, session_id)
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    here = request.get_full_path()
    may_book, may_manage = member.can("schedule.book"), member.can("schedule.manage")
    listed = sorted(
        row["appointments"], key=lambda one: (one["state"] == "cancelled", one["number"] or 0, one["starts_at"])
    )
    rows = [
        {
            **card(one, zone, here=here), "pool": POOLS.get(one["pool"], ""), "note": one["note"] if one["is_visible"] else "",
            "is_visible": one["is_visible"], "patient_id": one["patient_id"], "version": one["version"], "is_gone": one["state"] == "cancelled",
            "why": REASONS.get(one["cancel_reason"], ""), "source": SOURCES.get(one["source"], ""),
            "arrived": clock(one["arrived_at"], zone) if one["arrived_at"] else "", "equipment": one["equipment"] or "",
            "steps": steps_for({**one, "session_state": row["state"], "session_ends_at": row["ends_at"]}, now=now) if may_book else [],
        }
        for one in listed
    ]  # fmt: skip
    if rows:
        audit.record("appointments.listed", patients=seen_patients(listed), target=("session", session_id))
    shown = session_head({**row, "appointments": [one for one in listed if one["state"] != "cancelled"]}, zone, now=now)
    is_open = row["state"] == "OPEN"
    live = [one for one in listed if one["state"] != "cancelled"]
    free = layout.free_times({**row, "appointments": live}, [], now=now) if may_book and not row["is_away"] else []
    context = {
        "one": shown, "day": day_words(row["on_date"]), "rows": [one for one in rows if not one["is_gone"]], "gone": [one for one in rows if one["is_gone"]],
        "stats": _stats(live), "back_url": calendar_url(row["on_date"]), "may_book": may_book and is_open and row["on_date"] >= now.astimezone(zone).date(), "may_finish": may_book and is_open and row["starts_at"] <= now, "may_manage": may_manage,
        "is_away": row["is_away"], "is_over": row["ends_at"] <= now, "has_begun": row["starts_at"] <= now, "here": here,
        "free": [{"time": clock(start, zone), "url": address("book", session=row["id"], at=start.isoformat(), next=here)} for start, _end in free],
        "numbers": numbers_shown({**row, "appointments": live}, zone, now=now, may_book=may_book, here=here) if row["mode"] == "NUMBERS" else [],
        "extra_url": address("book", session=row["id"], number="extra", next=here) if row["mode"] == "NUMBERS" else "",
        "walk_in_url": address("book", session=row["id"], pool="WALK_IN", next=here) if any(one["pool"] == "WALK_IN" for one in row["pools"]) else "",
        "wait_url": address("wish_new", session=row["id"], next=here),
        "left": sum(one["state"] == "booked" for one in live),
    }  # fmt: skip
    return respond(request, "schedule/board.html", context)


def _stats(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def of(*states: str) -> int:
        return sum(one["state"] in states for one in rows)

    return [
        {"label": _("Expected"), "value": of("booked"), "icon": "calendar", "tone": ""},
        {"label": _("Here now"), "value": of("arrived", "checked-in"), "icon": "door-enter", "tone": ""},
        {"label": _("Seen"), "value": of("fulfilled"), "icon": "circle-check", "tone": "success"},
        {"label": _("Did not come"), "value": of("noshow"), "icon": "user-x", "tone": "danger" if of("noshow") else ""},
    ]  # fmt: skip


def _asked(
    request: HttpRequest, row: dict[str, Any], form: Any, *, title: str, text: str, label: str, tone: str = "primary",
    facts: Any = (), warning: str = "", status: int = 200,
) -> HttpResponse:  # fmt: skip
    zone = clinic_zone(request)
    here = address("session", row["id"])
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": form or "", "action": request.path, "warning": warning,
        "facts": [{"label": _("Session"), "value": f"{day_words(row['on_date'])} {span(row['starts_at'], row['ends_at'], zone)}"},
                  {"label": _("Practitioner"), "value": row["practitioner"]}, *facts],
        "cancel_url": here, "hidden": [], "back_label": f"{PARTS[row['part']]} {row['practitioner']}", "back_url": here,
    }  # fmt: skip
    return respond(request, "schedule/ask.html", context, fragment="schedule/_ask.html", status=status)


def _booked(row: dict[str, Any]) -> int:
    return sum(one["state"] in TOLD for one in row["appointments"])


@requires("schedule.manage")
def close(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Close a session (停診): says first how many patients will be told."""
    row = load(request, session_id)
    form = CloseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now, by = timezone.now(), request.member.user_id  # type: ignore[attr-defined]
        told = sessions.close_session(session_id=session_id, reason=form.cleaned_data["reason"], now=now, by=by)
        said = ngettext(
            "The session is closed; %(count)d appointment is called off.",
            "The session is closed; %(count)d appointments are called off.",
            told,
        )
        return redirect_to(request, address("session", session_id), message=said % {"count": told})
    booked = _booked(row)
    here = sum(one["state"] in ("arrived", "checked-in") for one in row["appointments"])
    text = ngettext(
        "%(count)d patient is booked. The appointment is called off and the patient is told and offered another time.",
        "%(count)d patients are booked. Their appointments are called off and they are told and offered another time.", booked,
    ) % {"count": booked}  # fmt: skip
    warning = ngettext(
        "%(count)d patient is already here and stays on the list.",
        "%(count)d patients are already here and stay on the list.",
        here,
    ) % {"count": here}
    return _asked(
        request, row, form, title=_("Close this session?"), label=_("Close the session"), tone="danger",
        text=text if booked else _("Nobody is booked, so nobody has to be told."), warning=warning if here else "",
        facts=[{"label": _("Patients to be told"), "value": str(booked)}], status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@requires("schedule.manage")
@require_POST
def reopen(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Open a closed session again; who was called off is booked anew by hand."""
    load(request, session_id)
    try:
        sessions.reopen_session(session_id=session_id, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
    except DomainError as refusal:
        return redirect_to(request, address("session", session_id), message=str(refusal), tone="warning")
    return redirect_to(
        request,
        address("session", session_id),
        message=_("The session is open again. Who was called off has to be booked anew."),
    )


@requires("schedule.manage")
def substitute(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Give a session to a substitute (代診): says first how many patients will be told."""
    row = load(request, session_id)
    people = [
        (str(one["id"]), one["name"])
        for one in selectors.practitioners()
        if one["is_active"] and one["id"] != row["practitioner_id"]
    ]
    form = SubstituteForm(request.POST or None, people=people)
    if request.method == "POST" and form.is_valid():
        try:
            told = sessions.substitute(
                session_id=session_id, practitioner_id=UUID(form.cleaned_data["practitioner"]), now=timezone.now(),
                by=request.member.user_id,  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = ngettext(
                "The session has a substitute; %(count)d patient is told.",
                "The session has a substitute; %(count)d patients are told.",
                told,
            )
            return redirect_to(request, address("session", session_id), message=said % {"count": told})
    booked = _booked(row)
    return _asked(
        request, row, form, title=_("Let a substitute see the patients?"), label=_("Give to the substitute"),
        text=_("Times and numbers stay as they are. Everybody who is booked is told who will see them."),
        facts=[{"label": _("Patients to be told"), "value": str(booked)}], status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@requires("schedule.book")
def finish(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End a session: who was booked and did not come is noted so."""
    row = load(request, session_id)
    booked = _booked(row)
    if request.method == "POST":
        try:
            missed = sessions.finish(session_id=session_id, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
        except DomainError as refusal:
            return redirect_to(request, address("session", session_id), message=str(refusal), tone="warning")
        said = ngettext(
            "The session has ended; %(count)d patient did not come.",
            "The session has ended; %(count)d patients did not come.",
            missed,
        )
        return redirect_to(request, address("session", session_id), message=said % {"count": missed})
    return _asked(
        request, row, None, title=_("End this session?"), label=_("End the session"),
        text=_("Who is still expected is noted as “did not come”. Who is here stays on the list."),
        facts=[{"label": _("Still expected"), "value": str(booked)}],
    )  # fmt: skip


def set_up_choices(limit: list[UUID] | None) -> dict[str, list[tuple[str, str]]]:
    """Practitioners, branches and rooms to choose from."""
    known = selectors.choices(limit=limit)
    rooms = [
        (str(one["id"]), f"{one['location']} · {one['name']}") for one in selectors.resources()
        if one["kind"] == "ROOM" and one["is_active"] and (limit is None or one["location_id"] in limit)
    ]  # fmt: skip
    return {
        "people": [(str(one["id"]), one["name"]) for one in selectors.practitioners() if one["is_active"]],
        "locations": [(one["id"], one["name"]) for one in known["locations"]], "rooms": rooms,
    }  # fmt: skip


@requires("schedule.manage")
def new(request: HttpRequest) -> HttpResponse:
    """Open one session by hand, on a day that the week does not have it."""
    zone, now = clinic_zone(request), timezone.now()
    initial: dict[str, Any] = {
        "date": day_of(request.GET.get("date"), now.astimezone(zone).date()), "starts": "09:00", "ends": "12:00", "slot_minutes": 15, "numbers": 0,
        "practitioner": request.GET.get("practitioner", ""),
    }  # fmt: skip
    form = OpenForm(request.POST or None, initial=initial, **set_up_choices(locations_of(request)))
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        by_number = given["mode"] == Mode.NUMBERS
        values = {
            "practitioner_id": UUID(given["practitioner"]), "location_id": UUID(given["location"]), "room_id": uuid_of(given["room"]),
            "starts_at": _moment(given["date"], given["starts"], zone), "ends_at": _moment(given["date"], given["ends"], zone),
            "mode": given["mode"], "slot_minutes": given["slot_minutes"], "numbers": given["numbers"] if by_number else 0,
        }  # fmt: skip
        try:
            made = sessions.open_session(values=values, now=now, by=request.member.user_id)  # type: ignore[attr-defined]
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(
                request, address("session", made.pk), message=_("The session is open; patients can be booked.")
            )
    context = {
        "form": form, "title": _("Open a session"), "label": _("Open the session"), "back_url": calendar_url(initial["date"]),
        "back_label": _("Calendar"), "lead": _("For one day only. What repeats every week belongs into the week of the practitioner."),
    }  # fmt: skip
    return respond(request, "schedule/form.html", context, status=422 if request.method == "POST" else 200)


def _moment(day: date, at: Any, zone: Any) -> datetime:
    return datetime.combine(day, at, zone)
