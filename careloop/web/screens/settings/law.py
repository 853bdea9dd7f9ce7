"""Settings: which law applies, the rules in force and our own answers, registered contacts, sign-offs."""

from datetime import date
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires, requires_any
from careloop.kernel.errors import DomainError
from careloop.policy import selectors, services
from careloop.policy.models import PolicySignOff, RegisteredContact
from careloop.web.http import Keyset, redirect_to, refuse, respond
from careloop.web.screens.settings import forms


@requires("settings.legal")
def legal(request: HttpRequest) -> HttpResponse:
    """The legal profile, where the data are, and the rules in force."""
    organization = organizations.current()
    form = forms.LegalForm(request.POST or None, instance=organizations.current())
    if request.method == "POST" and form.is_valid():
        organizations.update(fields=form.cleaned_data, now=timezone.now())
        return redirect_to(request, reverse("settings:legal"), message=_("Saved."))
    context = {
        "form": form, "abroad": organization.legal_profile == "TW" and not organization.data_in_taiwan,
        "approval": organization.data_approval,
        "rules": selectors.organization_rules(organization=organization, on=_today()),
    }  # fmt: skip
    return respond(request, "settings/legal.html", context, status=422 if request.method == "POST" else 200)


def _today() -> date:
    return selectors.local_date(organizations.current(), timezone.now())


@requires("settings.legal")
def rule(request: HttpRequest, rule_id: str) -> HttpResponse:
    """One rule: what it says, what it rests on, and our own answer with its reason."""
    organization = organizations.current()
    found = {one.rule.id: one for one in selectors.organization_rules(organization=organization, on=_today())}.get(
        rule_id
    )
    if found is None:
        raise Http404
    initial = {"answer": found.override.answer if found.override else ""}
    form = forms.OverrideForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.override_rule(
                organization=organization, rule_id=rule_id, by=request.member, now=timezone.now(), **form.cleaned_data,  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            return redirect_to(request, reverse("settings:legal"), message=_("Saved, with your name and the reason."))
    context = {"form": form, "one": found, "pairs": _facts(found)}
    return respond(request, "settings/rule.html", context, status=422 if request.method == "POST" else 200)


def _facts(found: selectors.RuleInForce) -> list[dict[str, Any]]:
    rule = found.rule
    return [
        {"label": _("Legal base"), "value": rule.legal_base},
        {"label": _("Source"), "value": rule.source},
        {"label": _("In force since"), "value": rule.valid_from.isoformat()},
        {"label": _("In public"), "value": found.public_answer.label},
        {"label": _("To one patient"), "value": found.one_answer.label},
    ]


@requires_any("settings.legal", "settings.channels")
def contacts(request: HttpRequest) -> HttpResponse:
    """Web addresses and numbers registered for text messages (rule M1)."""
    form = forms.ContactForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.register_contact(by=request.member, now=timezone.now(), **form.cleaned_data)  # type: ignore[attr-defined]
        except DomainError as error:
            form.add_error("value", str(error))
        else:
            return redirect_to(request, reverse("settings:contacts"), message=_("Saved."))
    found = RegisteredContact.objects.select_related("registered_by").filter(is_active=True).order_by("value")
    return respond(
        request,
        "settings/contacts.html",
        {"form": form, "contacts": found},
        status=422 if request.method == "POST" else 200,
    )


@requires_any("settings.legal", "settings.channels")
@require_POST
def withdraw_contact(request: HttpRequest, contact_id: UUID) -> HttpResponse:
    """Stop treating a contact as registered."""
    contact = get_object_or_404(RegisteredContact, pk=contact_id)
    try:
        services.withdraw_contact(contact=contact, by=request.member, now=timezone.now())  # type: ignore[attr-defined]
    except DomainError as error:
        return refuse(request, str(error))
    return redirect_to(
        request, reverse("settings:contacts"), message=_("Removed. Text messages that hold it are stopped from now on.")
    )


@requires("policy.sign_off")
@require_GET
def sign_offs(request: HttpRequest) -> HttpResponse:
    """Who took responsibility for which wording, on which document, and whether it still counts."""
    page = Keyset(request, order=("-approved_at", "-id"), size=30).page_of(
        PolicySignOff.objects.select_related("approver").prefetch_related("withdrawals__withdrawn_by")
    )
    return respond(request, "settings/sign_offs.html", {"page": page})
