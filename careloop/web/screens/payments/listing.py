"""The list of payments with its sums."""

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.money import format_money
from careloop.payments import accounts, selectors
from careloop.payments.selectors import Filters
from careloop.web.http import Keyset, clinic_zone, respond
from careloop.web.screens.payments.common import shown
from careloop.web.screens.payments.forms import FilterForm


@requires("payments.manage")
@require_GET
def payments(request: HttpRequest) -> HttpResponse:
    """Payments, the latest first: one statement for the page, one for the sums."""
    now, zone = timezone.now(), clinic_zone(request)
    form = FilterForm(request.GET)
    filters = _filters(form, zone)
    keyset = Keyset(request, order=("-requested_at", "-id"), size=selectors.PAGE)
    columns = {"requested_at": "p.requested_at", "id": "p.id"}
    beyond, values = keyset.where(**columns)
    more = {f"after_{number}": value for number, value in enumerate(values)}
    for name in more:
        beyond = beyond.replace("%s", f"%({name})s", 1)
    page = keyset.cut(
        selectors.listed(filters, beyond=beyond, order=keyset.order_by(**columns), limit=keyset.limit, more=more)
    )
    sums = selectors.sums(filters)
    audit.record("payments.listed", patients=[row["patient_id"] for row in page.rows])
    member: Any = request.member  # type: ignore[attr-defined]
    context = {
        "page": page, "rows": [shown(row, zone, now=now) for row in page.rows], "form": form, "chips": _chips(request, form),
        "stats": [stat for one in sums for stat in _stats(one)], "is_filtered": bool(_chips(request, form)),
        "is_connected": accounts.is_connected(), "may_connect": member.can("settings.payments"),
    }  # fmt: skip
    return respond(request, "payments/list.html", context)


def _filters(form: FilterForm, zone: Any) -> Filters:
    form.is_valid()
    given = form.cleaned_data
    since, until = given.get("since"), given.get("until")
    return Filters(
        state=given.get("state", ""), text=(given.get("q") or "").replace("\0", "").strip(),
        since=datetime.combine(since, time.min, zone) if since else None,
        until=datetime.combine(until + timedelta(days=1), time.min, zone) if until else None,
    )  # fmt: skip


def _stats(one: dict[str, Any]) -> list[dict[str, Any]]:
    currency = one["currency"]
    return [
        {"label": pgettext("payments", "Asked for"), "value": format_money(one["asked"], currency)},
        {"label": pgettext("payments", "Paid"), "value": format_money(one["paid"], currency)},
        {"label": pgettext("payments", "Given back"), "value": format_money(one["refunded"], currency)},
        {"label": pgettext("payments", "Waiting"), "value": format_money(one["waiting"], currency)},
    ]


def _chips(request: HttpRequest, form: FilterForm) -> list[dict[str, Any]]:
    chips = []
    for name in ("q", "state", "since", "until"):
        value = request.GET.get(name, "")
        if value and not form.errors.get(name):
            choices = dict(getattr(form.fields[name], "choices", ()))
            kept = {key: one for key, one in request.GET.items() if key not in (name, "after") and one}
            chips.append({"label": choices.get(value, value), "url": f"?{urlencode(kept)}"})
    return chips
