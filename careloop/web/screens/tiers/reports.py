"""What the membership brought: members, points, how tiers flow, and who comes back, beside patients with the same history."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.insights import membership, sankey
from careloop.insights.membership import LEFT, NEW, Returned
from careloop.loyalty.models import Programme
from careloop.loyalty.tier import setup as tier_setup
from careloop.web.http import clinic_zone, csv_download, respond
from careloop.web.screens.journeys.page import percent, percentage_points
from careloop.web.screens.tiers.common import address_or_none, tabs

PERIODS = (90, 365, 730)


@dataclass(frozen=True)
class Asked:
    """Which programme and which time a report is about. The period ends now."""

    programme: Programme
    days: int
    now: datetime
    zone: ZoneInfo
    names: dict[UUID | str | None, str]
    ranks: dict[UUID | str | None, int]

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def first(self) -> date:
        return self.today - timedelta(days=self.days - 1)

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time(0), self.zone)

    @property
    def compared_on(self) -> date:
        """The day from which on a return is looked for: as long ago as the horizon is long."""
        return self.today - timedelta(days=membership.HORIZON_DAYS)


def _asked(request: HttpRequest) -> Asked | None:
    programmes = list(Programme.objects.exclude(state=Programme.State.DRAFT).order_by("-state", "opened_at"))
    if not programmes:
        return None
    chosen = next((one for one in programmes if str(one.pk) == request.GET.get("programme")), programmes[0])
    days = int(text) if (text := request.GET.get("days", "")).isdigit() and int(text) in PERIODS else 365
    tiers = tier_setup.tiers_of(chosen.pk)
    names: dict[UUID | str | None, str] = {one["id"]: one["name"] for one in tiers}
    names |= {None: _("no tier"), NEW: _("not yet a member"), LEFT: _("no longer a member")}
    ranks: dict[UUID | str | None, int] = {one["id"]: one["rank"] for one in tiers}
    ranks |= {None: 0, NEW: -1, LEFT: -2}
    return Asked(chosen, days, timezone.now(), clinic_zone(request), names, ranks)


@requires("reports.view", "loyalty.view")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The dashboards of the membership, for one programme and one period."""
    asked = _asked(request)
    if asked is None:
        return respond(
            request,
            "tiers/reports.html",
            {"tabs": tabs("reports"), "set_up_url": address_or_none("membership:programmes")},
        )
    months = membership.by_month(first=asked.first, last=asked.today, zone=asked.zone)
    flows = _flows(asked)
    returns = _returns(asked)
    query = f"?programme={asked.programme.pk}&days={asked.days}"
    context = {
        "asked": asked, "tabs": tabs("reports"), "members": membership.members(now=asked.now, zone=asked.zone), "flow": _picture(asked, flows),
        "flow_rows": flows, "returns": [_shown(one, asked) for one in returns], "horizon": membership.HORIZON_DAYS,
        "least": membership.LEAST_IN_GROUP, "csv": {name: f"{reverse('tiers:report_csv', args=[name])}{query}" for name in ("months", "flow", "returns")},
        "liability_url": address_or_none("points:liability"), "members_url": address_or_none("membership:home"),
        "periods": [
            {
                "label": ngettext("last %(days)d day", "last %(days)d days", one) % {"days": one},
                "url": f"?programme={asked.programme.pk}&days={one}", "is_current": one == asked.days,
            } for one in PERIODS
        ],
        "others": [
            {"label": one.name, "url": f"?programme={one.pk}&days={asked.days}"}
            for one in Programme.objects.exclude(state=Programme.State.DRAFT).exclude(pk=asked.programme.pk).order_by("name")
        ],
        **_charts(months, asked),
    }  # fmt: skip
    return respond(request, "tiers/reports.html", context)


def _charts(months: list[dict[str, Any]], asked: Asked) -> dict[str, Any]:
    x = [f"{row['month']:%Y-%m}" for row in months]
    rows = [{**row, "month": f"{row['month']:%Y-%m}"} for row in months]
    return {
        "points_chart": {
            "kind": "bar", "unit": asked.programme.point_name, "x": x,
            "series": [
                {"name": _("Earned"), "values": [row["earned"] for row in months]}, {"name": _("Spent"), "values": [row["spent"] for row in months]},
                {"name": _("Expired"), "values": [row["expired"] for row in months]},
            ],
        },
        "points_columns": [
            {"key": "month", "label": _("Month")}, {"key": "earned", "label": _("Earned"), "number": True},
            {"key": "spent", "label": _("Spent"), "number": True}, {"key": "expired", "label": _("Expired"), "number": True},
            {"key": "by_hand", "label": _("By hand"), "number": True},
        ],
        "members_chart": {
            "kind": "bar", "unit": pgettext("chart unit", "members"), "x": x,
            "series": [
                {"name": pgettext("members", "Joined"), "values": [row["joined"] for row in months]}, {"name": pgettext("members", "Left"), "values": [row["gone"] for row in months]},
            ],
        },
        "members_columns": [
            {"key": "month", "label": _("Month")}, {"key": "joined", "label": pgettext("members", "Joined"), "number": True},
            {"key": "gone", "label": pgettext("members", "Left"), "number": True},
        ],
        "month_rows": rows, "has_points": any(row["earned"] or row["spent"] or row["expired"] for row in months),
    }  # fmt: skip


