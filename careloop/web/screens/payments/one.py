"""One payment: how it stands, its link and code, withdrawing it, giving it back."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.kernel.money import format_money
from careloop.payments import accounts, errors, links, refunds, rules, selectors, services
from careloop.payments.models import Attempt, Refund
from careloop.payments.words import REFUND_STEPS
from careloop.waitingroom import qr
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, refuse, respond
from careloop.web.screens.payments.common import shown
from careloop.web.screens.payments.forms import KINDS_OF_LINES, RefundForm, WithdrawForm

REASONS = dict(Refund.Reason.choices)
TRIES = dict(Attempt.State.choices)


def load(payment_id: UUID) -> dict[str, Any]:
    """The payment, if its patient is one the member sees."""
    found = selectors.payment(payment_id)
    if found is None:
        raise Http404
    return found


@requires("payments.manage")
@require_GET
def page(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Everything about one payment."""
    row = load(payment_id)
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    audit.record("payment.viewed", patients=[row["patient_id"]], target=("payment", row["id"]), now=now)
    one, currency = shown(row, zone, now=now), row["currency"]
    may_pay = one["is_open"] and accounts.is_connected()
    url = links.url_of(member.organization_id, row["id"]) if may_pay else ""
    left = rules.left_to_refund(
        amount=row["amount"], copay=row["copay"], refunded=row["refunded"], refunded_at_will=row["refunded_at_will"], reason="WRONG"
    )  # fmt: skip
    notes = refunds.notes_of(row["patient_id"]) if row["refunds"] else {}
    context = {
        "one": one, "pairs": _pairs(one, zone), "link": url, "code": qr.svg(url, title=_("Code to pay")) if url else "",
        "items": [
            {**item, "kind_label": KINDS_OF_LINES[item["kind"]], "sum": format_money(item["amount"], currency),
             "full": format_money(item["full_amount"], currency) if item["full_amount"] > item["amount"] else ""}
            for item in row["items"] or ()
        ],
        "attempts": [_attempt(item, zone) for item in row["attempts"]],
        "refunds": [_refund(item, currency, zone, notes) for item in row["refunds"]],
        "may_withdraw": row["state"] in rules.PAYABLE, "may_refund": member.can("payments.refund") and row["state"] == "PAID" and left > 0,
        "may_settle": member.can("payments.refund"), "may_send": may_pay and member.can("messages.send"), "key": uuid7().hex,
        "is_connected": accounts.is_connected(),
    }  # fmt: skip
    return respond(request, "payments/page.html", context)


def _pairs(one: dict[str, Any], zone: Any) -> list[dict[str, Any]]:
    def stamp(moment: Any) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""

    pairs = [
        (pgettext("payments", "Asked for"), " · ".join(part for part in (stamp(one["requested_at"]), one["requested_by"] or "") if part)),
        (_("Can be paid until"), stamp(one["expires_at"]) if one["is_open"] else ""), (pgettext("payments", "Paid"), stamp(one["paid_at"])),
        (_("Paid by"), one["method_label"]), (pgettext("payments", "Given back"), one["back"]), (pgettext("payments", "Why"), one["reason"]),
    ]  # fmt: skip
    return [{"label": label, "value": value, "href": ""} for label, value in pairs if value]


def _attempt(item: dict[str, Any], zone: Any) -> dict[str, Any]:
    at = parse_datetime(item["at"])
    return {
        **item,
        "state_label": TRIES[item["state"]],
        "at": f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "",
        "tone": {"PAID": "success", "FAILED": "danger"}.get(item["state"], "neutral"),
    }


def _refund(item: dict[str, Any], currency: str, zone: Any, notes: dict[UUID, str]) -> dict[str, Any]:
    steps = item["steps"] or []
    last = steps[-1] if steps else {"step": "", "said": "", "reference": ""}
    at = parse_datetime(item["at"])
    return {
        **item, "sum": format_money(item["amount"], currency), "step_label": REFUND_STEPS[last["step"]], "is_unclear": last["step"] == "SENT",
        "tone": {"DONE": "success", "FAILED": "danger", "SENT": "warning"}.get(last["step"], "neutral"),
        "meta": " · ".join(
            str(part) for part in (REASONS.get(item["reason"], ""), f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "", item["by"], last["said"])
            if part
        ),
        "note": notes.get(UUID(item["id"]), ""),
    }  # fmt: skip


