"""Partners: who they are, their link and PIN, their offers, and settling with them."""

from calendar import monthrange
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.money import format_money
from careloop.loyalty.models import Coupon, Partner, Settlement
from careloop.loyalty.reward import codes as one_time
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward import partners as service
from careloop.loyalty.reward.redemptions import local_day
from careloop.waitingroom import qr
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, csv_download, redirect_to, respond
from careloop.web.screens.rewards.common import stamp, tabs
from careloop.web.screens.rewards.coupons import shown_offers
from careloop.web.screens.rewards.forms import DaysForm, PartnerForm, PinForm


@requires("loyalty.view")
@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """All partners with what is not settled yet."""
    currency = _currency(request)
    rows = [
        {**row, "url": address("rewards:partner", row["id"]), "sum": format_money(row["amount"], currency)}
        for row in reward_lists.partners()
    ]
    return respond(request, "rewards/partners.html", {**tabs(request, "rewards:partners"), "rows": rows})


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write down a new partner."""
    form = PartnerForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (made := _save(request, form, None)) is not None:
        return redirect_to(
            request,
            address("rewards:partner", made.pk),
            message=_("Saved. Now set a PIN and send the partner the link."),
        )
    return respond(request, "rewards/partner_new.html", {"form": form}, status=422 if form.errors else 200)


@requires("loyalty.view")
@require_http_methods(["GET", "POST"])
def partner(request: HttpRequest, partner_id: UUID) -> HttpResponse:
    """One partner: offers, link and PIN, what is open and what was settled."""
    member: Any = request.member  # type: ignore[attr-defined]
    one, zone, currency = load(partner_id), clinic_zone(request), _currency(request)
    may_manage = member.can("loyalty.manage")
    form = PartnerForm(
        request.POST or None, initial={"name": one.name, "contact": one.contact, "is_active": one.is_active}
    )
    if request.method == "POST" and not may_manage:
        return HttpResponse(status=403)
    if request.method == "POST" and form.is_valid() and _save(request, form, one.pk) is not None:
        return redirect_to(request, address("rewards:partner", one.pk), message=_("Saved."))
    first, last = _last_month(local_day(member.organization, timezone.now()))
    offers = list(Coupon.objects.filter(partner=one).order_by("state", "name", "pk"))
    settled = Settlement.objects.filter(partner=one).order_by("-first_day", "-settled_at")[:24]
    url = service.url_of(one) if may_manage and one.pin_hash and one.is_active else ""
    context = {
        "one": one, "form": form, "may_manage": may_manage, "offers": shown_offers(offers, organization=member.organization),
        "link": url, "code": qr.svg(url, title=_("The partner's page")) if url else "", "first": first, "last": last,
        "settlements": [
            {"url": address("rewards:settlement", row.pk), "days": f"{row.first_day} – {row.last_day}", "uses": row.uses,
             "sum": format_money(row.amount, row.currency), "at": stamp(row.settled_at, zone)}
            for row in settled
        ],
        "open": next((row for row in reward_lists.partners() if row["id"] == one.pk), None), "currency": currency,
    }  # fmt: skip
    return respond(request, "rewards/partner.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: PartnerForm, partner_id: UUID | None) -> Partner | None:
    try:
        return service.save(
            partner_id=partner_id, now=timezone.now(), by=request.member.user_id, **form.cleaned_data  # type: ignore[attr-defined]
        )  # fmt: skip
    except DomainError as refused:
        form.add_error("name", str(refused))
        return None


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def pin(request: HttpRequest, partner_id: UUID) -> HttpResponse:
    """Set the partner's PIN."""
    one, form = load(partner_id), PinForm(request.POST or None)
    back = address("rewards:partner", one.pk)
    if request.method == "POST" and form.is_valid():
        service.set_pin(partner_id=one.pk, now=timezone.now(), by=request.member.user_id, **form.cleaned_data)  # type: ignore[attr-defined]
        return redirect_to(request, back, message=_("The PIN is set. Whoever was inside enters it anew."))
    context = {
        "title": _("Set the PIN of %(name)s") % {"name": one.name}, "form": form, "action": request.path, "label": _("Set"),
        "cancel_url": back, "may_do": True, "text": _("The partner enters it after opening the link. It is kept as a hash only."),
    }  # fmt: skip
    return respond(
        request, "rewards/confirm.html", context, fragment="rewards/_ask.html", status=422 if form.errors else 200
    )