def _flows(asked: Asked) -> list[dict[str, Any]]:
    found = membership.flow(asked.programme.pk, since=asked.since, until=asked.now)
    return [
        {"before": asked.names.get(one.before, "–"), "after": asked.names.get(one.after, "–"), "members": one.members,
         "moved": one.before != one.after}
        for one in sorted(found, key=lambda one: (-asked.ranks.get(one.before, 0), -asked.ranks.get(one.after, 0)))
    ]  # fmt: skip


def _picture(asked: Asked, flows: list[dict[str, Any]]) -> sankey.Picture:
    """From the highest tier down; each band in the colour of the tier it comes from."""
    order = sorted(asked.names, key=lambda one: -asked.ranks.get(one, 0))
    coloured = [(asked.names[one], _series(asked.ranks.get(one, 0))) for one in order]
    triples = [(row["before"], row["after"], row["members"]) for row in flows]
    return sankey.draw(_summed(triples), left=_once(coloured), right=_once(coloured))


def _series(rank: int) -> int:
    return (rank - 1) % 5 + 1 if rank > 0 else 0


def _summed(flows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Tiers that have the same name (an ended one and its successor) flow as one."""
    found: dict[tuple[str, str], int] = {}
    for before, after, members in flows:
        found[before, after] = found.get((before, after), 0) + members
    return [(before, after, members) for (before, after), members in found.items()]


def _once(names: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return list(dict(reversed(names)).items())[::-1]


def _returns(asked: Asked) -> list[Returned]:
    found = membership.compare(membership.returns(asked.programme.pk, on=asked.compared_on, zone=asked.zone))
    return sorted(found, key=lambda one: -asked.ranks.get(one.tier, 0))


def _shown(one: Returned, asked: Asked) -> dict[str, Any]:
    given = {
        "value": percentage_points(one.difference),
        "low": percentage_points(one.low),
        "high": percentage_points(one.high),
    }
    return {
        "tier": asked.names.get(one.tier, "–"), "members": one.members, "rate": percent(one.rate.value), "rate_low": percent(one.rate.low),
        "rate_high": percent(one.rate.high), "matched": one.matched, "comparable": one.comparable, "alike": percent(one.alike),
        "others": percent(one.others), "too_few": one.too_few, "difference": _("%(value)s pp (%(low)s to %(high)s)") % given, "raw": one,
    }  # fmt: skip


# -- downloads ----------------------------------------------------------------------------------------------------


@requires("reports.view", "loyalty.view")
@require_GET
def download(request: HttpRequest, report: str) -> HttpResponseBase:
    """The numbers behind a picture: counts, never names of patients."""
    asked, made = _asked(request), REPORTS.get(report)
    if asked is None or made is None:
        raise Http404
    audit.record("report.downloaded", target=("report", f"membership-{report}"))
    header, rows = made(asked)
    return csv_download(f"membership-{report}-{asked.first}-{asked.today}.csv", header, rows)


def _months_csv(asked: Asked) -> tuple[list[str], list[list[Any]]]:
    rows = membership.by_month(first=asked.first, last=asked.today, zone=asked.zone)
    header = [
        _("Month"),
        pgettext("members", "Joined"),
        pgettext("members", "Left"),
        _("Earned"),
        _("Spent"),
        _("Expired"),
        _("By hand"),
    ]
    names = ("joined", "gone", "earned", "spent", "expired", "by_hand")
    return header, [[f"{row['month']:%Y-%m}", *(row[name] for name in names)] for row in rows]


def _flow_csv(asked: Asked) -> tuple[list[str], list[list[Any]]]:
    header = [_("Tier before"), _("Tier after"), _("Members")]
    return header, [[row["before"], row["after"], row["members"]] for row in _flows(asked)]


def _returns_csv(asked: Asked) -> tuple[list[str], list[list[Any]]]:
    header = [
        _("Tier"), _("Members"), _("Came back, percent"), _("95% interval from"), _("95% interval to"), _("Members with comparable patients"),
        _("Comparable patients"), _("Came back of these members, percent"), _("Came back of comparable patients, percent"),
        _("Difference, percentage points"), _("95% interval from"), _("95% interval to"),
    ]  # fmt: skip
    rows = []
    for one in _returns(asked):
        shares = (one.rate.value, one.rate.low, one.rate.high)
        compared = (one.alike, one.others, one.difference, one.low, one.high)
        rows.append([
            asked.names.get(one.tier, "–"), one.members, *(f"{100 * value:.1f}" for value in shares), one.matched, one.comparable,
            *(f"{100 * value:.1f}" for value in compared),
        ])  # fmt: skip
    return header, rows


REPORTS: dict[str, Callable[[Asked], tuple[list[str], list[list[Any]]]]] = {
    "months": _months_csv, "flow": _flow_csv, "returns": _returns_csv,
}  # fmt: skip
