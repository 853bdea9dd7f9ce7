"""The page of one payment: what it is for, the way to the provider, and how it went. Its link opens this payment only.

Looking never begins anything. Between our page and the provider's stands one with a visible button, because the content policy
forbids pages that send themselves; that page alone may send a form to the provider's host, and to no other.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from careloop.accounts.access import public
from careloop.audit import services as audit
from careloop.integrations.payments.sandbox.adapter import Sandbox
from careloop.kernel.errors import DomainError
from careloop.kernel.masking import mask_name
from careloop.kernel.money import format_money
from careloop.messaging.rules import spoken_language
from careloop.messaging.variables import spoken_date
from careloop.payments import accounts, links, notices, rules, services
from careloop.payments.links import Opened
from careloop.payments.models import Attempt, Payment
from careloop.payments.ports import Handover, ProviderError, Result
from careloop.payments.words import METHODS

BY_WHAT = "opened by a 256-bit token that belongs to one payment; opening changes nothing, and paying is the payer's own doing"
LOOK_AGAIN_AFTER = timedelta(minutes=1)
# as every page's (web.middleware), but for where the form may go
SENDS_TO = "default-src 'self'; base-uri 'none'; form-action 'self'{}; frame-ancestors 'none'; object-src 'none'"
PLAYED = {"pay": Result.PAID, "fail": Result.FAILED}


@public(BY_WHAT)
@never_cache
@csrf_exempt  # the token is the proof; whoever comes back from the provider brings no cookies
@require_http_methods(["GET", "HEAD", "POST"])
def payment(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is to be paid and how it stands; a POST begins it, or asks the provider once more."""
    now = timezone.now()
    if request.method == "POST" and request.POST.get("do") == "look":
        _look(token, now=now)
        return HttpResponseRedirect(request.path, status=303)
    with links.opened(token, now=now) as door:
        if door is None:
            return _gone(request)
        with translation.override(_language(request, door)):
            if request.method == "POST":
                return _begin(request, door, now=now)
            audit.record(
                "payment.viewed", patients=[door.payment.patient_id], target=("payment", door.payment.pk), now=now
            )
            return _show(request, door, now=now)


@public(
    "the provider sends the payer's browser back here; what it brings is not believed, the page is only shown again"
)
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def back(request: HttpRequest, token: str) -> HttpResponse:
    """The payer comes back from the provider."""
    return HttpResponseRedirect(f"/p/y/{token}/", status=303)


def _begin(request: HttpRequest, door: Opened, *, now: datetime) -> HttpResponse:
    try:
        handover = services.start(payment_id=door.payment.pk, language=translation.get_language() or "", now=now)
    except DomainError as refused:
        fresh = replace(door, payment=Payment.objects.select_related("patient").get(pk=door.payment.pk))
        return _show(request, fresh, now=now, problem=str(refused), status=refused.status)
    return _hand_over(request, door, handover)


