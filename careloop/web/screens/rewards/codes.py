"""One coupon code: using it at the desk, taking a use back, withdrawing it."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.loyalty.reward import coupons as service
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward.redemptions import local_day
from careloop.loyalty.reward.taking import may_be_undone
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, refuse, respond
from careloop.web.screens.rewards.acting import ask_why, desk_key
from careloop.web.screens.rewards.common import (
    CODE_STATES,
    CODE_TONES,
    branch_id,
    in_line,
    in_words,
    pairs_shown,
    stamp,
)


@requires("loyalty.view")
@require_GET
def page(request: HttpRequest, code_id: UUID) -> HttpResponse:
    """One code: whose it is, how it stands, what can be done."""
    row, now, zone = load(code_id), timezone.now(), clinic_zone(request)
    member: Any = request.member  # type: ignore[attr-defined]
    patients = [row["patient_id"]] if row["patient_id"] else []
    audit.record("coupon.viewed", patients=patients, target=("coupon_code", row["id"]), now=now)
    is_open, may_desk = row["state"] == "OPEN", member.can("loyalty.desk")
    is_late = is_open and local_day(member.organization, now) > row["good_until"]
    may_undo = (
        row["state"] == "USED" and row["settlement_id"] is None
        and may_be_undone(row["used_at"], hours=row["undo_hours"], now=now)
    )  # fmt: skip
    context = {
        "one": row, "state_label": CODE_STATES[row["state"]], "tone": CODE_TONES[row["state"]], "is_late": is_late, "key": uuid7().hex,
        "pairs": _pairs(row, zone), "may_use": is_open and not is_late and may_desk and row["partner_id"] is None,
        "may_undo": may_undo and may_desk, "may_withdraw": is_open and may_desk, "may_desk": may_desk,
        "patient_url": address("patients:page", row["patient_id"]) if row["patient_id"] else "",
    }  # fmt: skip
    return respond(request, "rewards/code.html", context)


def _pairs(row: dict[str, Any], zone: Any) -> list[dict[str, Any]]:
    return pairs_shown(
        (pgettext("coupon", "Partner"), row["partner"]), (pgettext("coupon", "No."), row["number"] or ""),
        (_("Given"), in_line(stamp(row["granted_at"], zone), row["granted_by"])), (_("Why it was given"), row["note"]),
        (_("Good until"), f"{row['good_until']:%Y-%m-%d}"), (_("Used"), in_line(stamp(row["used_at"], zone), row["place"], row["used_by"])),
        (_("Noted without a network"), stamp(row["noted_at"], zone)),
        (_("Settled"), _("yes; it is locked") if row["settlement_id"] else ""),
        (_("Taken back"), in_line(stamp(row["ended_at"], zone), row["reason"])),
    )  # fmt: skip


@requires("loyalty.desk")
@require_POST
def use(request: HttpRequest, code_id: UUID) -> HttpResponse:
    """Take the coupon."""
    row = load(code_id)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("rewards:code", row["id"])
    try:
        service.use(
            code_id=row["id"], key=desk_key(request), now=timezone.now(), by=member.user_id,
            where=service.Where(location_id=branch_id(request)),
        )  # fmt: skip
    except DomainError as refused:
        return redirect_to(request, back, message=str(refused), tone="danger")
    return redirect_to(request, back, message=_("The coupon is used."))


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def undo(request: HttpRequest, code_id: UUID) -> HttpResponse:
    """Take a use back."""
    row = load(code_id)
    if row["state"] != "USED":
        return refuse(request, _("There is nothing to take back here."))
    return _ask(
        request, row, service.undo_use, title=_("Take this use back?"), label=_("Take back"),
        text=_("The code can be used again until its last day."), done=_("Taken back. The code is good again."),
    )  # fmt: skip


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, code_id: UUID) -> HttpResponse:
    """End a code."""
    row = load(code_id)
    if row["state"] == "USED":
        return refuse(request, _("A used code cannot be withdrawn. Take its use back first."))
    return _ask(
        request, row, service.withdraw, title=_("Withdraw this code?"), label=_("Withdraw"),
        text=_("It can never be used again, and the member no longer sees it."), done=_("Withdrawn."),
    )  # fmt: skip


def _ask(
    request: HttpRequest, row: dict[str, Any], do: Any, *, title: str, label: str, text: str, done: str
) -> HttpResponse:
    return ask_why(
        request, partial(do, code_id=row["id"]), back=address("rewards:code", row["id"]), title=title, text=text, label=label,
        done=done, facts=[(_("Coupon"), row["coupon"])],
    )  # fmt: skip


def load(code_id: UUID) -> dict[str, Any]:
    """The code, if its patient is one the member of staff sees."""
    found = reward_lists.code(code_id)
    if found is None:
        raise Http404
    return {**found, "coupon": in_words(found, "coupon"), "text": in_words(found, "text", "texts")}
