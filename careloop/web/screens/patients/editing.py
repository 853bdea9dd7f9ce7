"""Forms about one patient: registration, changes, contact, family, background, visits, values."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.consent import selectors as consent_selectors
from careloop.consent import services as consent
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.patients import errors, services
from careloop.patients import selectors as patient_selectors
from careloop.patients.models import ContactPoint, HealthNote, Patient, RelatedPerson
from careloop.patients.services import NewContact, NewIdentifier
from careloop.records import selectors as record_selectors
from careloop.records import services as records
from careloop.web.http import clinic_zone, next_url, redirect_to, respond
from careloop.web.screens.patients import list_query, overview, words
from careloop.web.screens.patients.forms import (
    ChangeContactForm,
    ContactForm,
    EditForm,
    FamilyForm,
    HealthNoteForm,
    ReasonForm,
    RegisterForm,
    ResultForm,
    TagForm,
    VisitForm,
)


def patient_url(patient_id: UUID, tab: str = "") -> str:
    base = reverse("patients:page", args=[patient_id])
    return f"{base}{tab}/" if tab else base


def show_form(
    request: HttpRequest, form: forms.Form, *, title: str, label: str, back: str, text: str = "", warning: str = "", tone: str = "primary",
    extra: Mapping[str, Any] | None = None, template: str = "patients/form.html",
) -> HttpResponse:  # fmt: skip
    """Show a form as a page, or in the dialog; again with its errors after a POST that was refused."""
    context = {
        "form": form, "title": title, "label": label, "back": back, "text": text, "warning": warning, "tone": tone, **(extra or {}),
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, template, context, fragment="patients/_form.html", status=status)


def attempt(form: forms.Form, change: Callable[[], object]) -> bool:
    """Run a change; a refusal lands in the form and nothing of it is kept."""
    try:
        with transaction.atomic():
            change()
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _by(request: HttpRequest) -> UUID:
    member: Any = request.member  # type: ignore[attr-defined]
    return member.user_id


# -- registration -----------------------------------------------------------------------------------------------


@requires("patients.edit")
def register(request: HttpRequest) -> HttpResponse:
    """Register a patient: who, how to reach them, the notice, and what they agree to, in one transaction."""
    now = timezone.now()
    choices = list_query.choices()
    form = RegisterForm(request.POST or None, locations=choices["locations"], initial={"idempotency_key": uuid7()})
    texts = _texts(consent_selectors.current_notices())
    similar: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        done: list[services.Registered] = []

        def everything() -> None:
            done.append(_register(request, form, texts, now=now))

        try:
            with transaction.atomic():
                everything()
        except errors.PossibleDuplicate as refusal:
            ids = [UUID(one) for one in refusal.details["patients"]]
            similar = _similar(ids, now=now, request=request)
            form.add_error(None, str(refusal))
            audit.record("patient.duplicates_shown", patients=[one["id"] for one in similar if one["id"]])
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            [registered] = done
            message = _("%(name)s is registered.") % {"name": given["name"]}
            warnings = words.warning_words(registered.warnings)
            back = next_url(request, "")  # who registers somebody to book for them goes on booking
            return redirect_to(
                request,
                f"{back}{'&' if '?' in back else '?'}patient={registered.patient_id}"
                if back
                else patient_url(registered.patient_id),
                message=" ".join([message, *warnings]),
                tone="warning" if warnings else "success",
            )
    context = {"form": form, "texts": texts, "similar": similar, "next": next_url(request, "")}
    status = 422 if request.method == "POST" else 200
    return respond(request, "patients/register.html", context, fragment="patients/_register.html", status=status)


def _register(request: HttpRequest, form: RegisterForm, texts: dict[str, Any], *, now: datetime) -> services.Registered:
    given, by = form.cleaned_data, _by(request)
    registered = services.register(
        details=form.details(),
        contacts=[NewContact("phone", given["phone"]), NewContact("email", given["email"])],
        identifiers=[NewIdentifier("national_id", given["national_id"])],
        idempotency_key=given["idempotency_key"], even_if_similar=bool(request.POST.get("even_if_similar")), now=now, by=by,
    )  # fmt: skip
    if not registered.is_new:
        return registered
    patient_id = registered.patient_id
    if given["notice"] == "shown" and texts.get("privacy"):
        consent.record_notice_shown(patient_id=patient_id, notice_id=texts["privacy"]["id"], how="desk", now=now, by=by)
    source = given["consent_source"] or "desk"
    for channel in given["marketing"]:
        consent.give(
            patient_id=patient_id, purpose="MARKETING", channel=channel, source=source,
            notice_id=(texts.get("MARKETING") or {}).get("id"), now=now, by=by,
        )  # fmt: skip
    if given["health_marketing"]:
        consent.give(
            patient_id=patient_id, purpose="HEALTH_MARKETING", source=source,
            notice_id=(texts.get("HEALTH_MARKETING") or {}).get("id"), now=now, by=by,
        )  # fmt: skip
    return registered


def _texts(notices: dict[str, dict[str, Any]]) -> dict[str, Any]:
    language = get_language() or "zh-hant"
    return {
        purpose or "privacy": {
            "id": one["id"],
            "version": one["version"],
            **consent_selectors.text_in(one["texts"], language),
        }
        for purpose, one in notices.items()
    }


def _similar(ids: list[UUID], *, now: datetime, request: HttpRequest) -> list[dict[str, Any]]:
    """Those who look alike, as the page shows them; of one at a location this member does not see, only that there is one."""
    today = words.today_of(request, now)
    here, limit = at_home("home_location_id")
    found = sql.rows(
        f"""select id, name, sex, birth_date, birth_precision, chart_number from patients_patient
             where id = any(%(ids)s){here}""",
        {"ids": ids, **limit},
    )
    phones = patient_selectors.masked_phones([row["id"] for row in found])
    elsewhere = {"id": None, "url": "", "name": _("A record at another location"), "chart_number": "", "person": ""}
    return [
        {
            "id": row["id"], "url": patient_url(row["id"]), "name": row["name"], "chart_number": row["chart_number"],
            "person": " · ".join(
                part for part in (
                    words.word(words.SEX_SHORT, row["sex"]), words.birth(row["birth_date"], row["birth_precision"]),
                    words.age(row["birth_date"], today=today, precision=row["birth_precision"]), *phones.get(row["id"], [])[:1],
                ) if part
            ),
        }
        for row in found
    ] + [elsewhere] * (len(ids) - len(found))  # fmt: skip


# -- the record -------------------------------------------------------------------------------------------------


@requires("patients.edit")
def edit(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Change the record. When somebody else changed it meanwhile, both states are shown."""
    patient = Patient.objects.filter(id=patient_id).first()
    if patient is None:
        raise Http404
    current = {name: getattr(patient, name) for name in EditForm.FIELDS if name != "address"}
    current |= {
        "address": patient_selectors.address_of(patient_id), "deceased": patient.deceased, "active": patient.active,
        "version": patient.version, "sex": "" if patient.sex == "unknown" else patient.sex,
    }  # fmt: skip
    choices = list_query.choices()
    form = EditForm(request.POST or None, initial=current, locations=choices["locations"])
    theirs: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        now, by = timezone.now(), _by(request)
        try:
            with transaction.atomic():
                version = form.cleaned_data["version"]
                changed = services.update(
                    patient_id=patient_id, changes=form.details(), version=version, now=now, by=by
                )
                warning = ""
                if form.cleaned_data["national_id"]:
                    warning = services.set_identifier(
                        patient_id=patient_id, kind="national_id", text=form.cleaned_data["national_id"],
                        version=version + bool(changed), now=now, by=by,
                    )  # fmt: skip
            said = words.word(words.WARNINGS, warning)
            return redirect_to(
                request,
                patient_url(patient_id),
                message=said or _("The changes are saved."),
                tone="warning" if said else "success",
            )
        except errors.ChangedMeanwhile as refusal:
            form.add_error(None, str(refusal))
            theirs = [
                {"label": words.word(words.FIELDS, name).capitalize(), "value": _plain(form.fields[name], current[name])}
                for name, value in form.details().items() if current[name] != value and (current[name] or value)
            ]  # fmt: skip
            # saving again is then a decision, made with both states in view
            again = request.POST.copy()
            again["version"] = str(patient.version)
            form.data = again
        except DomainError as refusal:
            form.add_error(None, str(refusal))
    audit.record("patient.viewed", patients=[patient_id], details={"tab": "edit"})
    return show_form(
        request, form, title=_("Change %(name)s") % {"name": patient.name}, label=_("Save"), back=patient_url(patient_id),
        extra={"theirs": theirs}, template="patients/edit.html",
    )  # fmt: skip


