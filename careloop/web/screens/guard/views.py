"""The guard's own pages: everything that membership offers with its verdicts, one thing of it, and a text to try."""

from itertools import groupby
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires_any
from careloop.loyalty.guard_report import watched
from careloop.policy import selectors, services
from careloop.policy.answers import Answer
from careloop.policy.offers import Offer
from careloop.web.http import respond
from careloop.web.screens.guard.common import FORM_LABELS, TONES, address_of, load, shown
from careloop.web.screens.guard.forms import TryForm


@requires_any("loyalty.manage", "policy.sign_off")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What is offered, what the rules say, and what is stopped today although it is switched on."""
    organization, now = organizations.current(), timezone.now()
    everything = sorted(watched(organization=organization, now=now), key=lambda one: str(one.guarded.label))
    groups = [
        {"label": str(label), "rows": [shown(one) for one in rows]}
        for label, rows in groupby(everything, key=lambda one: one.guarded.label)
    ]
    changed = [
        one
        for one in selectors.organization_rules(organization=organization, on=timezone.localdate(now))
        if one.override
    ]
    context = {
        "groups": groups, "stopped": [shown(one) for one in everything if one.is_stopped],
        "in_force": sum(one.is_on and one.one.may_be_sent for one in everything),
        "waiting": sum(one.one.answer == Answer.SIGN_OFF for one in everything),
        "forbidden": sum(one.one.answer == Answer.BLOCK for one in everything), "changed": changed,
        "profile": organization.get_legal_profile_display(), "has_rules": organization.legal_profile == "TW",
        "may_see_rules": request.member.can("settings.legal"),  # type: ignore[attr-defined]
    }  # fmt: skip
    return respond(request, "guard/home.html", context)


@requires_any("loyalty.manage", "policy.sign_off")
@require_GET
def item(request: HttpRequest, model: str, item_id: UUID) -> HttpResponse:
    """One thing: both verdicts with rules and legal bases, its sign-offs, and what can be done."""
    one = load(model, item_id)
    may_sign = request.member.can("policy.sign_off")  # type: ignore[attr-defined]
    forms = [
        {
            "audience": audience, "label": FORM_LABELS[audience], "verdict": verdict, "tone": TONES[verdict.answer],
            "is_forbidden": verdict.answer == Answer.BLOCK, "asks": verdict.answer == Answer.SIGN_OFF,
            "sign_url": reverse("guard:sign", args=[model, item_id, audience])
            if may_sign and verdict.answer == Answer.SIGN_OFF
            else "",
            "sign_offs": [row for row in one.sign_offs if row.audience == audience],
        }
        for audience, verdict in (("one", one.one), ("public", one.public))
    ]  # fmt: skip
    context = {"one": one, "forms": forms, "may_sign": may_sign, "page_url": address_of(one)}
    return respond(request, "guard/item.html", context)


@requires_any("loyalty.manage", "policy.sign_off")
def try_text(request: HttpRequest) -> HttpResponse:
    """Ask the rules about a text or an offer that does not exist yet; nothing is kept."""
    form = TryForm(request.POST or None)
    verdicts: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        verdicts = _judged(form.cleaned_data)
    context = {"form": form, "verdicts": verdicts}
    status = 422 if request.method == "POST" and not form.is_valid() else 200
    return respond(request, "guard/try.html", context, status=status)


def _judged(given: dict[str, Any]) -> list[dict[str, Any]]:
    organization = organizations.current()
    found = []
    for audience in ("one", "public"):
        if given["kind"]:
            offer = Offer(
                given["kind"], given["earns_by"], given["gives"], given["text"], currency=organization.currency
            )
            verdict = services.check_offer(offer, audience=audience, organization=organization)
        else:
            verdict = services.check_text(
                given["text"], message_class="MARKETING", channel="portal", audience=audience, opt_out=True, organization=organization
            )  # fmt: skip
        found.append({"label": FORM_LABELS[audience], "verdict": verdict, "tone": TONES[verdict.answer]})
    return found
