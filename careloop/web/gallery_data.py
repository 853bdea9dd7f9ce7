"""Invented data for the gallery page: every component, every state, long names included."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from careloop.web.http import Page

WHEN = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
LONG_NAME = "阿布都熱合曼·買買提明·艾力·努爾買買提·阿不都克里木·吐爾遜江·古麗娜爾·帕提古麗"  # 40 characters and more
PROGRESS_SECONDS = 60
CSV_HEADER = ["month", "value"]


class SampleForm(forms.Form):
    """One field of every kind."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=40, help_text=gettext_lazy("As on the insurance card.")
    )
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)
    born = forms.DateField(label=gettext_lazy("Birth date"), widget=forms.DateInput(attrs={"type": "date"}))
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=[("zh-hant", "繁體中文"), ("en", "English")])
    channel = forms.ChoiceField(
        label=gettext_lazy("Preferred channel"), widget=forms.RadioSelect,
        choices=[("line", "LINE"), ("sms", gettext_lazy("Text message")), ("email", gettext_lazy("E-mail"))],
    )  # fmt: skip
    purposes = forms.MultipleChoiceField(
        label=gettext_lazy("May be used for"), widget=forms.CheckboxSelectMultiple, required=False,
        choices=[("care", gettext_lazy("Care")), ("marketing", gettext_lazy("Marketing"))],
    )  # fmt: skip
    note = forms.CharField(label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 3}), required=False)
    file = forms.FileField(label=gettext_lazy("File"), required=False)
    agreed = forms.BooleanField(label=gettext_lazy("The patient has read the privacy notice."))


class FilterForm(forms.Form):
    """The filters of the sample list."""

    q = forms.CharField(label=gettext_lazy("Name"), required=False, widget=forms.TextInput(attrs={"type": "search"}))
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"), required=False,
        choices=[("", gettext_lazy("All")), ("line", "LINE"), ("email", gettext_lazy("E-mail"))],
    )  # fmt: skip


class ReasonForm(forms.Form):
    """Asks why, before something that is audited."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, help_text=gettext_lazy("Kept in the audit log.")
    )


def confirm_facts() -> list[dict[str, object]]:
    """The numbers shown before the sample action."""
    return [
        {"label": _("Patients"), "value": "1,204"},
        {"label": _("Left out: no consent"), "value": "87"},
        {"label": _("Left out: no address"), "value": "31"},
    ]


def csv_rows() -> list[list[Any]]:
    """The gallery's chart, and two texts that a spreadsheet must not run."""
    return [*zip(_months(), _visits(), strict=True), ["=1+1", "@SUM(A1)"]]  # type: ignore[list-item]


def _months() -> list[str]:
    return [f"2026-{month:02d}" for month in range(1, 12)]


def _visits() -> list[int]:
    return [412, 388, 455, 431, 470, 468, 502, 389, 476, 511, 498]


