"""The page of one patient: a header that stays, what to do next, and tabs that slices add to."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.consent import selectors as consent_selectors
from careloop.consent.models import Purpose
from careloop.facts.models import Stage
from careloop.facts.rules import Reach
from careloop.patients import panels
from careloop.patients import selectors as patient_selectors
from careloop.patients.panels import Panel, PatientHead
from careloop.records import selectors as records
from careloop.records.rules import RefillState, refill_window
from careloop.web.http import clinic_zone, is_htmx, respond
from careloop.web.screens.patients import page_data, timeline, words
from careloop.web.screens.patients.list_rows import STAGE_TONES
from careloop.web.screens.patients.page_data import PageData

LIGHTS: tuple[tuple[str, str, str | Promise, str, Reach, Reach], ...] = (
    ("line", "line", "LINE", "brand-line", Reach.LINE, Reach.LINE_ARRIVES),
    ("sms", "phone", gettext_lazy("SMS"), "device-mobile", Reach.SMS, Reach.SMS_ARRIVES),
    ("email", "email", gettext_lazy("E-mail"), "mail", Reach.EMAIL, Reach.EMAIL_ARRIVES),
)
Context = tuple[str, dict[str, Any]]


@requires("patients.view")
@require_GET
def page(request: HttpRequest, patient_id: UUID, tab: str = "overview") -> HttpResponse:
    """One tab of the page; htmx asks for the part below the header only."""
    member: Any = request.member  # type: ignore[attr-defined]
    clinical = member.can("records.view")
    data = load(request, patient_id, overview=tab == "overview")
    own = OWN_TABS.get(tab)
    if own is not None:
        if not member.can(own.permission):
            raise Http404
        template, context = own.render(request, data)
    else:
        found = panels.panel(tab, member)
        rendered = found.render(request, data.head) if found else None
        if rendered is None:
            raise Http404
        template, context = rendered
    audit.record("patient.viewed", patients=[patient_id], details={"tab": tab, "clinical": clinical})
    context |= base_context(request, data, tab) | {"tab_template": template}
    return respond(request, "patients/page.html", context, fragment="patients/_body.html")


def load(request: HttpRequest, patient_id: UUID, *, overview: bool = False) -> PageData:
    """Return the patient for a page; 404 for a stranger's and for nobody's."""
    member: Any = request.member  # type: ignore[attr-defined]
    today = words.today_of(request, timezone.now())
    data = page_data.load(patient_id, today=today, clinical=member.can("records.view"), overview=overview)
    if data is None:
        raise Http404
    return data


def base_context(request: HttpRequest, data: PageData, tab: str) -> dict[str, Any]:
    """What the header and the tabs need."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = data.row
    return {
        "patient": data.head,
        "row": row,
        "person": " · ".join(
            part for part in (
                words.word(words.SEX, row["sex"]) if row["sex"] != "unknown" else "",
                words.age(row["birth_date"], today=data.today, precision=row["birth_precision"]),
                words.birth(row["birth_date"], row["birth_precision"]),
            ) if part
        ),
        "tags": data.tags,
        "allergies": data.allergies,
        "lights": lights(data),
        "stage": words.STAGES[data.stage] if data.stage is not None else "",
        "stage_tone": STAGE_TONES.get(data.stage, "neutral") if data.stage is not None else "neutral",
        "tabs": tabs(request, data.head.id, tab),
        "tab": tab,
        "can_edit": member.can("patients.edit"),
        "can_consent": member.can("consent.edit"),
        "clinical": member.can("records.view"),
    }  # fmt: skip


def tabs(request: HttpRequest, patient_id: UUID, current: str) -> list[dict[str, Any]]:
    """Every tab this member may open, the slices' own among ours by their order."""
    member: Any = request.member  # type: ignore[attr-defined]
    mine = [
        Panel(name, one.label, _nothing, one.order, one.permission)
        for name, one in OWN_TABS.items()
        if member.can(one.permission)
    ]
    found = sorted([*mine, *panels.panels("tab", member)], key=lambda one: one.order)
    base = reverse("patients:page", args=[patient_id])
    return [
        {
            "label": one.label,
            "url": base if one.name == "overview" else f"{base}{one.name}/",
            "is_current": one.name == current,
        }
        for one in found
    ]


def _nothing(_request: HttpRequest, _patient: PatientHead) -> None:
    return None