def _plain(field: forms.Field, value: Any) -> str:
    """Return a value of the record in words, as its field would show it."""
    if isinstance(value, bool):
        return pgettext("saved value", "yes") if value else pgettext("saved value", "no")
    if isinstance(field, forms.ChoiceField):
        chosen = "" if value is None or value == Patient.Sex.UNKNOWN else str(value)
        choices: Any = field.choices
        return next((str(label) for code, label in choices if str(code) == chosen), chosen)
    if value is None:
        return ""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@requires("patients.reveal")
def reveal(request: HttpRequest, patient_id: UUID, row_id: UUID) -> HttpResponse:
    """Show one masked value in full, after a reason; who saw what and why stays in the audit log."""
    masked = next((one for one in patient_selectors.secrets_of(patient_id) if one.id == row_id), None)
    if masked is None:
        raise Http404
    form = ReasonForm(request.POST or None)
    context: dict[str, Any] = {
        "form": form, "back": patient_url(patient_id), "masked": masked.masked, "what": overview.secret_shown(masked)["label"],
    }  # fmt: skip
    status = 200
    if request.method == "POST":
        if form.is_valid():
            shown = next(one for one in patient_selectors.secrets_of(patient_id, reveal=row_id) if one.id == row_id)
            audit.record(
                "patient.revealed", patients=[patient_id], target=(masked.kind, row_id), reason=form.cleaned_data["reason"],
                details={"kind": masked.kind},
            )  # fmt: skip
            context["value"] = shown.value
        else:
            status = 422
    return respond(request, "patients/reveal.html", context, fragment="patients/_reveal.html", status=status)


