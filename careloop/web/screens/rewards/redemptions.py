"""Redemptions: the list, and one with its code's life: handed over, taken back, run out."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.loyalty.models import Redemption, Reward
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward import redemptions as service
from careloop.loyalty.reward.taking import may_be_undone
from careloop.web.addresses import address
from careloop.web.http import Keyset, clinic_zone, redirect_to, refuse, respond
from careloop.web.screens.rewards.acting import ask_why, desk_key
from careloop.web.screens.rewards.common import (
    REDEMPTION_STATES,
    REDEMPTION_TONES,
    branch_id,
    in_line,
    in_words,
    pairs_shown,
    stamp,
    tabs,
)
from careloop.web.screens.rewards.forms import FilterForm

SOURCES = dict(Redemption.Source.choices)


@requires("loyalty.view")
@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """Redemptions, the latest first."""
    zone = clinic_zone(request)
    names = [(str(pk), name) for pk, name in Reward.objects.order_by("name").values_list("pk", "name")]
    form = FilterForm(request.GET, rewards=names)
    form.is_valid()
    given = form.cleaned_data
    keyset = Keyset(request, order=("-reserved_at", "-id"), size=reward_lists.PAGE)
    columns = {"reserved_at": "t.reserved_at", "id": "t.id"}
    beyond, more = named(keyset, columns)
    page = keyset.cut(
        reward_lists.redemptions_listed(
            state=given.get("state", ""), reward_id=UUID(given["reward"]) if given.get("reward") else None, beyond=beyond,
            order=keyset.order_by(**columns), limit=keyset.limit, more=more,
        )
    )  # fmt: skip
    audit.record("loyalty.redemptions_listed", patients=[row["patient_id"] for row in page.rows])
    rows = [
        {**row, "reward": in_words(row, "reward"), "url": address("rewards:redemption", row["id"]), "patient_url": address("patients:page", row["patient_id"]),
         "state_label": REDEMPTION_STATES[row["state"]], "tone": REDEMPTION_TONES[row["state"]],
         "at": row["reserved_at"].astimezone(zone), "source_label": SOURCES[row["source"]]}
        for row in page.rows
    ]  # fmt: skip
    is_filtered = bool(given.get("state") or given.get("reward"))
    context = {
        **tabs(request, "rewards:redemptions"),
        "page": page,
        "rows": rows,
        "form": form,
        "is_filtered": is_filtered,
    }
    return respond(request, "rewards/redemptions.html", context)


def named(keyset: Keyset, columns: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return a keyset's condition with named parameters, for a statement that names its own."""
    beyond, values = keyset.where(**columns)
    more = {f"after_{number}": value for number, value in enumerate(values)}
    for name in more:
        beyond = beyond.replace("%s", f"%({name})s", 1)
    return beyond, more


@requires("loyalty.view")
@require_GET
def page(request: HttpRequest, redemption_id: UUID) -> HttpResponse:
    """One redemption, and what can be done with it now."""
    row, now, zone = load(redemption_id), timezone.now(), clinic_zone(request)
    member: Any = request.member  # type: ignore[attr-defined]
    audit.record("loyalty.redemption_viewed", patients=[row["patient_id"]], target=("redemption", row["id"]), now=now)
    is_late = row["state"] == "RESERVED" and service.local_day(member.organization, now) > row["good_until"]
    waits = row["state"] == "RESERVED"
    undoable = row["state"] == "CONFIRMED" and may_be_undone(row["confirmed_at"], hours=row["undo_hours"], now=now)
    context = {
        "one": row, "state_label": REDEMPTION_STATES[row["state"]], "tone": REDEMPTION_TONES[row["state"]], "is_late": is_late,
        "pairs": _pairs(row, zone), "key": uuid7().hex, "may_hand_over": waits and not is_late and member.can("loyalty.desk"),
        "may_take_back": (waits or undoable) and member.can("loyalty.desk"), "may_desk": member.can("loyalty.desk"),
        "patient_url": address("patients:page", row["patient_id"]),
    }  # fmt: skip
    return respond(request, "rewards/redemption.html", context)


def _pairs(row: dict[str, Any], zone: Any) -> list[dict[str, Any]]:
    return pairs_shown(
        (_("Points spent"), f"{row['points']:,}"),
        (_("Taken"), in_line(stamp(row["reserved_at"], zone), SOURCES[row["source"]], row["reserved_by"])),
        (_("Code good until"), f"{row['good_until']:%Y-%m-%d}"),
        (_("Handed over"), in_line(stamp(row["confirmed_at"], zone), row["location"], row["confirmed_by"])),
        (_("Noted without a network"), stamp(row["noted_at"], zone)),
        (_("Ended"), in_line(stamp(row["ended_at"], zone), row["ended_by"])), (_("Why"), row["reason"]),
    )  # fmt: skip


@requires("loyalty.desk")
@require_POST
def hand_over(request: HttpRequest, redemption_id: UUID) -> HttpResponse:
    """The reward changes hands."""
    row = load(redemption_id)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("rewards:redemption", row["id"])
    try:
        service.confirm(
            redemption_id=row["id"], key=desk_key(request), now=timezone.now(),
            by=member.user_id, location_id=branch_id(request),
        )  # fmt: skip
    except DomainError as refused:
        return redirect_to(request, back, message=str(refused), tone="danger")
    return redirect_to(request, back, message=_("Handed over."))


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def take_back(request: HttpRequest, redemption_id: UUID) -> HttpResponse:
    """Take it back, with a reason: points and stock come back."""
    row = load(redemption_id)
    if row["state"] not in ("RESERVED", "CONFIRMED"):
        return refuse(request, _("There is nothing to take back here."))
    return ask_why(
        request, partial(service.cancel, redemption_id=row["id"]), back=address("rewards:redemption", row["id"]),
        title=_("Take this back?"), label=_("Take back"), done=_("Taken back. The points are with the member again."),
        text=_("The points go back to the member and the piece to the stock. The code counts no longer."),
        facts=[(_("Reward"), row["reward"]), (_("Points"), f"{row['points']:,}")],
    )  # fmt: skip


def load(redemption_id: UUID) -> dict[str, Any]:
    """The redemption, if its patient is one the member of staff sees."""
    found = reward_lists.redemption(redemption_id)
    if found is None:
        raise Http404
    return {**found, "reward": in_words(found, "reward")}
