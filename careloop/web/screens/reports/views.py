"""What reaching out brought: from the message to the answer to the visit, and against doing nothing."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.insights import selectors
from careloop.journeys import selectors as journeys
from careloop.messaging.models import MessageClass
from careloop.messaging.reasons import reason_label
from careloop.tenancy.models import Organization
from careloop.web.http import csv_download, respond
from careloop.web.screens.journeys.page import comparison, percent

CLASSES = dict(MessageClass.choices)
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)  # days can be reckoned from these
PERIODS = [
    ("30", gettext_lazy("last 30 days")),
    ("90", gettext_lazy("last 90 days")),
    ("365", gettext_lazy("last year")),
]


class PeriodForm(forms.Form):
    """Which time the report is about; days of one's own win over the choice."""

    period = forms.ChoiceField(label=gettext_lazy("Period"), required=False, choices=PERIODS)
    first = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        label=gettext_lazy("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    message_class = forms.ChoiceField(
        label=gettext_lazy("Class of message"),
        required=False,
        choices=[("", gettext_lazy("All")), *MessageClass.choices],
    )


@dataclass(frozen=True)
class Period:
    """From the start of the first day to the end of the last, in the clinic's zone."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time(0), self.zone)

    @property
    def until(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(0), self.zone)


def _asked(request: HttpRequest) -> tuple[PeriodForm, Period, str]:
    zone = ZoneInfo(Organization.objects.values_list("time_zone", flat=True).get())
    today = timezone.now().astimezone(zone).date()
    form = PeriodForm(request.GET)
    form.is_valid()
    given = form.cleaned_data
    last = min(max(given.get("last") or today, EARLIEST), LATEST)
    first = given.get("first") or last - timedelta(days=int(given.get("period") or 30) - 1)
    first = min(max(first, EARLIEST), LATEST)
    if first > last:
        first, last = last, first
    first = max(first, last - timedelta(days=366 * 5))
    return form, Period(first, last, zone), given.get("message_class") or ""


@requires("reports.view")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The first report: funnel, weeks, journeys with their comparison, and why messages were not sent."""
    form, period, message_class = _asked(request)
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    reach = selectors.reach(since=period.since, until=period.until, message_class=message_class)
    weeks = selectors.by_week(since=period.since, until=period.until, zone=period.zone, message_class=message_class)
    query = urlencode({name: value for name, value in request.GET.items() if value})
    context = {
        "form": form, "period": period, "reach": reach, "has_messages": reach.planned > 0,
        "may_open": member.can("journeys.view"),
        "funnel": [
            {"label": _("Messages due"), "count": reach.planned},
            {"label": _("Sent"), "count": reach.sent},
            {"label": _("Answered"), "count": reach.answered},
        ],
        "visits": [
            {"label": _("Patients reached"), "count": reach.patients},
            {"label": _("Visited within 30 days"), "count": reach.visited},
        ],
        "chart": {
            "kind": "bar", "unit": _("messages"), "x": [row["week"].isoformat() for row in weeks],
            "series": [
                {"name": _("Sent"), "values": [row["sent"] for row in weeks]},
                {"name": _("Answered"), "values": [row["answered"] for row in weeks]},
            ],
        },
        "chart_columns": [
            {"key": "week", "label": _("Week from")}, {"key": "sent", "label": _("Sent"), "number": True},
            {"key": "answered", "label": _("Answered"), "number": True},
        ],
        "chart_rows": [{**row, "week": row["week"].isoformat()} for row in weeks],
        "weeks_csv": f"{reverse('insights:weeks_csv')}?{query}", "journeys_csv": f"{reverse('insights:journeys_csv')}?{query}",
        "journeys": [_journey(one, results) for one, results in journeys.by_journey(now=now, since=period.since, until=period.until)],
        "templates": [
            {**row, "class_label": CLASSES.get(row["message_class"], row["message_class"])}
            for row in selectors.by_template(since=period.since, until=period.until, message_class=message_class)
        ],
        "reasons": [
            {"label": reason_label(row["reason"]), "count": row["n"]}
            for row in selectors.not_sent_reasons(since=period.since, until=period.until, message_class=message_class)
        ],
    }  # fmt: skip
    return respond(request, "reports/home.html", context)


def _journey(one: dict[str, Any], results: journeys.Results) -> dict[str, Any]:
    compared = comparison(results)
    return {
        **one, "results": results, "url": reverse("journeys:results", args=[one["id"]]), "comparison": compared,
        "effect": _("%(value)s pp (%(low)s to %(high)s)") % compared if results.held_out else "",
    }  # fmt: skip


@requires("reports.view")
@require_GET
def weeks_csv(request: HttpRequest) -> HttpResponseBase:
    """The numbers of the chart."""
    _form, period, message_class = _asked(request)
    rows = selectors.by_week(since=period.since, until=period.until, zone=period.zone, message_class=message_class)
    audit.record("report.downloaded", target=("report", "weeks"))
    header = [_("Week from"), _("Sent"), _("Answered")]
    return csv_download(
        f"messages-{period.first}-{period.last}.csv",
        header,
        [[row["week"].isoformat(), row["sent"], row["answered"]] for row in rows],
    )


@requires("reports.view")
@require_GET
def journeys_csv(request: HttpRequest) -> HttpResponseBase:
    """The journeys of the period with their comparison: counts, never names of patients."""
    _form, period, _class = _asked(request)
    found = journeys.by_journey(now=timezone.now(), since=period.since, until=period.until)
    audit.record("report.downloaded", target=("report", "journeys"))
    header = [
        _("Care journey"), _("Entered"), _("Got a message"), _("Answered"), _("Visited"), _("Goal reached"), _("Goal reached, percent"),
        _("Held out"), _("Held out: goal reached"), _("Held out: percent"), _("Difference, percentage points"),
        _("95% interval from"), _("95% interval to"),
    ]  # fmt: skip
    rows = []
    for one, results in found:
        effect = results.effect
        compared = (
            [f"{100 * value:.1f}" for value in (effect.value, effect.low, effect.high)]
            if results.held_out
            else ["", "", ""]
        )
        rows.append([
            one["name"], results.entered, results.messaged, results.answered, results.visited, results.goals, percent(effect.treated.value),
            results.held_out, results.held_out_goals, percent(effect.held_out.value) if results.held_out else "", *compared,
        ])  # fmt: skip
    return csv_download(f"journeys-{period.first}-{period.last}.csv", header, rows)
