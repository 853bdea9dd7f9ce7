"""Screens of consent: one person's decisions, the notice shown, and the texts themselves."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.consent import selectors, services
from careloop.consent.model_texts import model_texts
from careloop.consent.models import Notice, Purpose
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.patients import page, words
from careloop.web.screens.patients.editing import attempt, patient_url, show_form
from careloop.web.screens.patients.forms import DecisionForm, NoticeForm

PRIVACY = "privacy"


def _by(request: HttpRequest) -> UUID:
    member: Any = request.member  # type: ignore[attr-defined]
    return member.user_id


# -- one person -------------------------------------------------------------------------------------------------


@requires("consent.edit")
def decide(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Record what the patient decided; each purpose is decided apart."""
    page.load(request, patient_id)
    asked = {name: request.GET[name] for name in ("purpose", "channel", "decision") if name in request.GET}
    form = DecisionForm(request.POST or None, initial={"source": "desk", **asked})
    back = patient_url(patient_id, "consent")
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        decision = given.pop("decision")
        now, by = timezone.now(), _by(request)
        text = selectors.current_notice(given["purpose"])

        def change() -> None:
            if decision == "permit":
                services.give(patient_id=patient_id, **given, notice_id=text["id"] if text else None, now=now, by=by)
            else:
                services.withdraw(patient_id=patient_id, **given, now=now, by=by)

        if attempt(form, change):
            return redirect_to(request, back, message=_("The decision is recorded and in force from now on."))
    language = get_language() or "zh-hant"
    texts = [
        {"label": words.word(words.PURPOSES, purpose), "version": one["version"], **selectors.text_in(one["texts"], language)}
        for purpose, one in selectors.current_notices().items() if purpose
    ]  # fmt: skip
    return show_form(
        request, form, title=_("Record a decision"), label=_("Record"), back=back, extra={"notices": texts},
        text=_("A refusal wins over every agreement and stops the next message, also one that is planned already."),
    )  # fmt: skip


@requires("consent.edit")
@require_POST
def withdraw(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Withdraw one purpose on one channel, or on all, with one press."""
    page.load(request, patient_id)
    purpose, channel = request.POST.get("purpose", ""), request.POST.get("channel", "any")
    if purpose not in Purpose.values or channel not in words.CHANNELS:
        return refuse(
            request,
            _("Nothing was withdrawn: the form did not say which purpose and which channel. Go back and choose again."),
        )
    services.withdraw(
        patient_id=patient_id, purpose=purpose, channel=channel, source="desk", now=timezone.now(), by=_by(request)
    )
    return redirect_to(
        request, patient_url(patient_id, "consent"), message=_("Withdrawn. No such message leaves from now on.")
    )


@requires("patients.edit")
def notice(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Show the privacy notice to the patient on this screen, and record that it was shown."""
    data = page.load(request, patient_id)
    current = selectors.current_notice()
    back = patient_url(patient_id)
    if request.method == "POST":
        try:
            services.record_notice_shown(patient_id=patient_id, how="desk", now=timezone.now(), by=_by(request))
        except DomainError as refusal:
            return refuse(request, str(refusal), status=refusal.status)
        return redirect_to(request, back, message=_("Recorded: the privacy notice was shown."))
    language = data.row["language"] or get_language() or "zh-hant"
    context = {
        "patient": data.head, "back": back, "notice": current, "has_seen": data.row["has_seen_notice"],
        "text": selectors.text_in(current["texts"], language) if current else None,
    }  # fmt: skip
    return respond(request, "patients/notice.html", context)


# -- the texts --------------------------------------------------------------------------------------------------


@requires("settings.legal")
@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    """All texts by what they are for, with their versions."""
    language = get_language() or "zh-hant"
    found = selectors.notices()
    groups = []
    for purpose in (
        "",
        Purpose.MARKETING.value,
        Purpose.HEALTH_MARKETING.value,
        Purpose.SURVEY.value,
        Purpose.CARE.value,
    ):
        versions = [one | selectors.text_in(one["texts"], language) for one in found if one["purpose"] == purpose]
        published = [one for one in versions if one["published_at"]]
        for one in versions:
            one["is_current"] = bool(published) and one is published[0]
        groups.append({
            "label": _("Privacy notice") if not purpose else _("Consent text: %(purpose)s") % {"purpose": words.word(words.PURPOSES, purpose)},
            "code": purpose or PRIVACY, "versions": versions, "is_needed": purpose == "",
            "has_draft": any(not one["published_at"] for one in versions),
        })  # fmt: skip
    return respond(request, "patients/notices.html", {"groups": groups})


@requires("settings.legal")
def new_notice(request: HttpRequest, purpose: str) -> HttpResponse:
    """Start the next version: from the published text, or from a model text."""
    code = "" if purpose == PRIVACY else purpose
    if code and code not in Purpose.values:
        raise Http404
    member: Any = request.member  # type: ignore[attr-defined]
    current = selectors.current_notice(code)
    texts = current["texts"] if current else model_texts(code, clinic=member.organization.name)
    form = NoticeForm(request.POST or None, initial=NoticeForm.initial_of(texts))
    if request.method == "POST" and form.is_valid():
        made = services.draft_notice(
            purpose=code, texts=form.texts(), notice_id=uuid7(), now=timezone.now(), by=_by(request)
        )
        return redirect_to(request, reverse("consent:edit_notice", args=[made.id]), message=_("The draft is saved."))
    return respond(
        request,
        "patients/notice_form.html",
        {"form": form, "purpose": code, "is_model": current is None, "label": _title(code)},
    )


@requires("settings.legal")
def edit_notice(request: HttpRequest, notice_id: UUID) -> HttpResponse:
    """Go on writing a draft, or read a published text."""
    found = Notice.objects.filter(id=notice_id).first()
    if found is None:
        raise Http404
    form = NoticeForm(request.POST or None, initial=NoticeForm.initial_of(found.texts))
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: services.draft_notice(
            purpose=found.purpose, texts=form.texts(), notice_id=notice_id, now=timezone.now(), by=_by(request))
    ):  # fmt: skip
        return redirect_to(request, request.path, message=_("The draft is saved."))
    languages = [
        {"label": label, **selectors.text_in({code: found.texts.get(code, {})}, code)}
        for code, label in words.languages()
    ]
    context = {
        "form": form, "notice": found, "purpose": found.purpose, "languages": languages, "label": _title(found.purpose),
    }  # fmt: skip
    return respond(request, "patients/notice_form.html", context, status=422 if request.method == "POST" else 200)


@requires("settings.legal")
@require_POST
def publish_notice(request: HttpRequest, notice_id: UUID) -> HttpResponse:
    """Publish a draft."""
    try:
        services.publish_notice(notice_id=notice_id, now=timezone.now(), by=_by(request))
    except DomainError as refusal:
        if refusal.status == 404:
            raise Http404 from None
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(
        request, reverse("consent:notices"), message=_("Published: this is what people are shown from now on.")
    )


def _title(purpose: str) -> str:
    return (
        _("Consent text: %(purpose)s") % {"purpose": words.word(words.PURPOSES, purpose)}
        if purpose
        else _("Privacy notice")
    )
