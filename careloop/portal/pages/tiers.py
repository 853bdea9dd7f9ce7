"""My tier: what it gives, until when, and how far it is to the next."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from careloop.audit import services as audit
from careloop.loyalty.join import membership
from careloop.loyalty.tier import tiers
from careloop.loyalty.tier import words as tier_words
from careloop.portal.entering import for_patients, show
from careloop.portal.recognizing import Visitor


@for_patients
@require_GET
def mine(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The tier in force with its benefits; looking at it counts as being offered them."""
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "tier"}, now=visitor.now)
    one = membership.account_of(visitor.patient_id)
    if one is None or one["state"] != "ACTIVE":
        return show(request, visitor, "portal/tier.html", {"one": None}, tab="me")
    currency = visitor.clinic.currency
    tiers.note_offered(visitor.patient_id, now=visitor.now)
    had = tiers.benefits_of(visitor.patient_id, now=visitor.now)
    context = {
        "one": one, "tier": tiers.tier_of(one["id"]), "benefits": [{**row, "gives": tier_words.gives(row, currency)} for row in had],
        "next": _next(tiers.next_of(one["id"], now=visitor.now), currency),
    }  # fmt: skip
    return show(request, visitor, "portal/tier.html", context, tab="me")


def _next(found: dict[str, Any] | None, currency: str) -> dict[str, Any] | None:
    if found is None:
        return None
    steps = [
        {
            **step, "said": tier_words.figure(step["metric"], step["need"], currency), "have_said": tier_words.number(step["metric"], step["have"], currency),
        } for step in found["steps"]
    ]  # fmt: skip
    return {**found, "steps": steps, "time": tier_words.within(found)}
