"""A member's points: what there is, what ends when, every entry with its reason; and changing them by hand."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.loyalty.figures import signed
from careloop.loyalty.points import ledger, pools, statements
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.points.common import ask, load, shown
from careloop.web.screens.points.forms import AdjustForm

PAGE = 50


@requires("loyalty.view")
@require_GET
def statement(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Every entry, the latest first, with why, by whom and what the balance was."""
    now, zone = timezone.now(), clinic_zone(request)
    member: Any = request.member  # type: ignore[attr-defined]
    one = load(account_id, now=now)
    before = request.GET.get("before", "")
    found = statements.entries_of(
        account_id, PAGE + 1, int(before) if before.isdecimal() and len(before) < 19 else None
    )
    entries = [shown(row, zone) for row in found[:PAGE]]
    context = {
        "one": one, "entries": entries, "is_later_page": bool(before),
        "more_url": f"?before={entries[-1]['id']}" if len(found) > PAGE else "",
        "expiring": statements.expiring(account_id, now), "question": pools.open_question(account_id),
        "may_adjust": one["is_active"] and member.can("loyalty.adjust"),
        "may_reverse": member.can("loyalty.adjust"),
        "may_hand_over": one["is_active"] and one["allows_transfers"] and one["balance"] > 0 and member.can("loyalty.desk"),
        "has_family": one["pool_id"] or one["allows_pools"],
    }  # fmt: skip
    return respond(request, "points/statement.html", context)


@requires("loyalty.view", "loyalty.adjust")
@require_http_methods(["GET", "POST"])
def adjust(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Give or take points by hand: first what will be, then it is done; sent twice it is done once."""
    now = timezone.now()
    one = load(account_id, now=now)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("points:statement", account_id)
    title, text = _("Change points by hand"), _("For what no rule knows of. It stands in the books for ever; a mistake is put right by another entry.")  # fmt: skip
    form = AdjustForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return ask(
            request, one, form, title=title, text=text, label=pgettext("points", "Preview"), back=back,
            status=422 if request.method == "POST" else 200,
        )  # fmt: skip
    points = form.signed()
    if not request.POST.get("confirmed"):
        given = form.cleaned_data
        after = one["balance"] + points
        facts = [
            {"label": pgettext("points", "Change"), "value": signed(points)}, {"label": _("Points afterwards"), "value": f"{after:,}"},
            {"label": pgettext("points", "Why"), "value": given["note"]},
        ]  # fmt: skip
        warning = (
            _("The balance goes below zero: the next points pay it back first.")
            if after < 0 and one["when_spent"] == "NEGATIVE"
            else ""
        )
        hidden = [{"name": name, "value": given[name]} for name in ("key", "direction", "points", "note")]
        return ask(
            request, one, None, title=title, text="", label=_("Change the points"), back=back, facts=facts, warning=warning,
            hidden=[*hidden, {"name": "confirmed", "value": "yes"}],
        )  # fmt: skip
    try:
        ledger.adjust(
            account_id=account_id, points=points, key=f"hand:{form.cleaned_data['key']}", now=now, by=member.user_id,
            because=ledger.Because("MANUAL", note=form.cleaned_data["note"]),
        )  # fmt: skip
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return ask(
            request, one, form, title=title, text=text, label=pgettext("points", "Preview"), back=back, status=422
        )
    return redirect_to(request, back, message=_("The points are changed."))
