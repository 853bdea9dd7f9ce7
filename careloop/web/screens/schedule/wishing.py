"""Putting a patient on the waitlist, and changing what they wait for."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.patients import selectors as patients
from careloop.scheduling import selectors, wishes
from careloop.scheduling import waitlist as services
from careloop.scheduling.models import PartOfDay
from careloop.web.http import clinic_zone, next_url, redirect_to, respond
from careloop.web.screens.schedule.booking import FOUND
from careloop.web.screens.schedule.common import (
    address,
    locations_of,
    offer_choices,
    patient_or_404,
    shown_name,
    uuid_of,
    when_words,
)
from careloop.web.screens.schedule.forms import DayField
from careloop.web.screens.schedule.waitlist import PRIORITIES, load

USUALLY = timedelta(days=30)
"""How long somebody waits who says nothing else."""
ASKED_BY = (("phone", gettext_lazy("by telephone")), ("desk", gettext_lazy("at the desk")))


class EntryForm(forms.Form):
    """What somebody would come for at once if there were a place."""

    key = forms.CharField(required=False, widget=forms.HiddenInput, max_length=60)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    service = forms.ChoiceField(label=gettext_lazy("Service"))
    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"), required=False)
    location = forms.ChoiceField(label=gettext_lazy("Clinic"), required=False)
    first_date = DayField(label=gettext_lazy("First day"))
    last_date = DayField(
        label=gettext_lazy("Last day"), help_text=gettext_lazy("After it the wish goes off the list by itself.")
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Weekdays"), required=False, coerce=int, widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: any."),
    )  # fmt: skip
    parts = forms.MultipleChoiceField(
        label=gettext_lazy("Part of the day"), required=False, choices=PartOfDay.choices, widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: any."),
    )  # fmt: skip
    priority = forms.TypedChoiceField(label=gettext_lazy("Turn"), coerce=int, choices=list(PRIORITIES.items()))
    source = forms.ChoiceField(label=gettext_lazy("Asked for"), choices=ASKED_BY, widget=forms.RadioSelect)
    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=200, help_text=gettext_lazy("For colleagues at the desk; patients do not see it.")
    )  # fmt: skip

    def __init__(self, *args: Any, known: dict[str, Any], is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_choices(self.fields, known)
        for name in () if is_new else ("service", "priority", "source", "key"):
            del self.fields[name]

    def wish(self) -> dict[str, Any]:
        """What both services take of it."""
        given = self.cleaned_data
        return {
            "practitioner_id": uuid_of(given["practitioner"]), "location_id": uuid_of(given.get("location")), "weekdays": given["weekdays"],
            "parts": given["parts"], "first_date": given["first_date"], "last_date": given["last_date"], "note": given["note"],
        }  # fmt: skip


@requires("schedule.book")
def new(request: HttpRequest) -> HttpResponse:
    """Who waits, then for what; from an appointment: for an earlier place, and the later visit is given up for it."""
    patient_id = uuid_of(request.GET.get("patient"))
    if patient_id is None:
        return _choose_patient(request)
    person = patient_or_404(patient_id)
    limit, zone = locations_of(request), clinic_zone(request)
    today = timezone.now().astimezone(zone).date()
    later = _later(request, patient_id)
    form = EntryForm(
        request.POST or None, known=selectors.choices(limit=limit), is_new=True, initial=_initial(request, later, today=today, zone=zone)
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = services.join(
                patient_id=patient_id, service_id=UUID(given["service"]), priority=given["priority"], source=given["source"],
                instead_of_id=later["id"] if later else None, key=f"desk:{given['key']}" if given["key"] else "", now=timezone.now(),
                by=request.member.user_id, **form.wish(),  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = (
                _("%(name)s is on the waitlist.")
                if made.state == "WAITING"
                else _("There is a free place: it is offered to %(name)s.")
            )
            return redirect_to(
                request, next_url(request, address("wish", made.pk)), message=said % {"name": person["name"]}
            )
    audit.record("patient.viewed", patients=[patient_id], details={"for": "waitlist"})
    context = {
        "title": _("Waitlist: %(name)s") % {"name": person["name"]}, "label": _("Put on the waitlist"), "form": form,
        "lead": _("Stands for the visit on %(when)s, which is called off when an earlier place is taken.") % {"when": when_words(later, zone)}
        if later else _("A place that comes free is offered by message, to one at a time, with a deadline."),
        "back_url": next_url(request, address("waitlist")), "back_label": _("Back"),
    }  # fmt: skip
    return respond(request, "schedule/form.html", context, status=422 if request.method == "POST" else 200)


def _later(request: HttpRequest, patient_id: UUID) -> dict[str, Any] | None:
    """The visit that is given up for an earlier place."""
    asked = uuid_of(request.GET.get("instead"))
    if asked is None:
        return None
    found = selectors.appointment(asked, limit=locations_of(request))
    if found is None or found["patient_id"] != patient_id or found["state"] != "booked":
        raise Http404
    return found


def _initial(request: HttpRequest, later: dict[str, Any] | None, *, today: date, zone: Any) -> dict[str, Any]:
    """What is known already: from the visit, from the session that is full, or from the search that found nothing."""
    get = request.GET
    known: dict[str, Any] = {
        "key": uuid7().hex, "first_date": today, "last_date": today + USUALLY, "priority": 2, "source": "phone",
        "service": get.get("service", ""), "practitioner": get.get("practitioner", ""), "location": get.get("location", ""),
        "weekdays": get.getlist("weekdays"), "parts": get.getlist("parts"),
    }  # fmt: skip
    if later:
        day = later["starts_at"].astimezone(zone).date()
        return {
            **known,
            "service": str(later["service_id"]),
            "last_date": max(day, today),
            "practitioner": str(later["practitioner_id"]),
        }
    session_id = uuid_of(get.get("session"))
    session = selectors.board(session_id, now=timezone.now(), limit=locations_of(request)) if session_id else None
    if session:
        day = max(session["on_date"], today)
        return {**known, "practitioner": str(session["practitioner_id"]), "location": str(session["location_id"]), "parts": [session["part"]],
                "first_date": day, "last_date": day}  # fmt: skip
    return known


def _choose_patient(request: HttpRequest) -> HttpResponse:
    """The first step: find the patient, or register one and come back here."""
    text = request.GET.get("q", "").strip()
    kept = {name: request.GET[name] for name in ("session", "service", "next") if request.GET.get(name)}
    found = []
    if text:
        today = timezone.now().astimezone(clinic_zone(request)).date()
        found = patients.search(text, today=today, limit=FOUND)
        if found:
            audit.record("patients.searched", patients=[one.id for one in found], details={"for": "waitlist"})
    here = address("wish_new", **kept)
    joint = "&" if "?" in here else "?"
    context = {
        "kept": kept, "q": text, "found": [{"person": one, "url": f"{here}{joint}patient={one.id}"} for one in found], "here": here,
        "may_register": request.member.can("patients.edit"), "back_url": address("waitlist"),  # type: ignore[attr-defined]
    }  # fmt: skip
    return respond(request, "schedule/wish_who.html", context, status=422 if request.method == "POST" else 200)


@requires("schedule.book")
def edit(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """Change what somebody waits for; their turn stays."""
    row = load(request, entry_id)
    initial = {
        "version": row["version"], "practitioner": str(row["practitioner_id"] or ""), "location": str(row["location_id"] or ""),
        **{name: row[name] for name in ("weekdays", "parts", "first_date", "last_date", "note")},
    }  # fmt: skip
    known = selectors.choices(limit=locations_of(request))
    form = EntryForm(request.POST or None, known=known, is_new=False, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            wishes.change(
                entry_id=entry_id, version=form.cleaned_data["version"] or 0, now=timezone.now(), by=request.member.user_id,  # type: ignore[attr-defined]
                **form.wish(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("wish", entry_id), message=_("The wish is changed."))
    audit.record("waitlist.viewed", patients=[row["patient_id"]], target=("waitlist_entry", row["id"]))
    context = {
        "title": _("Change the wish"), "lead": f"{shown_name(row)} · {row['service']}", "form": form,
        "label": pgettext_lazy("schedule", "Save"), "back_url": address("wish", entry_id), "back_label": shown_name(row),
    }  # fmt: skip
    return respond(request, "schedule/form.html", context, status=422 if request.method == "POST" else 200)
