"""What membership adds to the patient's page and to the settings."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.loyalty.figures import signed
from careloop.loyalty.join import members, membership
from careloop.loyalty.points import statements
from careloop.patients import panels
from careloop.patients.panels import Panel, PatientHead
from careloop.web.addresses import address
from careloop.web.http import clinic_zone
from careloop.web.screens.membership.common import address_or_none, shown_earning, shown_member
from careloop.web.screens.settings.home import Card, register

LAST = 8


def tab(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """The member's card: tier, points, what waits and why, what ends when, the last movements; or the way to join."""
    member: Any = request.member  # type: ignore[attr-defined]
    zone = clinic_zone(request)
    mine = [shown_member(row, zone) for row in members.of_patient(patient.id)]
    one = mine[0] if mine else None
    may_work = member.can("loyalty.desk")
    programme = membership.may_join(patient.id) if may_work else None
    context: dict[str, Any] = {
        "one": one, "others": mine[1:], "join_url": address("membership:join", patient.id) if programme else "",
        "leave_url": address("membership:leave", one["id"]) if one and may_work and one["state"] == "ACTIVE" else "",
        "has_programme": bool(programme) or bool(one),
    }  # fmt: skip
    if one:
        context |= {
            "earnings": [shown_earning(row) for row in members.earnings_of(one["id"], limit=20)],
            "entries": [{**row, "signed": signed(row["points"])} for row in statements.entries_of(one["id"], limit=LAST)],
            "expiring": statements.expiring(one["id"], timezone.now())[:3], "links": _links(one, may_work=may_work),
        }  # fmt: skip
    return "membership/_patient_tab.html", context


def _links(one: dict[str, Any], *, may_work: bool) -> list[dict[str, Any]]:
    """The pages about this member that the other parts of membership have, and this reader may open."""
    offered = [
        (_("All entries"), "points:statement", "list-numbers", one["id"]), (_("Family"), "points:family", "users-group", one["id"]),
        (_("Tier"), "tiers:member", "trophy", one["id"]),
        *([(_("Redeem"), "rewards:desk_member", "gift", one["id"])] if may_work else []),
    ]  # fmt: skip
    return [
        {"label": label, "icon": icon, "url": url}
        for label, name, icon, ref in offered
        if (url := address_or_none(name, ref))
    ]


def card(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]] | None:
    """Tier and points at a glance, on the first tab."""
    zone = clinic_zone(request)
    mine = [row for row in members.of_patient(patient.id) if row["state"] == "ACTIVE"]
    return ("membership/_patient_card.html", {"one": shown_member(mine[0], zone)}) if mine else None


panels.register(
    Panel("membership", pgettext_lazy("patient page", "Membership"), tab, order=46, permission="loyalty.view", icon="id-badge-2")
)  # fmt: skip
panels.register(
    Panel(
        "membership", pgettext_lazy("patient page", "Membership"), card, order=40, permission="loyalty.view", place="next",
        icon="id-badge-2",
        shows_when="exists (select 1 from loyalty_account l where l.patient_id = p.id and l.kind = 'PATIENT' and l.state = 'ACTIVE')",
    )
)  # fmt: skip
register(
    Card(
        "clinic", _("Membership"), _("Programmes, what earns points, and the terms members agree to."), "membership:programmes", "id-badge-2",
        ("loyalty.manage",),
    )
)  # fmt: skip
