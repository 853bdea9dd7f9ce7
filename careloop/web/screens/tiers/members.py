"""One member's tier: how it came about, what it gives, what of it was used, and a tier given by hand."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import location_ids
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty.tier import benefits, standing, tiers, words
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.tiers.common import currency_of
from careloop.web.screens.tiers.forms import ByHandForm


def standing_or_404(request: HttpRequest, account_id: UUID) -> dict[str, Any]:
    """Where a member stands, if one may see the patient."""
    found = tiers.standing_of(account_id)
    limit = location_ids(request.member)  # type: ignore[attr-defined]
    if found is None or (limit is not None and found["home_location_id"] not in limit):
        raise Http404
    return found


@requires("loyalty.view")
@require_GET
def member(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The member's page about tiers."""
    one = standing_or_404(request, account_id)
    audit.record("loyalty.tier_viewed", patients=[one["patient_id"]], target=("loyalty_account", account_id))
    return _page(request, one)


def _page(request: HttpRequest, one: dict[str, Any], form: ByHandForm | None = None) -> HttpResponse:
    now, zone, currency = timezone.now(), clinic_zone(request), currency_of(request)
    staff: Any = request.member  # type: ignore[attr-defined]
    choices = _choices(one)
    initial = {"until": (now.astimezone(zone).date() + timedelta(days=365)).isoformat()}
    had = [benefits.shown(row) for row in benefits.had_by(one["account_id"], now=now)]
    context = {
        "one": one, "patient_url": address("patients:page", one["patient_id"]), "back_url": address("tiers:list"),
        "history": [words.change(row, zone, currency) for row in tiers.history_of(one["account_id"])],
        "benefits": [{**row, "gives": words.gives(row, currency)} for row in had],
        "items": [
            {
                **row, "key": uuid4().hex, "gives": words.gives(row, currency),
                "uses": [{"id": used.pk, "on": f"{used.at.astimezone(zone):%Y-%m-%d %H:%M}"} for used in row["uses"]],
            }
            for row in benefits.items_of(one["account_id"], now=now)
        ],
        "form": form or ByHandForm(tiers=choices, initial=initial), "has_tiers": bool(choices),
        "may_adjust": staff.can("loyalty.adjust"), "may_work": staff.can("loyalty.desk"),
    }  # fmt: skip
    return respond(request, "tiers/member.html", context, status=422 if form is not None else 200)


def _choices(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(tier.id), tier.name) for tier in reversed(standing.rules_of(one["programme_id"])) if tier.is_active]


@requires("loyalty.adjust")
@require_POST
def by_hand(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Give a tier by hand, or take back the one that was given."""
    one = standing_or_404(request, account_id)
    now, by = timezone.now(), request.member.user_id  # type: ignore[attr-defined]
    here = address("tiers:member", account_id)
    if request.POST.get("what") == "end":
        try:
            tiers.end_by_hand(account_id=account_id, reason=request.POST.get("reason", ""), now=now, by=by)
        except DomainError as refusal:
            return redirect_to(request, here, message=str(refusal), tone="danger")
        return redirect_to(request, here, message=_("What was given by hand is taken back."))
    form = ByHandForm(request.POST, tiers=_choices(one))
    if form.is_valid():
        given = form.cleaned_data
        try:
            tiers.give_by_hand(
                account_id=account_id, tier_id=UUID(given["tier"]), until=given["until"], reason=given["reason"], now=now, by=by
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, here, message=_("The tier is given."))
    return _page(request, one, form)


@requires("loyalty.desk")
@require_POST
def use_item(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Count one use of a service item, or take one back."""
    standing_or_404(request, account_id)
    now, by = timezone.now(), request.member.user_id  # type: ignore[attr-defined]
    here = address("tiers:member", account_id)
    try:
        if use_id := request.POST.get("undo", ""):
            benefits.undo_use(use_id=_number(use_id), account_id=account_id, now=now, by=by)
            return redirect_to(request, here, message=_("The use is taken back."))
        benefits.use_item(
            account_id=account_id, benefit_id=_uuid(request.POST.get("benefit", "")), key=request.POST.get("key", "").replace("\0", "")[:60], now=now, by=by
        )  # fmt: skip
    except DomainError as refusal:
        return redirect_to(request, here, message=str(refusal), tone="danger")
    return redirect_to(request, here, message=_("Counted as used."))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
