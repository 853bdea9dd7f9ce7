"""The tabs of a patient's page that are drawn here from the slices below; slices above add theirs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from careloop.consent import selectors as consent_selectors
from careloop.consent.models import Purpose
from careloop.patients import selectors as patient_selectors
from careloop.records import selectors as records
from careloop.records.rules import RefillState
from careloop.web.http import clinic_zone
from careloop.web.screens.patients import timeline, words
from careloop.web.screens.patients.overview import Context, overview
from careloop.web.screens.patients.page_data import PageData


class OwnTab:
    """A tab drawn here from the slices below."""

    def __init__(
        self,
        label: str | Promise,
        order: int,
        render: Callable[[HttpRequest, PageData], Context],
        permission: str = "patients.view",
    ) -> None:
        self.label, self.order, self.render, self.permission = label, order, render, permission


def _visits(request: HttpRequest, data: PageData) -> Context:
    member: Any = request.member  # type: ignore[attr-defined]
    found = records.visits(data.head.id)
    for one in found:
        one["kind"] = words.word(words.CLASSES, one["class_code"])
        one["paid"] = words.money(one["total"], one["currency"]) if one["total"] else ""
    return "patients/_visits.html", {
        "visits": found, "sees_department": member.can("records.view") or member.can("patients.edit"),
    }  # fmt: skip


def _medication(request: HttpRequest, data: PageData) -> Context:
    found = records.medications(data.head.id, today=data.today)
    shown = {
        RefillState.OPEN: (_("can be collected now"), "success"), RefillState.NOT_YET: (_("not yet"), "neutral"),
        RefillState.RAN_OUT: (_("supply has ended"), "danger"), RefillState.LAST_FILL: (_("last fill"), "warning"),
    }  # fmt: skip
    for one in found:
        if one["refill"]:
            one["refill_label"], one["refill_tone"] = shown[one["refill"].state]
    return "patients/_medication.html", {
        "running": [one for one in found if one["is_active"]], "earlier": [one for one in found if not one["is_active"]],
    }  # fmt: skip


def _results(request: HttpRequest, data: PageData) -> Context:
    member: Any = request.member  # type: ignore[attr-defined]
    zone = clinic_zone(request)
    groups = records.results(data.head.id, profile=member.organization.legal_profile)
    charts: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        latest = group["latest"]
        group["value"] = _value(group, latest)
        group["on"] = latest["observed_at"].astimezone(zone).date().isoformat()
        # one value is no trend: it stands in the table
        if group["is_number"] or any(name for name in group["parts"]):
            plotted = [
                points for points in group["parts"].values() if sum(value is not None for _at, value in points) > 1
            ]
            if plotted and len(charts) < 12:
                charts.append(_chart(f"result-{number}", group, zone))
        values.append(group)
    return "patients/_results.html", {
        "charts": charts, "groups": values, "reports": records.reports(data.head.id), "conditions": records.conditions(data.head.id),
        "procedures": records.procedures(data.head.id, limit=30), "immunizations": records.immunizations(data.head.id),
        "care_plans": records.care_plans(data.head.id), "all_allergies": records.allergies(data.head.id),
    }  # fmt: skip


def _value(group: dict[str, Any], point: dict[str, Any]) -> str:
    if point["components"]:
        numbers = [
            f"{part['number']:g}" if part.get("number") is not None else str(part.get("text") or "–")
            for part in point["components"]
        ]
        return f"{' / '.join(numbers)} {group['unit']}".strip()
    if point["value_number"] is not None:
        return f"{point['comparator']}{point['value_number']:g} {group['unit']}".strip()
    return point["value_text"] or ""


def _chart(identifier: str, group: dict[str, Any], zone: Any) -> dict[str, Any]:
    points = group["points"]
    days = [point["observed_at"].astimezone(zone).date().isoformat() for point in points if _is_drawn(group, point)]
    names = list(group["parts"])
    series = [
        {"name": name or group["display"], "values": [value for _at, value in group["parts"][name]]} for name in names
    ]
    columns = [
        {"key": "day", "label": _("Day")},
        *({"key": name or "value", "label": name or group["display"], "number": True} for name in names),
    ]
    rows = [
        {"day": one, **{name or "value": group["parts"][name][place][1] for name in names}}
        for place, one in enumerate(days)
    ]
    data: dict[str, Any] = {"kind": "line", "unit": group["unit"], "time": True, "x": days, "series": series}
    if group["band"] and names == [""]:
        data["range"] = [group["band"]["low"], group["band"]["high"]]
        data["range_name"] = _("Reference range")
    return {
        "id": identifier,
        "title": group["display"],
        "data": data,
        "columns": columns,
        "rows": rows[::-1],
        "class": group["class"],
    }


def _is_drawn(group: dict[str, Any], point: dict[str, Any]) -> bool:
    return list(group["parts"]) != [""] or point["value_number"] is not None


def _spend(request: HttpRequest, data: PageData) -> Context:
    zone = clinic_zone(request)
    months = records.spend_by_month(data.head.id, zone=zone.key)
    totals = records.spend_totals(data.head.id)
    bills = records.invoices(data.head.id)
    for one in bills:
        one["on"] = one["issued_at"].astimezone(zone).date().isoformat()
        for name in ("total", "self_pay", "copay"):
            one[name] = words.money(one[f"{name}_amount"], one["currency"])
    charts = [
        _spend_chart(currency, [one for one in months if one["currency"] == currency])
        for currency in dict.fromkeys(one["currency"] for one in months)
    ]
    return "patients/_spend.html", {
        "charts": charts, "bills": bills,
        "totals": [
            {
                "currency": one["currency"], "bills": one["bills"], "total": words.money(one["total"], one["currency"]),
                "self_pay": words.money(one["self_pay"], one["currency"]), "copay": words.money(one["copay"], one["currency"]),
                "nhi": words.money(one["nhi"], one["currency"]),
            }
            for one in totals
        ],
    }  # fmt: skip


def _spend_chart(currency: str, months: list[dict[str, Any]]) -> dict[str, Any]:
    from careloop.kernel.money import decimals_of

    scale = 10 ** decimals_of(currency)
    parts = [("self_pay", _("Self-pay")), ("copay", _("Copayment")), ("nhi", _("NHI or insurer"))]
    return {
        "id": f"spend-{currency}", "title": _("Spend by month"),
        "data": {
            "kind": "stacked", "unit": currency, "x": [one["month"] for one in months],
            "series": [{"name": label, "values": [one[name] / scale for one in months]} for name, label in parts],
        },
        "columns": [{"key": "month", "label": _("Month")}, *({"key": name, "label": label, "number": True} for name, label in parts)],
        "rows": [{"month": one["month"], **{name: words.money(one[name], currency) for name, _label in parts}} for one in reversed(months)],
    }  # fmt: skip


def _family(request: HttpRequest, data: PageData) -> Context:
    found = patient_selectors.family_of(data.head.id)
    for one in found:
        one["relationship"] = words.word(words.RELATIONSHIPS, one["relationship"])
        one["age"] = words.age(one["birth_date"], today=data.today)
    return "patients/_family.html", {
        "relatives": [one for one in found if not one["is_reverse"]], "reverse": [one for one in found if one["is_reverse"]],
    }  # fmt: skip


MATRIX = ("line", "sms", "email", "phone")


def _consent(request: HttpRequest, data: PageData) -> Context:
    member: Any = request.member  # type: ignore[attr-defined]
    matrix = [
        {
            "purpose": purpose.value, "label": purpose.label,
            "cells": [
                {"channel": channel, "label": words.word(words.CHANNELS, channel), "decision": data.may(purpose, channel)}
                for channel in MATRIX
            ],
        }
        for purpose in Purpose
    ]  # fmt: skip
    history = consent_selectors.history(data.head.id)
    for one in history:
        one |= {
            "purpose_label": words.word(words.PURPOSES, one["purpose"]), "channel_label": words.word(words.CHANNELS, one["channel"]),
            "source_label": words.word(words.SOURCES, one["source"]),
        }  # fmt: skip
    return "patients/_consent.html", {
        "matrix": matrix, "channels": [words.word(words.CHANNELS, one) for one in MATRIX], "history": history,
        "in_force": [one for one in history if one["ended_at"] is None],
        "explained": [
            {"label": words.word(words.CHANNELS, channel), **_explained(data.head.id, channel)} for channel in ("line", "sms", "email")
        ] if member.can("consent.edit") else [],
    }  # fmt: skip


def _explained(patient_id: UUID, channel: str) -> dict[str, Any]:
    answer = consent_selectors.explain(patient_id, "MARKETING", channel)
    return {
        "allowed": answer.allowed,
        "reasons": [{"rule": one.rule, "sentence": one.sentence} for one in answer.reasons],
    }


def _timeline(request: HttpRequest, data: PageData) -> Context:
    member: Any = request.member  # type: ignore[attr-defined]
    form, entries = timeline.page_of(
        request, data.head.id, zone=clinic_zone(request), clinical=member.can("records.view")
    )
    return "patients/_timeline.html", {
        "form": form, "entries": entries, "is_first": "after" not in request.GET,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }  # fmt: skip


OWN_TABS: dict[str, OwnTab] = {
    "overview": OwnTab(pgettext_lazy("patient page", "Overview"), 0, overview),
    "visits": OwnTab(pgettext_lazy("patient page", "Visits"), 10, _visits),
    "medication": OwnTab(pgettext_lazy("patient page", "Medication"), 20, _medication, "records.view"),
    "results": OwnTab(pgettext_lazy("patient page", "Results"), 30, _results, "records.view"),
    "spend": OwnTab(pgettext_lazy("patient page", "Spend"), 40, _spend),
    "family": OwnTab(pgettext_lazy("patient page", "Family"), 80, _family),
    "consent": OwnTab(pgettext_lazy("patient page", "Consent"), 90, _consent),
    "timeline": OwnTab(pgettext_lazy("patient page", "Timeline"), 95, _timeline),
}