def running_progress(now: datetime) -> dict[str, object]:
    """A minute-long piece of work, by the clock."""
    second = int(now.timestamp()) % PROGRESS_SECONDS
    total = 120_000
    done = total * second // PROGRESS_SECONDS
    return {
        "id": "gallery-progress",
        "title": _("Import of patients.csv"),
        "state": "running",
        "done": done,
        "total": total,
        "rate": _("%(rate)s rows per second") % {"rate": f"{total // PROGRESS_SECONDS:,}"},
        "remaining": _("%(seconds)d seconds") % {"seconds": PROGRESS_SECONDS - second},
        "counts": [_("%(count)d refused") % {"count": second // 10}],
        "poll_url": reverse("web:gallery_progress"),
    }


def context(request: HttpRequest) -> dict[str, object]:
    """Everything the gallery shows."""
    bad = SampleForm({"email": "x@", "name": "", "born": "2026-13-40"})
    bad.full_clean()
    bad.add_error(None, _("These two patients are registered already. Open them instead."))
    days = [(WHEN - timedelta(days=n)).date().isoformat() for n in (380, 290, 196, 101, 9)]
    sugar = [7.9, 7.4, 7.1, 6.8, 6.6]
    months, visits = _months(), _visits()
    returned = [round(value * 0.41) for value in visits]
    return {
        "tones": ["neutral", "info", "success", "warning", "danger", "accent"],
        "long_name": LONG_NAME,
        "names": ["王小明", "Mary Ann Smith", "歐陽娜娜", LONG_NAME, ""],
        "form": SampleForm(initial={"channel": "line"}),
        "bad_form": bad,
        "filter_form": FilterForm(request.GET or None),
        "chips": [{"label": _("Channel: LINE"), "url": "?"}],
        "page": Page([], next="sample", previous="sample"),
        "patients": [
            {
                "name": "王小明",
                "chart": "A00123",
                "phone": "0912-***-678",
                "last": "2026-11-02",
                "visits": 14,
                "state": "success",
            },
            {
                "name": "Mary Ann Smith",
                "chart": "A00124",
                "phone": "02-****-8080",
                "last": "2026-03-18",
                "visits": 3,
                "state": "warning",
            },
            {"name": LONG_NAME, "chart": "B99120", "phone": "", "last": "", "visits": 0, "state": "danger"},
        ],
        "columns": [
            {"key": "name", "label": _("Name")},
            {"key": "chart", "label": _("Chart number")},
            {"key": "visits", "label": _("Visits"), "number": True},
        ],
        "tabs": [
            {"label": _("Overview"), "url": "?", "is_current": True},
            {"label": _("Messages"), "url": "?", "count": 12},
            {"label": _("Consent"), "url": "?"},
        ],
        "running": running_progress(WHEN),
        "at": WHEN,
        "line_chart": {
            "kind": "line",
            "unit": "%",
            "time": True,
            "x": days,
            "range": [4.0, 7.0],
            "range_name": _("Target"),
            "series": [{"name": "HbA1c", "values": sugar}],
        },
        "line_columns": [
            {"key": "day", "label": _("Day")},
            {"key": "value", "label": "HbA1c (%)", "number": True},
        ],
        "line_rows": [{"day": day, "value": value} for day, value in zip(days, sugar, strict=True)],
        "bar_chart": {
            "kind": "bar",
            "unit": _("visits"),
            "x": months,
            "series": [
                {"name": _("All visits"), "values": visits},
                {"name": _("Returned"), "values": returned},
            ],
        },
        "bar_columns": [
            {"key": "month", "label": _("Month")},
            {"key": "all", "label": _("All visits"), "number": True},
            {"key": "returned", "label": _("Returned"), "number": True},
        ],
        "bar_rows": [{"month": m, "all": a, "returned": r} for m, a, r in zip(months, visits, returned, strict=True)],
        "funnel": [
            {"label": _("Chosen"), "count": 1204},
            {"label": _("Reached"), "count": 1086, "note": _("118 without consent or address")},
            {"label": _("Answered"), "count": 402, "href": "?"},
            {"label": _("Visited within 30 days"), "count": 263},
            {
                "label": _("Hold-out: visited"),
                "count": 97,
                "is_comparison": True,
                "note": _("The same period, without a message"),
            },
        ],
        "lights": [
            {"label": "LINE", "state": "on", "icon": "brand-line", "detail": _("Bound on 2026-03-02")},
            {
                "label": _("Text message"),
                "state": "off",
                "icon": "device-mobile",
                "detail": _("No consent for marketing"),
            },
            {
                "label": _("E-mail"),
                "state": "blocked",
                "icon": "mail",
                "detail": _("The last three letters came back"),
            },
            {"label": _("Phone"), "state": "unknown", "icon": "phone"},
        ],
        "pairs": [
            {"label": _("Birth date"), "value": "1990-03-05"},
            {"label": _("Chart number"), "value": "A00123"},
            {"label": _("Family physician"), "value": ""},
            {"label": _("Address"), "value": LONG_NAME},
        ],
        "actions": [
            {"label": _("Edit"), "url": "?", "icon": "pencil"},
            {
                "label": _("Ask first"),
                "url": reverse("web:gallery_confirm"),
                "icon": "hand-stop",
                "dialog": True,
            },
            {"label": _("Start"), "url": "?", "icon": "player-play", "tone": "primary"},
        ],
        "entries": [
            {"label": _("Print"), "url": "?", "icon": "printer"},
            {
                "label": _("Ask first"),
                "url": reverse("web:gallery_confirm"),
                "icon": "hand-stop",
                "dialog": True,
            },
            {"label": _("Mark as entered in error"), "url": "?", "icon": "ban", "danger": True},
        ],
    }
