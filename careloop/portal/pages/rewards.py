"""My rewards: what my points can be spent on and why not on others, my codes, coupons, and partners' offers."""

from typing import Any
from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from careloop.audit import services as audit
from careloop.loyalty.join import membership
from careloop.loyalty.models import Account, Coupon
from careloop.loyalty.points import statements
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import codes, coupons, redemptions
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward.taking import last_day
from careloop.portal.entering import for_patients, show
from careloop.portal.recognizing import Visitor, today_of
from careloop.waitingroom import qr

TONES = {"RESERVED": "info", "CONFIRMED": "success", "CANCELLED": "neutral", "EXPIRED": "warning"}


@for_patients
@require_GET
def rewards(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What can be had, and what one has."""
    account = _account(visitor)
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "rewards"}, now=visitor.now)
    if account is None:
        return show(request, visitor, "portal/rewards.html", {"account": None}, tab="me")
    language, today = translation.get_language() or "", today_of(visitor.clinic, visitor.now)
    choices = [
        {"id": one.reward.pk, "name": one.reward.name_in(language), "text": one.reward.text_in(language), "points": one.reward.points,
         "why_not": str(one.objection) if one.objection else "", "until": last_day(today, one.reward.hold_days)}
        for one in reward_lists.choices_for(account, now=visitor.now)
    ]  # fmt: skip
    taken = [
        {
            **row,
            "name": row["names"].get(language) or row["name"],
            "tone": TONES[row["state"]],
            "is_open": row["state"] == "RESERVED",
        }
        for row in reward_lists.redemptions_of(account.pk)
    ]
    own = [
        {**row, "name": row["names"].get(language) or row["name"]}
        for row in reward_lists.coupons_of(account.pk, day=today)
    ]
    offers = [
        {"id": one.pk, "name": one.name_in(language), "text": one.text_in(language), "partner": one.partner.name if one.partner else ""}
        for one in reward_lists.partner_offers_for(account, now=visitor.now)
    ]  # fmt: skip
    context = {
        "account": account, "balance": statements.balance_of(account.pk), "choices": choices, "key": uuid4().hex,
        "waiting": [row for row in taken if row["is_open"]], "past": [row for row in taken if not row["is_open"]],
        "coupons": [row for row in own if row["is_open"]], "offers": offers,
    }  # fmt: skip
    return show(request, visitor, "portal/rewards.html", context, tab="me")


@for_patients
@require_POST
def take(request: HttpRequest, visitor: Visitor, reward_id: UUID) -> HttpResponse:
    """Spend points on a reward; its code shows on the next page."""
    account = _member(visitor)
    made = redemptions.redeem(
        account_id=account.pk,
        reward_id=reward_id,
        key=_key(request, account),
        now=visitor.now,
        by=None,
        source="PORTAL",
    )
    return HttpResponseRedirect(reverse("portal:reward_code", args=[visitor.clinic.slug, made.pk]), status=303)


@for_patients
@require_GET
def reward_code(request: HttpRequest, visitor: Visitor, redemption_id: UUID) -> HttpResponse:
    """The code to show at the desk."""
    row = reward_lists.redemption_of(redemption_id, patient_id=visitor.patient_id)
    if row is None:
        raise Http404
    audit.record("portal.viewed", patients=[visitor.patient_id], target=("redemption", redemption_id), now=visitor.now)
    code = codes.code_of(row["organization_id"], "REWARD", serial=row["serial"], good_until=row["good_until"])
    is_late = today_of(visitor.clinic, visitor.now) > row["good_until"]
    context = _shown_code(row, code, is_open=row["state"] == "RESERVED" and not is_late)
    context["may_give_back"] = row["state"] == "RESERVED"
    return show(request, visitor, "portal/reward_code.html", context, tab="me")


@for_patients
@require_POST
def give_back(request: HttpRequest, visitor: Visitor, redemption_id: UUID) -> HttpResponse:
    """I do not want it after all: the points come back."""
    if reward_lists.redemption_of(redemption_id, patient_id=visitor.patient_id) is None:
        raise Http404
    redemptions.cancel(redemption_id=redemption_id, reason="", now=visitor.now, by=None)
    return HttpResponseRedirect(reverse("portal:rewards", args=[visitor.clinic.slug]), status=303)


@for_patients
@require_POST
def take_offer(request: HttpRequest, visitor: Visitor, coupon_id: UUID) -> HttpResponse:
    """Take a partner's offer; its code shows on the next page."""
    account = _member(visitor)
    if not Coupon.objects.filter(pk=coupon_id, kind=Coupon.Kind.PARTNER, partner__is_active=True).exists():
        raise Http404  # others are given, not taken
    made = coupons.grant_coupon(
        account_id=account.pk, coupon_id=coupon_id, key=_key(request, account), because=Because("PARTNER"), now=visitor.now, by=None
    )  # fmt: skip
    return HttpResponseRedirect(reverse("portal:coupon", args=[visitor.clinic.slug, made["id"]]), status=303)


@for_patients
@require_GET
def coupon(request: HttpRequest, visitor: Visitor, code_id: UUID) -> HttpResponse:
    """The code of a coupon, to show at the desk or at the partner."""
    row = reward_lists.coupon_of(code_id, patient_id=visitor.patient_id)
    if row is None or row["state"] == "WITHDRAWN":
        raise Http404
    audit.record("portal.viewed", patients=[visitor.patient_id], target=("coupon_code", code_id), now=visitor.now)
    code = codes.code_of(row["organization_id"], "COUPON", serial=row["serial"], good_until=row["good_until"])
    is_late = today_of(visitor.clinic, visitor.now) > row["good_until"]
    context = _shown_code(row, code, is_open=row["state"] == "OPEN" and not is_late)
    return show(request, visitor, "portal/reward_code.html", context, tab="me")


def _shown_code(row: dict[str, Any], code: str, *, is_open: bool) -> dict[str, Any]:
    language = translation.get_language() or ""
    return {
        "one": row, "name": row["names"].get(language) or row["name"], "text": row["texts"].get(language) or row["text"],
        "code": code, "is_open": is_open, "picture": qr.svg(code, title=_("Code to show")) if is_open else "",
    }  # fmt: skip


def _account(visitor: Visitor) -> Account | None:
    row = membership.account_of(visitor.patient_id)
    return Account.objects.filter(pk=row["id"]).first() if row else None


def _member(visitor: Visitor) -> Account:
    account = _account(visitor)
    if account is None:
        raise Http404
    return account


def _key(request: HttpRequest, account: Account) -> str:
    return f"portal:{account.pk.hex}:{request.POST.get('key', '')[:32] or uuid4().hex}"