def lights(data: PageData) -> list[dict[str, Any]]:
    """By which ways the patient can be reached, and whether marketing is agreed to there."""
    found = []
    for channel, system, label, icon, _has, _arrives in LIGHTS:
        points = [one for one in data.contacts if one.kind == system and (system != "phone" or one.is_mobile)]
        care, marketing = data.may("CARE", channel), data.may("MARKETING", channel)
        if not points:
            state, detail = "off", _("No address for this is known.")
        elif care == "deny":
            state, detail = "blocked", _("The patient refused to be contacted here.")
        elif all(one.reach in ("blocked", "bounced") for one in points):
            state, detail = "blocked", words.word(words.REACH, points[0].reach)
        else:
            state = "unknown" if all(one.reach == "unknown" and not one.is_verified for one in points) else "on"
            detail = {
                "permit": _("Reachable; agreed to news and offers."), "deny": _("Reachable for care; refused news and offers."),
            }.get(marketing, _("Reachable for care; not asked about news and offers."))  # fmt: skip
        found.append({"label": label, "state": state, "icon": icon, "detail": detail})
    return found


# -- our own tabs -----------------------------------------------------------------------------------------------


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


def _overview(request: HttpRequest, data: PageData) -> Context:
    member: Any = request.member  # type: ignore[attr-defined]
    row, facts = data.row, data.facts
    currency = member.organization.currency
    secrets = data.secrets()
    zone = clinic_zone(request)
    # json_agg gives times as text
    visits = [
        one | {
            "at": datetime.fromisoformat(one["started_at"]).astimezone(zone), "kind": words.word(words.CLASSES, one["class_code"]),
        }
        for one in row.get("latest_visits") or []
    ]  # fmt: skip
    details = [
        (_("Language"), dict(_languages()).get(row["language"], "") or _("as the clinic")),
        (_("Preferred channel"), words.word(words.CHANNELS, row["preferred_channel"])),
        (_("Preferred hour"), f"{row['preferred_hour']:02}:00" if row["preferred_hour"] is not None else ""),
        (_("Preferred practitioner"), row["preferred_practitioner"]),
        (_("Clinic"), row["location_name"] or ""),
        (_("Occupation"), row["occupation"]),
        (_("How they found us"), row["referral_source"]),
        (_("Registered on"), words.day(row["registered_on"])),
        (_("Source"), row["source"] if row["source"] != "desk" else _("front desk")),
    ]
    figures = [
        {"label": _("Last visit"), "value": words.day(_date(facts.get("last_visit_on"))) or "–"},
        {"label": _("Visits in 12 months"), "value": facts.get("visits_12m") or 0},
        {"label": _("Self-pay in 12 months"), "value": words.money(facts.get("self_pay_12m"), currency)},
        {
            "label": _("Usual interval"),
            "value": _("%(days)d days") % {"days": facts["visit_interval_days"]}
            if facts.get("visit_interval_days")
            else "–",
        },
    ]
    return "patients/_overview.html", {
        "details": [{"label": label, "value": value, "href": ""} for label, value in details if value],
        "secrets": [_secret(one) for one in secrets],
        "has_address": any(one.kind == "address" for one in secrets),
        "visits": visits,
        "figures": figures,
        "notes": _health_notes(row) if member.can("records.view") or member.can("patients.edit") else [],
        "todo": todo(request, data, [warning for one in secrets if (warning := one.warning)]),
        "next_panels": drawn(request, data.head, "next"),
        "overview_panels": drawn(request, data.head, "overview"),
        "can_reveal": member.can("patients.reveal"),
        "sees_department": member.can("records.view") or member.can("patients.edit"),
    }  # fmt: skip


def _languages() -> Any:
    from django.conf import settings

    return settings.LANGUAGES


def _date(text: Any) -> Any:
    return date.fromisoformat(text) if isinstance(text, str) else text


def _health_notes(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": one["id"], "kind": words.word(words.NOTE_KINDS, one["kind"]),
            "text": " · ".join(part for part in (words.word(words.HABITS, one["code"]), one["text"]) if part),
            "since": one["since"] or "",
        }
        for one in row.get("health_notes") or []
    ]  # fmt: skip


def _secret(one: patient_selectors.Secret) -> dict[str, Any]:
    if one.kind in words.SYSTEMS:
        label = " · ".join(
            part for part in (words.word(words.SYSTEMS, one.kind), words.word(words.USES, one.use)) if part
        )
    elif one.kind == "address":
        label = _("Address")
    else:
        label = one.system if one.kind == "other" and one.system else words.word(words.IDENTIFIERS, one.kind)
    tone = {"reached": "success", "blocked": "danger", "bounced": "warning"}.get(one.reach, "")
    return {
        "id": one.id, "label": label, "masked": one.masked or _("(erased)"), "warning": words.word(words.WARNINGS, one.warning),
        "reach": words.word(words.REACH, one.reach) if tone else "", "tone": tone, "is_contact": one.kind in words.SYSTEMS,
        "is_verified": one.is_verified,
    }  # fmt: skip