# -- contact points ---------------------------------------------------------------------------------------------


@requires("patients.edit")
def add_contact(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Add a way to reach the patient."""
    _must_exist(patient_id)
    form = ContactForm(request.POST or None)
    made: list[ContactPoint] = []
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: made.append(services.add_contact_point(
            patient_id=patient_id, **form.cleaned_data, now=timezone.now(), by=_by(request)))
    ):  # fmt: skip
        said = words.word(words.WARNINGS, made[0].warning)
        return redirect_to(
            request,
            patient_url(patient_id),
            message=said or _("The contact is saved."),
            tone="warning" if said else "success",
        )
    return show_form(request, form, title=_("Add a contact"), label=_("Save"), back=patient_url(patient_id))


@requires("patients.edit")
def change_contact(request: HttpRequest, patient_id: UUID, contact_id: UUID) -> HttpResponse:
    """Correct a contact."""
    row = ContactPoint.objects.filter(id=contact_id, patient_id=patient_id).first()
    if row is None:
        raise Http404
    form = ChangeContactForm(request.POST or None, initial={"use": row.use})
    made: list[ContactPoint] = []
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: made.append(services.change_contact_point(
            contact_point_id=contact_id, **form.cleaned_data, now=timezone.now(), by=_by(request)))
    ):  # fmt: skip
        said = words.word(words.WARNINGS, made[0].warning)
        return redirect_to(
            request,
            patient_url(patient_id),
            message=said or _("The contact is saved."),
            tone="warning" if said else "success",
        )
    return show_form(
        request, form, title=_("Change a contact"), label=_("Save"), back=patient_url(patient_id),
        text=_("A new value counts as not verified and not tried yet."),
    )  # fmt: skip


@requires("patients.edit")
@require_POST
def remove_contact(request: HttpRequest, patient_id: UUID, contact_id: UUID) -> HttpResponse:
    """Take a contact away."""
    if not ContactPoint.objects.filter(id=contact_id, patient_id=patient_id).exists():
        raise Http404
    services.remove_contact_point(contact_point_id=contact_id, now=timezone.now(), by=_by(request))
    return redirect_to(request, patient_url(patient_id), message=_("The contact is removed."))


# -- tags, background, family -----------------------------------------------------------------------------------


@requires("patients.edit")
def give_tag(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Tag one patient."""
    _must_exist(patient_id)
    form = TagForm(request.POST or None)
    now, by = timezone.now(), _by(request)

    def change() -> None:
        tag = services.create_tag(name=form.cleaned_data["name"], now=now, by=by)
        services.give_tag(patient_ids=[patient_id], tag_id=tag.id, now=now, by=by)

    if request.method == "POST" and form.is_valid() and attempt(form, change):
        return redirect_to(request, patient_url(patient_id), message=_("The tag is given."))
    names = [one["name"] for one in patient_selectors.tags()]
    return show_form(
        request, form, title=_("Give a tag"), label=_("Give"), back=patient_url(patient_id), extra={"names": {"tag-names": names}},
        text=_("Choose a tag, or write a new one."),
    )  # fmt: skip


@requires("patients.edit")
@require_POST
def remove_tag(request: HttpRequest, patient_id: UUID, tag_id: UUID) -> HttpResponse:
    """Take a tag off one patient."""
    _must_exist(patient_id)
    try:
        services.remove_tag(patient_ids=[patient_id], tag_id=tag_id, now=timezone.now(), by=_by(request))
    except errors.UnknownTag:
        raise Http404 from None
    return redirect_to(request, patient_url(patient_id), message=_("The tag is removed."))


@requires("patients.edit")
def add_note(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Add to the health background."""
    _must_exist(patient_id)
    form = HealthNoteForm(request.POST or None, initial={"key": uuid7(), "kind": "HABIT"})
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        key = given.pop("key")
        if attempt(form, lambda: services.add_health_note(
            patient_id=patient_id, note_id=key, **given, now=timezone.now(), by=_by(request))
        ):  # fmt: skip
            return redirect_to(request, patient_url(patient_id), message=_("The health background is saved."))
    return show_form(
        request, form, title=_("Add to the health background"), label=_("Save"), back=patient_url(patient_id)
    )


@requires("patients.edit")
@require_POST
def end_note(request: HttpRequest, patient_id: UUID, note_id: UUID) -> HttpResponse:
    """Say that something in the health background is over."""
    if not HealthNote.objects.filter(id=note_id, patient_id=patient_id).exists():
        raise Http404
    now = timezone.now()
    services.end_health_note(note_id=note_id, ended_on=words.today_of(request, now), now=now, by=_by(request))
    return redirect_to(request, patient_url(patient_id), message=_("Marked as ended today."))


@requires("patients.edit")
def add_relative(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Add somebody who belongs to the patient."""
    _must_exist(patient_id)
    form = FamilyForm(request.POST or None, initial={"key": uuid7()})
    back = patient_url(patient_id, "family")
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        key, linked = given.pop("key"), given.pop("linked")
        here, limit = at_home("home_location_id")
        relative = (
            sql.value(
                f"select id from patients_patient where chart_number = %(linked)s and chart_number <> ''{here}",
                {"linked": linked, **limit},
            )
            if linked
            else None
        )
        if linked and relative is None:
            form.add_error("linked", _("No patient here has this chart number."))
        elif attempt(form, lambda: services.save_related_person(
            patient_id=patient_id, related_person_id=key, relative_id=relative, **given, now=timezone.now(), by=_by(request))
        ):  # fmt: skip
            return redirect_to(request, back, message=_("The relative is saved."))
    return show_form(request, form, title=_("Add a relative"), label=_("Save"), back=back)


@requires("patients.edit")
@require_POST
def remove_relative(request: HttpRequest, patient_id: UUID, related_id: UUID) -> HttpResponse:
    """Take a related person away."""
    if not RelatedPerson.objects.filter(id=related_id, patient_id=patient_id).exists():
        raise Http404
    services.remove_related_person(related_person_id=related_id, now=timezone.now(), by=_by(request))
    return redirect_to(request, patient_url(patient_id, "family"), message=_("The relative is removed."))


# -- records by hand --------------------------------------------------------------------------------------------


@requires("patients.edit")
def add_visit(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Record a visit and what was paid."""
    _must_exist(patient_id)
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    local, currency = now.astimezone(zone), member.organization.currency
    form = VisitForm(
        request.POST or None, currency=currency,
        initial={"key": uuid7(), "on": local.date(), "at": local.strftime("%H:%M"), "class_code": "AMB"},
    )  # fmt: skip
    back = patient_url(patient_id, "visits")

    def change() -> None:
        given = form.cleaned_data
        started_at = datetime.combine(given["on"], given["at"], zone)
        visit = records.record_encounter(
            patient_id=patient_id, encounter_id=given["key"], started_at=started_at, class_code=given["class_code"],
            display=str(words.CLASSES[given["class_code"]]), department=given["department"], reason=given["reason"],
            practitioner_name=given["practitioner_name"], now=now, by=member.user_id,
        )  # fmt: skip
        if given["total"] or given["self_pay"] or given["copay"]:
            self_pay, copay = given["self_pay"] or 0, given["copay"] or 0
            records.record_invoice(
                patient_id=patient_id, invoice_id=_bill_of(visit.id), issued_at=started_at, encounter_id=visit.id, currency=currency,
                total_amount=given["total"] if given["total"] is not None else self_pay + copay, self_pay_amount=self_pay,
                copay_amount=copay, now=now, by=member.user_id,
            )  # fmt: skip

    if request.method == "POST" and form.is_valid() and attempt(form, change):
        return redirect_to(request, back, message=_("The visit is recorded."))
    names = [one["name"] for one in record_selectors.practitioners()]
    return show_form(
        request, form, title=_("Record a visit"), label=_("Save"), back=back, extra={"names": {"practitioners": names}},
        text=_("Leave the amounts empty when nothing was paid. What self-pay and copayment leave of the total was paid by NHI."),
    )  # fmt: skip


def _bill_of(visit_id: UUID) -> UUID:
    """The id of the bill that is entered together with a visit, so that sending the form twice makes one bill."""
    return UUID(int=visit_id.int ^ 1)


@requires("records.view", "patients.edit")
def add_result(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Record a measured value; needs to be allowed to change patients as well as to see records."""
    _must_exist(patient_id)
    now, zone = timezone.now(), clinic_zone(request)
    form = ResultForm(request.POST or None, initial={"key": uuid7(), "on": now.astimezone(zone).date()})
    back = patient_url(patient_id, "results")

    def change() -> None:
        given = form.cleaned_data
        label, unit = next((label, unit) for code, label, unit in ResultForm.MEASURES if code == given["code"])
        is_today = given["on"] == now.astimezone(zone).date()
        at = now if is_today else datetime.combine(given["on"], datetime.min.time().replace(hour=12), zone)
        both = given["code"] == "85354-9"
        parts = [
            {"code": "8480-6", "display": _("Systolic"), "number": given["value"], "unit": unit},
            {"code": "8462-4", "display": _("Diastolic"), "number": given["second"], "unit": unit},
        ]  # fmt: skip
        records.record_observation(
            patient_id=patient_id, observation_id=given["key"], code=given["code"], display=str(label), observed_at=at,
            value_number=None if both else given["value"], unit="" if both else unit, components=parts if both else None, now=now,
            by=_by(request),
        )  # fmt: skip

    if request.method == "POST" and form.is_valid() and attempt(form, change):
        return redirect_to(request, back, message=_("The value is recorded."))
    return show_form(request, form, title=_("Record a value"), label=_("Save"), back=back)


@requires("patients.edit")
def entered_in_error(request: HttpRequest, patient_id: UUID, kind: str, record_id: UUID) -> HttpResponse:
    """Hide a record that should never have been, with a reason."""
    model = records.KINDS.get(kind)
    if model is None or not model._default_manager.filter(id=record_id, patient_id=patient_id).exists():
        raise Http404
    form = ReasonForm(request.POST or None)
    back = patient_url(
        patient_id, {"encounter": "visits", "invoice": "spend", "medication": "medication"}.get(kind, "results")
    )
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: records.mark_entered_in_error(
            kind=kind, record_id=record_id, reason=form.cleaned_data["reason"], now=timezone.now(), by=_by(request))
    ):  # fmt: skip
        return redirect_to(request, back, message=_("The record is marked as entered in error."))
    return show_form(
        request, form, title=_("Mark as entered in error"), label=_("Mark"), back=back, tone="danger",
        text=_("The record is kept and no longer shown, and no longer counts in lists, segments and reports."),
    )  # fmt: skip


def _must_exist(patient_id: UUID) -> None:
    if not sql.value("select 1 from patients_patient where id = %s", [patient_id]):
        raise Http404
