"""The page of one patient: a header that stays, what to do next, and tabs that slices add to."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.facts.rules import Reach
from careloop.patients import panels
from careloop.patients.models import Patient
from careloop.web.addresses import address
from careloop.web.http import respond
from careloop.web.screens.patients import page_data, words
from careloop.web.screens.patients.list_rows import STAGE_TONES
from careloop.web.screens.patients.own_tabs import OWN_TABS
from careloop.web.screens.patients.page_data import PageData

LIGHTS: tuple[tuple[str, str, str | Promise, str, Reach, Reach], ...] = (
    ("line", "line", "LINE", "brand-line", Reach.LINE, Reach.LINE_ARRIVES),
    ("sms", "phone", gettext_lazy("SMS"), "device-mobile", Reach.SMS, Reach.SMS_ARRIVES),
    ("email", "email", gettext_lazy("E-mail"), "mail", Reach.EMAIL, Reach.EMAIL_ARRIVES),
)


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
    data = page_data.load(
        patient_id, today=today, clinical=member.can("records.view"), overview=overview,
        panels=panels.drawn_with_page(member) if overview else (),
    )  # fmt: skip
    if data is None:
        raise Http404
    return data


def base_context(request: HttpRequest, data: PageData, tab: str) -> dict[str, Any]:
    """What the header and the tabs need."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = data.row
    is_erased = row["restriction"] == Patient.Restriction.ERASED
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
        "can_edit": member.can("patients.edit") and not is_erased,
        "can_consent": member.can("consent.edit") and not is_erased,
        "may_ask": member.can("privacy.requests"),
        "clinical": member.can("records.view"),
    }  # fmt: skip


def tabs(request: HttpRequest, patient_id: UUID, current: str) -> list[dict[str, Any]]:
    """Every tab this member may open, the slices' own among ours by their order."""
    member: Any = request.member  # type: ignore[attr-defined]
    mine = [(one.order, name, one.label) for name, one in OWN_TABS.items() if member.can(one.permission)]
    others = [(one.order, one.name, one.label) for one in panels.panels("tab", member)]
    base = address("patients:page", patient_id)
    return [
        {
            "label": label,
            "url": base if name == "overview" else f"{base}{name}/",
            "is_current": name == current,
        }
        for _order, name, label in sorted([*mine, *others], key=lambda one: one[0])
    ]


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
