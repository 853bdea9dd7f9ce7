"""What the clinic owes in points, as a page and a file; and whether the books add up."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.kernel.money import format_money, plain_amount
from careloop.loyalty.points import liability as owing
from careloop.loyalty.points import verify
from careloop.loyalty.points.liability import Liability, Month
from careloop.loyalty.points.rules import FEWEST_MEMBERS
from careloop.web.http import clinic_zone, csv_download, respond


@requires("loyalty.view", "reports.view")
@require_GET
def liability(request: HttpRequest) -> HttpResponse:
    """Points outstanding by the month they end, their value, and how much of it may never be asked for."""
    currency = _currency(request)
    return respond(
        request,
        "points/liability.html",
        {"programmes": [_shown(one, currency) for one in owing.report(now=timezone.now())]},
    )


@requires("loyalty.view", "reports.view")
@require_GET
def liability_csv(request: HttpRequest) -> HttpResponseBase:
    """The same, a line for each month."""
    today = timezone.now().astimezone(clinic_zone(request)).date()
    currency = _currency(request)
    header = [
        _("Programme"),
        _("Month of the last day"),
        _("Points"),
        pgettext("points", "Members"),
        pgettext("points", "Value"),
        _("Currency"),
    ]
    rows = [
        [
            one.name,
            f"{month.first_day:%Y-%m}" if month.first_day else "",
            month.points,
            month.members,
            plain_amount(month.value, currency),
            currency,
        ]
        for one in owing.report(now=timezone.now())
        for month in one.months
    ]
    return csv_download(f"points-{today.isoformat()}.csv", header, rows)


@requires("loyalty.view", "reports.view")
@require_GET
def books(request: HttpRequest) -> HttpResponse:
    """Recompute everything from the entries and name each difference."""
    found = verify.check_books()
    return respond(request, "points/books.html", {
        "books": found, "checks": [{"what": label, "found": sum(one.what == name for one in found.differences)} for name, label in verify.MEANS.items()],
        "differences": [{"what": verify.MEANS[one.what], "id": one.id, "written": f"{one.written:,}", "recomputed": f"{one.recomputed:,}"}
                        for one in found.differences],
        "numbers": [{"label": pgettext("points", "Entries"), "value": f"{found.entries:,}"}, {"label": pgettext("points", "Accounts"), "value": f"{found.accounts:,}"},
                    {"label": pgettext("points", "Lots"), "value": f"{found.lots:,}"}],
    })  # fmt: skip


def _currency(request: HttpRequest) -> str:
    member: Any = request.member  # type: ignore[attr-defined]
    return str(member.organization.currency)


def _shown(one: Liability, currency: str) -> dict[str, Any]:
    guess, range_of = one.breakage, one.likely_unspent()
    columns = [
        {"key": "month", "label": _("Month of the last day")}, {"key": "points", "label": _("Points"), "number": True},
        {"key": "members", "label": pgettext("points", "Members"), "number": True}, {"key": "value", "label": pgettext("points", "Value"), "number": True},
    ]  # fmt: skip
    return {
        "key": one.programme_id.hex, "name": one.name, "columns": columns, "rows": [_row(month, currency) for month in one.months],
        "chart": {
            "kind": "bar", "unit": one.point_name, "x": [_month(month) for month in one.months],
            "series": [{"name": _("Points"), "values": [month.points for month in one.months]}],
        },
        "stats": [
            {"label": _("Points outstanding"), "value": f"{one.points:,}"},
            {"label": _("Worth at most"), "value": format_money(one.value, currency)},
            {"label": _("Owed by members"), "value": f"{one.owed:,}", "hint": _("balances below zero")},
        ],
        "breakage": {
            "share": f"{guess.share:.0%}", "low": f"{guess.low:.0%}", "high": f"{guess.high:.0%}", "members": guess.members,
            "from": f"{range_of[0]:,}", "to": f"{range_of[1]:,}",
        } if guess and range_of else None,
        "ended_members": one.ended_members, "fewest": FEWEST_MEMBERS,
    }  # fmt: skip


def _row(month: Month, currency: str) -> dict[str, Any]:
    return {
        "month": _month(month),
        "points": f"{month.points:,}",
        "members": f"{month.members:,}",
        "value": format_money(month.value, currency),
    }


def _month(month: Month) -> str:
    return f"{month.first_day:%Y-%m}" if month.first_day else pgettext("points", "never")