def _hand_over(request: HttpRequest, door: Opened, handover: Handover) -> HttpResponse:
    one = door.payment
    response = _page(
        request, door, "portal/pay_handover.html", action=handover.url, fields=handover.fields.items(),
        amount=format_money(one.amount, one.currency), is_ours=handover.origin == "'self'",
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = policy_for(handover.origin)
    return response


def policy_for(origin: str) -> str:
    """Return the content policy of the one page that may send its form to a provider.

    >>> policy_for("https://payment.example").split("; ")[2]
    "form-action 'self' https://payment.example"
    """
    return SENDS_TO.format("" if origin == "'self'" else f" {origin}")


def _show(request: HttpRequest, door: Opened, *, now: datetime, problem: str = "", status: int = 200) -> HttpResponse:
    one, zone = door.payment, ZoneInfo(door.organization.time_zone)
    last = Attempt.objects.filter(payment=one).order_by("-started_at").first()
    paid_with = Attempt.objects.select_related("account").filter(payment=one, state="PAID", is_extra=False).first()
    is_open = one.state in rules.PAYABLE and one.expires_at > now
    language = translation.get_language() or ""

    def said(moment: datetime) -> str:
        return spoken_date(moment.astimezone(zone).date(), language)

    context: dict[str, Any] = {
        "how": one.state if one.state not in rules.PAYABLE or is_open else "EXPIRED", "title": one.title,
        "who": mask_name(one.patient.name), "amount": format_money(one.amount, one.currency),
        "items": [
            {"name": item.name, "amount": format_money(item.amount, one.currency), "is_copay": item.kind == "COPAY",
             "full": format_money(item.full_amount, one.currency) if item.full_amount > item.amount else ""}
            for item in one.items.order_by("position")
        ],
        "until": said(one.expires_at), "reason": one.reason, "problem": problem, "may_pay": is_open and accounts.is_connected(),
        "is_waiting": one.state == "STARTED" and last is not None and last.state == "OPEN",
        "may_look": last is not None and last.state == "OPEN" and now - last.started_at > LOOK_AGAIN_AFTER,
        "paid_on": said(one.paid_at) + f" {one.paid_at.astimezone(zone):%H:%M}" if one.paid_at else "",
        "method": METHODS.get(one.method, one.method), "number": paid_with.provider_trade_no if paid_with else "",
        "refunded": format_money(one.refunded, one.currency) if one.refunded else "",
        "is_test": accounts.is_test(paid_with.account) if paid_with else _next_is_test(),
    }  # fmt: skip
    return _page(request, door, "portal/pay.html", status=status, **context)


def _next_is_test() -> bool:
    try:
        return accounts.is_test(accounts.default_account())
    except DomainError:
        return False


def _look(token: str, *, now: datetime) -> None:
    """Ask the provider once more about the last try, at most once a minute."""
    with links.opened(token, now=now) as door:
        if door is None:
            return
        found = Attempt.objects.filter(payment=door.payment, state="OPEN").order_by("-started_at").first()
        if found is None or now - found.started_at <= LOOK_AGAIN_AFTER or not _first_in_a_minute(found.pk):
            return
        organization_id = door.organization.pk
    try:
        notices.look(attempt_id=found.pk, organization_id=organization_id, now=now)
    except ProviderError:
        return  # the page still says that we wait


def _first_in_a_minute(attempt_id: UUID) -> bool:
    from django.core.cache import cache

    return bool(cache.add(f"payments:looked:{attempt_id}", 1, int(LOOK_AGAIN_AFTER.total_seconds())))


# -- the sandbox provider's own page -------------------------------------------------------------------------------


@public("play money only: the fields are signed by our own handover, and the page says that nothing is charged")
@never_cache
@csrf_exempt  # stands for a page of somebody else's, which knows no cookies of ours
@require_POST
def sandbox(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Where a payer of the demo presses pay or fail; what was pressed goes through the door of every provider."""
    door = accounts.find_door(account_id, kind="sandbox")
    if door is None:
        return _gone(request)
    provider = door.provider
    assert isinstance(provider, Sandbox)
    fields = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    if not provider.is_ours(fields):
        return HttpResponse(status=400)
    back_path = fields["back"].partition("://")[2].partition("/")[2]
    do = fields.get("do", "")
    if do in PLAYED:
        now = timezone.now()
        body = provider.write_notice(
            trade_no=fields["trade_no"],
            amount=int(fields["amount"]),
            currency=fields["currency"],
            result=PLAYED[do],
            at=now,
        )
        notices.receive(door, body, now=now)
    if do:
        return HttpResponseRedirect("/" + back_path, status=303)
    shown = {
        "clinic": None, "language": translation.get_language(), "fields": [(name, fields[name]) for name in (*_SIGNED, "proof")],
        "amount": format_money(int(fields["amount"]), fields["currency"]), "title": fields["title"],
    }  # fmt: skip
    return render(request, "portal/pay_sandbox.html", shown)


_SIGNED = ("trade_no", "amount", "currency", "title", "back")


# -- inside ----------------------------------------------------------------------------------------------------------


def _language(request: HttpRequest, door: Opened) -> str:
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if chosen in dict(settings.LANGUAGES):
        return chosen
    return spoken_language(door.payment.patient.language, default=door.organization.language)


def _page(request: HttpRequest, door: Opened, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    shown = {
        "clinic": door.organization, "language": translation.get_language(), "accent": door.organization.accent_color[1:],
        "home": f"/p/{door.organization.slug}/", **context,
    }  # fmt: skip
    return render(request, template, shown, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/gone.html", {"clinic": None, "language": translation.get_language()}, status=404)
