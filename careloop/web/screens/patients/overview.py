"""The first tab of a patient's page: figures, what to do next, ways to reach them, latest visits, and what slices add."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from careloop.facts.models import Stage
from careloop.patients import panels
from careloop.patients import selectors as patient_selectors
from careloop.records.rules import RefillState, refill_window
from careloop.web.addresses import address
from careloop.web.http import clinic_zone
from careloop.web.screens.patients import words
from careloop.web.screens.patients.page_data import PageData

Context = tuple[str, dict[str, Any]]


def overview(request: HttpRequest, data: PageData) -> Context:
    member: Any = request.member  # type: ignore[attr-defined]
    row, facts = data.row, data.facts
    currency = member.organization.currency
    secrets = data.secrets()
    zone = clinic_zone(request)
    clinical = member.can("records.view")
    visits = [
        _visit(one, zone, clinical=clinical, department=clinical or member.can("patients.edit"))
        for one in row.get("latest_visits") or []
    ]
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
    next_panels = drawn(request, data, "next")
    return "patients/_overview.html", {
        "details": [{"label": label, "value": value, "href": ""} for label, value in details if value],
        "secrets": [secret_shown(one) for one in secrets],
        "has_address": any(one.kind == "address" for one in secrets),
        "visits": visits,
        "figures": figures,
        "notes": _health_notes(row) if clinical or member.can("patients.edit") else [],
        "todo": todo(request, data, [warning for one in secrets if (warning := one.warning)]),
        "next_panels": next_panels,
        "is_asked": any(one["asks"] for one in next_panels),
        "overview_panels": drawn(request, data, "overview"),
        "can_reveal": member.can("patients.reveal"),
    }  # fmt: skip


def _visit(one: dict[str, Any], zone: ZoneInfo, *, clinical: bool, department: bool) -> dict[str, str]:
    # json_agg gives times as text
    at = datetime.fromisoformat(one["started_at"]).astimezone(zone)
    kind = words.word(words.CLASSES, one["class_code"])
    return {
        "at": f"{at:%Y-%m-%d %H:%M}", "practitioner_name": one["practitioner_name"],
        "what": f"{kind} · {one['department']}" if department and one["department"] else str(kind),
        "why": (one["reason_display"] or one["display"]) if clinical else "",
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


def secret_shown(one: patient_selectors.Secret) -> dict[str, Any]:
    """Return a masked value as the page shows it: what it is, whether it is verified, what is wrong with it."""
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
        "is_verified": one.is_verified, "to_show": _("Show in full: %(label)s") % {"label": label},
        "to_change": _("Change %(label)s") % {"label": label}, "to_remove": _("Remove %(label)s") % {"label": label},
    }  # fmt: skip


def todo(request: HttpRequest, data: PageData, warnings: list[str]) -> list[dict[str, Any]]:
    """What the record itself says should be done next, most pressing first."""
    member: Any = request.member  # type: ignore[attr-defined]
    row, found = data.row, []
    base = address("patients:page", row["id"])
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


def drawn(request: HttpRequest, data: PageData, place: panels.Place) -> list[dict[str, Any]]:
    """Draw the panels that slices above put on the page, without those that have nothing to show."""
    member: Any = request.member  # type: ignore[attr-defined]
    patient, found = data.head, []
    for one in panels.panels(place, member):
        if one in data.empty_panels:
            continue
        rendered = one.render(request, patient)
        if rendered is not None:
            template, context = rendered
            html: SafeString = mark_safe(render_to_string(template, {**context, "patient": patient}, request=request))  # noqa: S308 - a template's own output
            found.append({"name": one.name, "label": one.label, "icon": one.icon, "html": html, "asks": one.asks})
    return found
