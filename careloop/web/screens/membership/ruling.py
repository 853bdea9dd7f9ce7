"""Earn rules: writing one, changing it, switching it on where the law lets it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires, requires_any
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.earn import rule_book, sentences
from careloop.loyalty.join import members
from careloop.loyalty.models import EarnRule
from careloop.policy.errors import OfferStopped
from careloop.web.addresses import address
from careloop.web.http import redirect_to, respond
from careloop.web.screens.membership.common import load_programme, shown_rule
from careloop.web.screens.membership.forms import RuleForm


def load(earn_rule_id: UUID) -> EarnRule:
    """The rule, if it is the organization's."""
    found = EarnRule.objects.select_related("programme").filter(pk=earn_rule_id).first()
    if found is None:
        raise Http404
    return found


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, programme_id: UUID) -> HttpResponse:
    """Choose what earns points, then how many."""
    member: Any = request.member  # type: ignore[attr-defined]
    programme, kind = load_programme(programme_id), request.GET.get("kind", "")
    url = address("membership:programme", programme.pk)
    if kind not in EarnRule.Kind.values:
        kinds = [{"kind": value, "label": label} for value, label in EarnRule.Kind.choices]
        return respond(request, "membership/rule_kinds.html", {"kinds": kinds, "programme": programme, "back_url": url})
    form = RuleForm(
        request.POST or None, kind=kind, currency=member.organization.currency, tiers=members.tiers(),
        initial={"settle_days": 7 if kind in ("VISIT", "KEPT_APPOINTMENT", "SELF_PAY") else 0},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        try:
            made = rule_book.add_rule(
                programme_id=programme.pk, rule_id=form.cleaned_data["key"], now=timezone.now(), by=member.user_id, **form.values()
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = _("Written. It gives nothing before it is switched on.")
            return redirect_to(request, address("membership:rule", made.pk), message=said)
    return _form(request, form, title=str(sentences.KINDS[kind]), back_url=url, back_label=programme.name)


@requires_any("loyalty.manage", "policy.sign_off")
@require_GET
def rule(request: HttpRequest, earn_rule_id: UUID) -> HttpResponse:
    """One rule in plain words, and what the law says to it."""
    member: Any = request.member  # type: ignore[attr-defined]
    one, now, organization = load(earn_rule_id), timezone.now(), member.organization
    verdicts = {
        audience: guard.verdicts([one], audience=audience, organization=organization, now=now)[one.pk]
        for audience in ("one", "public")
    }  # type: ignore[arg-type]
    context = {
        **shown_rule(one, verdicts["one"], currency=organization.currency), "public": verdicts["public"], "programme": one.programme,
        "may_manage": member.can("loyalty.manage"),
    }  # fmt: skip
    return respond(request, "membership/rule.html", context)


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, earn_rule_id: UUID) -> HttpResponse:
    """Change a rule."""
    member: Any = request.member  # type: ignore[attr-defined]
    one = load(earn_rule_id)
    form = RuleForm(
        request.POST or None,
        kind=one.kind,
        currency=member.organization.currency,
        tiers=members.tiers(),
        rule=one,
    )
    url = address("membership:rule", one.pk)
    if request.method == "POST" and form.is_valid():
        try:
            rule_book.change_rule(
                rule_id=one.pk, version=form.cleaned_data["version"] or 0, now=timezone.now(), by=member.user_id, **form.values()
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, url, message=_("Saved."))
    return _form(request, form, title=one.name, back_url=url, back_label=one.name)


@requires("loyalty.manage")
@require_POST
def switch(request: HttpRequest, earn_rule_id: UUID) -> HttpResponse:
    """Switch a rule on or off; what the law says to it stands on its page."""
    member: Any = request.member  # type: ignore[attr-defined]
    one, on = load(earn_rule_id), request.POST.get("on") == "yes"
    url = address("membership:rule", one.pk)
    try:
        rule_book.switch(rule_id=one.pk, on=on, now=timezone.now(), by=member.user_id)
    except OfferStopped as refusal:
        return redirect_to(request, url, message=str(refusal), tone="warning")
    return redirect_to(request, url, message=_("It is switched on.") if on else _("It is switched off."))


def _form(request: HttpRequest, form: RuleForm, **context: Any) -> HttpResponse:
    return respond(request, "membership/rule_form.html", {"form": form, **context}, status=422 if form.errors else 200)
