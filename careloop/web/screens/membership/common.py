"""What the membership's screens share: members, programmes and rules as they are shown."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404
from django.urls import NoReverseMatch, reverse

from careloop.loyalty.earn import sentences
from careloop.loyalty.figures import in_groups, named_points
from careloop.loyalty.join import members
from careloop.loyalty.models import Account, Earning, EarnRule, Programme
from careloop.policy.answers import Answer, Verdict
from careloop.web.addresses import address

STATES = dict(Programme.State.choices)
PROGRAMME_TONES = {"DRAFT": "neutral", "OPEN": "success", "CLOSED": "neutral"}
MEMBER_STATES = dict(Account.State.choices)
EARNING_STATES = dict(Earning.State.choices)
EARNING_TONES = {"PENDING": "warning", "FINAL": "success", "VOID": "neutral"}
VERDICT_TONES = {Answer.ALLOW: "success", Answer.WARN: "warning"}


def address_or_none(name: str, *ids: UUID) -> str:
    """Return a page's address; empty when that part of the program is not there."""
    try:
        return address(name, *ids)
    except NoReverseMatch:
        return ""


def guard_url(rule: EarnRule) -> str:
    """Return where the guard shows a rule and takes sign-offs; empty when that page is not there."""
    try:
        return reverse("guard:item", args=[rule._meta.model_name, rule.pk])
    except NoReverseMatch:
        return ""


def shown_member(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return a row of `members` with its words."""
    return {
        **row, "balance_said": named_points(row["balance"], row.get("point_name", "")), "number": in_groups(row["member_number"]), "joined_on": f"{row['joined_at'].astimezone(zone):%Y-%m-%d}",
        "state_label": MEMBER_STATES[row["state"]], "patient_url": f"{address('patients:page', row['patient_id'])}membership/",
    }  # fmt: skip


def shown_earning(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `members.earnings_of` with why it gave what it gave."""
    return {
        **row,
        "state_label": EARNING_STATES[row["state"]],
        "tone": EARNING_TONES[row["state"]],
        "why": sentences.why(row),
    }


def shown_rule(rule: EarnRule, verdict: Verdict, *, currency: str) -> dict[str, Any]:
    """Return a rule in words with what the law says to it today."""
    names = {str(one["id"]): one["name"] for one in members.tiers()} if rule.multipliers else {}
    return {
        "rule": rule, "kind_label": sentences.KINDS[rule.kind], "said": sentences.of_rule(rule, currency=currency, tiers=names), "verdict": verdict,
        "is_signed": any(match.signed_off for match in verdict.matches), "tone": VERDICT_TONES.get(verdict.answer, "danger"), "is_stopped": not verdict.may_be_sent,
        "may_sign": verdict.answer == Answer.SIGN_OFF, "url": address("membership:rule", rule.pk), "guard_url": guard_url(rule),
    }  # fmt: skip


def load_programme(programme_id: UUID) -> Programme:
    """The programme, if it is the organization's."""
    found = Programme.objects.select_related("location").filter(pk=programme_id).first()
    if found is None:
        raise Http404
    return found
