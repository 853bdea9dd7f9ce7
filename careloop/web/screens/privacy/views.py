"""One patient's personal data: give all of it out, use it no longer, erase it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.patients import restricting
from careloop.patients.models import Patient
from careloop.privacy import selectors, services
from careloop.privacy.errors import MustBeKept
from careloop.scheduling import selectors as schedule
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, refuse, respond
from careloop.web.screens.privacy.forms import EraseForm, ReasonForm

MAY = "privacy.requests"
MOST_VISITS_SHOWN = 10
RESTRICTED, ERASED = Patient.Restriction.RESTRICTED, Patient.Restriction.ERASED


@requires(MAY)
@require_GET
def page(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """How the record stands, and what may be done with it."""
    patient = _patient(patient_id)
    stands = selectors.standing(patient_id, now=timezone.now())
    if stands is None:
        raise Http404
    audit.record("patient.viewed", patients=[patient_id], details={"tab": "personal-data"})
    context = {
        "patient": patient, "stands": stands, "is_restricted": stands.restriction == RESTRICTED,
        "is_erased": stands.restriction == ERASED, "back_url": address("patients:page", patient_id),
    }  # fmt: skip
    return respond(request, "privacy/page.html", context)


@requires(MAY)
@require_http_methods(["GET", "POST"])
def give_out(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Everything kept about the patient as one file, after a reason."""
    patient = _patient(patient_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        found = services.give_out(patient_id=patient_id, reason=form.cleaned_data["reason"], now=now)
        response = HttpResponse(
            orjson.dumps(found, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS),
            content_type="application/json; charset=utf-8",
        )
        day = now.astimezone(clinic_zone(request)).date().isoformat()
        response["Content-Disposition"] = f'attachment; filename="personal-data-{patient["id"].hex[-12:]}-{day}.json"'
        return response
    return _ask(
        request, patient, form, title=_("Give out all data"), label=_("Download"),
        text=_("The file holds everything CareLoop keeps of this person, in clear: details, records, messages, decisions, visits, points."),
        warning=_("Delete the file when it was handed over; it is outside CareLoop's protection."), download=True,
    )  # fmt: skip


@requires(MAY)
@require_http_methods(["GET", "POST"])
def restrict(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Keep the record, use it no longer."""
    now = timezone.now()
    coming = [
        f"{one['starts_at'].astimezone(clinic_zone(request)):%Y-%m-%d %H:%M}"
        for one in schedule.of_patient(patient_id, now=now, coming=MOST_VISITS_SHOWN, past=0)
    ]
    return _change(
        request, _patient(patient_id), restricting.restrict, done=_("The record is restricted."), title=_("Restrict this record?"),
        label=_("Restrict"), text=_(
            "The record stays and can be read, but nothing is planned, sent or counted from it: no reminder, no journey, no segment. "
            "Imports keep filling it. It can be lifted again."
        ),
        facts=[{"label": _("Visits to come"), "value": ", ".join(coming)}] if coming else [],
        warning=_("The visits to come stay booked, and nobody is reminded of them. Ask whether they are still wanted.") if coming else "",
    )  # fmt: skip


@requires(MAY)
@require_http_methods(["GET", "POST"])
def lift(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Use the record again."""
    return _change(
        request, _patient(patient_id), restricting.lift, done=_("The record is used again."), title=_("Lift the restriction?"),
        label=_("Lift it"), text=_("Reminders, journeys and segments take this person in again, by the agreements on record."),
    )  # fmt: skip


@requires(MAY)
@require_http_methods(["GET", "POST"])
def erase(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Empty the record for good."""
    patient = _patient(patient_id)
    stands = selectors.standing(patient_id, now=timezone.now())
    if stands is not None and stands.keep_until is not None:
        refusal = MustBeKept(until=stands.keep_until.isoformat(), legal_base=stands.legal_base)
        return refuse(request, str(refusal), status=refusal.status)
    form = EraseForm(request.POST or None, patient_name=patient["name"])
    if request.method == "POST" and form.is_valid():
        try:
            services.erase(patient_id=patient_id, reason=form.cleaned_data["reason"], now=timezone.now())
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("privacy:page", patient_id), message=_("The record is erased."))
    return _ask(
        request, patient, form, title=_("Erase this person's data?"), label=_("Erase for good"), tone="danger",
        text=_(
            "Name, identifiers, contacts, records, words of messages and notes go, and with them the key they were sealed with. Coming "
            "appointments are called off. Amounts, dates and decisions stay without saying whose they are."
        ),
        warning=_("After this, only a backup made before holds the data."),
    )  # fmt: skip


def _patient(patient_id: UUID) -> dict[str, Any]:
    patient = sql.row("select id, name, chart_number from patients_patient where id = %s", [patient_id])
    if patient is None:
        raise Http404
    return patient


def _change(
    request: HttpRequest, patient: dict[str, Any], change: Callable[..., bool], *, done: str, title: str, label: str, text: str,
    facts: list[dict[str, str]] | None = None, warning: str = "",
) -> HttpResponse:  # fmt: skip
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            change(patient_id=patient["id"], reason=form.cleaned_data["reason"], now=timezone.now())
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("privacy:page", patient["id"]), message=done)
    return _ask(request, patient, form, title=title, label=label, text=text, facts=facts, warning=warning)


def _ask(
    request: HttpRequest, patient: dict[str, Any], form: forms.Form, *, title: str, label: str, text: str, warning: str = "",
    facts: list[dict[str, str]] | None = None, tone: str = "primary", download: bool = False,
) -> HttpResponse:  # fmt: skip
    audit.record("patient.viewed", patients=[patient["id"]], details={"tab": "personal-data"})
    whose = [{"label": _("Patient"), "value": patient["name"]}]
    if patient["chart_number"]:
        whose.append({"label": _("Chart number"), "value": patient["chart_number"]})
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": form, "action": request.path, "facts": [*whose, *(facts or [])],
        "warning": warning, "cancel_url": address("privacy:page", patient["id"]), "download": download,
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, "privacy/ask.html", context, fragment="privacy/_ask.html", status=status)