@requires("payments.manage", "messages.send")
@require_POST
def send(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Send the patient the link."""
    row = load(payment_id)
    member: Any = request.member  # type: ignore[attr-defined]
    url = address("payments:page", row["id"])
    click = request.POST.get("key", "").replace("\0", "")[:40]
    try:
        services.send_link(
            payment_id=row["id"],
            key=f"{row['id']}:{click}",
            now=timezone.now(),
            by=member.user_id,
        )
    except DomainError as refusal:
        return redirect_to(request, url, message=str(refusal), tone="warning")
    return redirect_to(request, url, message=_("The link is on its way."))


@requires("payments.manage")
@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Ask for it no longer."""
    row = load(payment_id)
    if row["state"] not in rules.PAYABLE:
        return refuse(request, str(errors.NotWithdrawable()))
    member: Any = request.member  # type: ignore[attr-defined]
    form = WithdrawForm(request.POST or None, initial={"version": row["version"]})
    if request.method == "POST" and form.is_valid():
        try:
            services.withdraw(payment_id=row["id"], now=timezone.now(), by=member.user_id, **form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("payments:page", row["id"]), message=_("It is no longer asked for."))
    return _ask(
        request, row, form, title=_("Withdraw this payment?"), label=_("Withdraw"), tone="danger",
        text=_("The patient can no longer pay it. If money is on its way all the same, it still counts and shows here."),
    )  # fmt: skip


@requires("payments.refund")
@require_http_methods(["GET", "POST"])
def refund(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Give some or all of it back."""
    row = load(payment_id)
    if row["state"] != "PAID":
        return refuse(request, str(errors.NotPaid()))
    member: Any = request.member  # type: ignore[attr-defined]
    currency = row["currency"]
    given = {name: row[name] for name in ("amount", "copay", "refunded", "refunded_at_will")}
    left = rules.left_to_refund(**given, reason="WRONG")
    without_copay = rules.left_to_refund(**given, reason="OTHER")
    form = RefundForm(
        request.POST or None, currency=currency, initial={"amount": format_money(without_copay or left, currency)}
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            refunds.ask(
                payment_id=row["id"], amount=data["amount"] or 0, reason=data["reason"], note=data["note"], by_hand=data["by_hand"],
                key=f"staff:{data['key']}", now=timezone.now(), by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = _("Noted as given back.") if data["by_hand"] else _("The refund is on its way to the provider.")
            return redirect_to(request, address("payments:page", row["id"]), message=said)
    facts = [
        {"label": pgettext("payments", "Paid"), "value": format_money(row["amount"], currency)},
        {"label": _("Can still be given back"), "value": format_money(left, currency)},
    ]
    if row["copay"]:
        facts.append({"label": _("NHI co-pay in it"), "value": format_money(row["copay"], currency)})
    warning = _("The co-pay goes back only when the service was not given or the charge was wrong.") if row["copay"] else ""  # fmt: skip
    return _ask(
        request, row, form, title=_("Give money back"), label=_("Give back"), tone="danger", facts=facts, warning=warning,
        text=_("The payment provider is asked once. If its answer is lost, this page says so and nothing is asked again."),
    )  # fmt: skip


@requires("payments.refund")
@require_POST
def settle(request: HttpRequest, refund_id: UUID) -> HttpResponse:
    """Say what became of a refund whose answer was lost."""
    found = Refund.objects.filter(pk=refund_id).first()
    if found is None:
        raise Http404
    row = load(found.payment_id)
    member: Any = request.member  # type: ignore[attr-defined]
    url = address("payments:page", row["id"])
    try:
        refunds.settle(
            refund_id=refund_id,
            went_through=request.POST.get("did") == "yes",
            now=timezone.now(),
            by=member.user_id,
        )
    except DomainError as refusal:
        return redirect_to(request, url, message=str(refusal), tone="warning")
    return redirect_to(request, url, message=_("Noted."))


def _ask(
    request: HttpRequest, row: dict[str, Any], form: forms.Form, *, title: str, text: str, label: str, tone: str,
    facts: list[dict[str, Any]] | None = None, warning: str = "",
) -> HttpResponse:  # fmt: skip
    audit.record("payment.viewed", patients=[row["patient_id"]], target=("payment", row["id"]))
    back = address("payments:page", row["id"])
    facts = [
        {"label": _("Patient"), "value": row["name"]},
        {"label": pgettext("payment", "For"), "value": row["title"]},
        *(facts or ()),
    ]
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": form, "action": request.path, "facts": facts,
        "warning": warning, "cancel_url": back, "back_url": back, "back_label": pgettext("payments", "Payment"), "hidden": [],
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, "payments/ask.html", context, fragment="payments/_ask.html", status=status)