@requires("loyalty.manage")
@require_POST
def link(request: HttpRequest, partner_id: UUID) -> HttpResponse:
    """Give the partner another link; the old one opens nothing any more."""
    one = load(partner_id)
    service.new_link(partner_id=one.pk, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
    return redirect_to(
        request,
        address("rewards:partner", one.pk),
        message=_("There is a new link. The old one opens nothing any more."),
    )


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def settle(request: HttpRequest, partner_id: UUID) -> HttpResponse:
    """Look at what a period comes to, then settle and lock it."""
    member: Any = request.member  # type: ignore[attr-defined]
    one, now, currency = load(partner_id), timezone.now(), _currency(request)
    given = request.POST or (
        {"first": request.GET["first"], "last": request.GET.get("last", "")} if "first" in request.GET else None
    )
    first, last = _last_month(local_day(member.organization, now))
    form = DaysForm(given, initial={"first": first, "last": last})
    problem, lines = "", []
    if given is not None and form.is_valid():
        first, last = form.cleaned_data["first"], form.cleaned_data["last"]
        days = {"partner_id": one.pk, "first": form.cleaned_data["first"], "last": form.cleaned_data["last"]}
        if request.method == "POST":
            try:
                made = service.settle(**days, note=form.cleaned_data["note"], now=now, by=member.user_id)
            except DomainError as refused:
                problem = str(refused)
            else:
                said = _("Settled and locked: %(sum)s.") % {"sum": format_money(made.amount, made.currency)}
                return redirect_to(request, address("rewards:settlement", made.pk), message=said)
        lines = service.uses_by_offer(**days)
    elif given is None:
        lines = service.uses_by_offer(partner_id=one.pk, first=first, last=last)
    context = {
        "one": one, "form": form, "problem": problem, "days": urlencode({"first": first, "last": last}), "lines": [_line(row, currency) for row in lines],
        "total": format_money(sum(row["amount"] for row in lines), currency), "uses": sum(row["uses"] for row in lines),
    }  # fmt: skip
    return respond(request, "rewards/settle.html", context, status=422 if form.errors or problem else 200)


@requires("loyalty.view")
@require_GET
def settlement(request: HttpRequest, settlement_id: UUID) -> HttpResponseBase:
    """One settlement, to read or (`?csv`) to take along."""
    row = Settlement.objects.select_related("partner", "settled_by").filter(pk=settlement_id).first()
    if row is None:
        raise Http404
    zone = clinic_zone(request)
    uses = [
        one
        for one in service.uses(partner_id=row.partner_id, first=row.first_day, last=row.last_day)
        if one["settlement_id"] == row.pk
    ]
    if "csv" in request.GET:
        return _csv(f"settlement-{row.first_day}.csv", uses, row.currency, zone, row.organization_id)
    context = {
        "row": row, "sum": format_money(row.amount, row.currency), "at": stamp(row.settled_at, zone),
        "by": row.settled_by.name if row.settled_by else "", "lines": [_line(line, row.currency) for line in row.lines],
    }  # fmt: skip
    return respond(request, "rewards/settlement.html", context)


@requires("loyalty.view")
@require_GET
def uses_csv(request: HttpRequest, partner_id: UUID) -> HttpResponseBase:
    """Each use of the days asked for, without names."""
    one = load(partner_id)
    form = DaysForm(request.GET)
    form.fields["note"].required = False
    if not form.is_valid():
        return HttpResponse(status=422)
    given = form.cleaned_data
    audit.record("partner.uses_downloaded", target=("partner", one.pk))
    uses = service.uses(partner_id=one.pk, first=given["first"], last=given["last"])
    return _csv("uses.csv", uses, _currency(request), clinic_zone(request), one.organization_id)


def _csv(name: str, uses: list[dict[str, Any]], currency: str, zone: Any, organization_id: UUID) -> HttpResponseBase:
    lines = (
        [stamp(one["used_at"], zone), one["name"],
         one_time.code_of(organization_id, "COUPON", serial=one["serial"], good_until=one["good_until"])[-9:],
         format_money(one["pays"], currency), _("yes") if one["settlement_id"] else _("no")]
        for one in uses
    )  # fmt: skip
    return csv_download(name, [_("When"), _("Offer"), _("End of the code"), _("Amount"), _("Settled")], lines)


def _line(row: dict[str, Any], currency: str) -> dict[str, Any]:
    return {
        "name": row["name"],
        "uses": row["uses"],
        "each": format_money(row["pays"], currency),
        "sum": format_money(row["amount"], currency),
    }


def _last_month(today: date) -> tuple[date, date]:
    year, month = (today.year - 1, 12) if today.month == 1 else (today.year, today.month - 1)
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _currency(request: HttpRequest) -> str:
    return str(request.member.organization.currency)  # type: ignore[attr-defined]


def load(partner_id: UUID) -> Partner:
    """The partner."""
    found = Partner.objects.filter(pk=partner_id).first()
    if found is None:
        raise Http404
    return found
