"""What the points' screens share: an account as the member of staff may see it, an entry as it is shown, and the question before doing it."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.loyalty.figures import in_groups, signed
from careloop.loyalty.points import statements
from careloop.loyalty.points.reversing import REVERSIBLE
from careloop.loyalty.points.words import KINDS
from careloop.web.addresses import address
from careloop.web.http import respond

TONES = {
    "EARN": "success",
    "SPEND": "neutral",
    "ADJUST": "warning",
    "EXPIRE": "neutral",
    "REVERSE": "warning",
    "TRANSFER": "info",
}


def load(account_id: UUID, *, now: datetime) -> dict[str, Any]:
    """Return the account if its patient is one whom the member of staff sees; that it was seen is noted."""
    found = statements.account(account_id)
    if found is None:
        raise Http404
    audit.record(
        "loyalty.points_viewed", patients=[found["patient_id"]], target=("loyalty_account", account_id), now=now
    )
    return {
        **found,
        "patient_url": address("patients:page", found["patient_id"]),
        "is_active": found["state"] == "ACTIVE",
        "number": in_groups(found["member_number"] or ""),
    }


def shown(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return an entry of a statement with its words."""
    return {
        **row, "at": row["occurred_at"].astimezone(zone), "kind_label": KINDS[row["kind"]], "tone": TONES[row["kind"]],
        "signed": signed(row["points"]), "of_at": row["of_at"].astimezone(zone) if row["of_at"] else None,
        "can_reverse": row["kind"] in REVERSIBLE and row["moved"] > row["undone"] and not _redemption(row), "redemption_url": _redemption(row),
        "is_late": (row["recorded_at"] - row["occurred_at"]).total_seconds() > 86_400, "recorded": row["recorded_at"].astimezone(zone),
    }  # fmt: skip


def _redemption(row: dict[str, Any]) -> str:
    """Return the page of the redemption that a spending paid for: there it is taken back, with the piece."""
    if row["kind"] != "SPEND" or row["because"] != "REWARD" or not row["because_ref"]:
        return ""
    try:
        return address("rewards:redemption", UUID(row["because_ref"]))
    except ValueError:
        return ""


def agreeing(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who can agree for a member: the member, and recorded guardians; the rules decide which of them may."""
    guardians = sql.rows(
        """select p.id, p.name from patients_related_person r join patients_patient p on p.id = r.relative_id
            where r.patient_id = %s and r.is_guardian order by p.name""",
        [one["patient_id"]],
    )
    return [
        (str(one["patient_id"]), one["name"]),
        *((str(row["id"]), _("%(name)s (guardian)") % {"name": row["name"]}) for row in guardians),
    ]


def ask(
    request: HttpRequest, one: dict[str, Any], form: forms.Form | None, *, title: str, text: str, label: str, back: str, tone: str = "primary",
    facts: list[dict[str, Any]] | None = None, warning: str = "", hidden: list[dict[str, Any]] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    """Say what will happen and ask."""
    facts = [
        {"label": _("Patient"), "value": one["name"]},
        {"label": _("Points now"), "value": f"{one['balance']:,}"},
        *(facts or ()),
    ]
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": form or "", "action": request.path, "facts": facts,
        "warning": warning, "cancel_url": back, "back_url": back, "back_label": _("Points"), "hidden": hidden or [],
    }  # fmt: skip
    return respond(request, "points/ask.html", context, fragment="points/_ask.html", status=status)