def todo(request: HttpRequest, data: PageData, warnings: list[str]) -> list[dict[str, Any]]:
    """What the record itself says should be done next, most pressing first."""
    member: Any = request.member  # type: ignore[attr-defined]
    row, found = data.row, []
    base = reverse("patients:page", args=[row["id"]])
    if row["deceased"] or not row["active"]:
        return []
    if not row["has_seen_notice"]:
        found.append({
            "icon": "clipboard-check", "tone": "warning", "title": _("Show the privacy notice"),
            "text": _("It was never shown; that is due at the first contact (PDPA art. 8 and 9)."),
            "url": f"{base}notice/" if member.can("patients.edit") else "", "action": _("Show it"),
        })  # fmt: skip
    for one in row.get("refills") or []:
        window = refill_window(
            supply_ends_on=_date(one["supply_ends_on"]), fills_allowed=one["fills_allowed"], fills_taken=one["fills_taken"],
            today=data.today,
        )  # fmt: skip
        dates = {"name": one["display"], "from": window.opens_on.isoformat(), "to": window.closes_on.isoformat()}
        if window.state is RefillState.OPEN:
            text = _("%(name)s: the next fill can be collected from %(from)s to %(to)s.") % dates
            found.append({"icon": "pill", "tone": "info", "title": _("Refill window is open"), "text": text})
        elif window.state is RefillState.RAN_OUT:
            text = _("%(name)s: the supply ended on %(to)s.") % dates
            found.append({"icon": "pill", "tone": "danger", "title": _("Refill not collected"), "text": text})
        elif window.state is RefillState.LAST_FILL and (window.closes_on - data.today).days <= 10:
            text = _("%(name)s: the last fill ends on %(to)s.") % dates
            found.append({"icon": "calendar-event", "tone": "info", "title": _("Book a return visit"), "text": text})
    if data.stage in (Stage.AT_RISK, Stage.LAPSED):
        days = (data.today - _date(data.facts["last_visit_on"])).days if data.facts.get("last_visit_on") else 0
        text = _("The last visit was %(days)d days ago, longer than usual for this patient.") % {"days": days}
        found.append({"icon": "phone-call", "tone": "warning", "title": _("Bring the patient back"), "text": text})
    for text in dict.fromkeys([*words.warning_words(warnings), *_record_warnings(row)]):
        found.append({"icon": "alert-triangle", "tone": "warning", "title": _("Check the record"), "text": text})
    if not data.contacts:
        found.append({
            "icon": "phone-off", "tone": "warning", "title": _("No way to reach the patient"),
            "text": _("Neither telephone nor e-mail nor LINE is known."),
            "url": f"{base}contacts/new/" if member.can("patients.edit") else "", "action": _("Add a contact"),
        })  # fmt: skip
    return found


def _record_warnings(row: dict[str, Any]) -> list[str]:
    codes = [one.get("code", "") if isinstance(one, dict) else str(one) for one in row["warnings"] or []]
    return [word for code in codes if (word := words.word(words.WARNINGS, code)) != code]


def drawn(request: HttpRequest, patient: PatientHead, place: panels.Place) -> list[dict[str, Any]]:
    """Draw the panels that slices above put on the page."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = []
    for one in panels.panels(place, member):
        rendered = one.render(request, patient)
        if rendered is not None:
            template, context = rendered
            html: SafeString = mark_safe(render_to_string(template, {**context, "patient": patient}, request=request))  # noqa: S308 - a template's own output
            found.append({"name": one.name, "label": one.label, "icon": one.icon, "html": html})
    return found


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
    "overview": OwnTab(pgettext_lazy("patient page", "Overview"), 0, _overview),
    "visits": OwnTab(pgettext_lazy("patient page", "Visits"), 10, _visits),
    "medication": OwnTab(pgettext_lazy("patient page", "Medication"), 20, _medication, "records.view"),
    "results": OwnTab(pgettext_lazy("patient page", "Results"), 30, _results, "records.view"),
    "spend": OwnTab(pgettext_lazy("patient page", "Spend"), 40, _spend),
    "family": OwnTab(pgettext_lazy("patient page", "Family"), 80, _family),
    "consent": OwnTab(pgettext_lazy("patient page", "Consent"), 90, _consent),
    "timeline": OwnTab(pgettext_lazy("patient page", "Timeline"), 95, _timeline),
}

__all__ = ["base_context", "is_htmx", "load", "page"]
