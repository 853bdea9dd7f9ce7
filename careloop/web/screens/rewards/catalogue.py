"""The catalogue of rewards: what there is, setting one up under the guard's eyes, switching it on and off."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.kernel.money import format_money
from careloop.loyalty import guard
from careloop.loyalty.models import Reward, Tier
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward import rewards
from careloop.web.addresses import address
from careloop.web.http import redirect_to, respond
from careloop.web.screens.rewards.acting import saved
from careloop.web.screens.rewards.common import (
    GIVES,
    OFFER_STATES,
    OFFER_TONES,
    first_a_programme,
    open_programmes,
    tabs,
)
from careloop.web.screens.rewards.forms import RewardForm

LATELY = timedelta(days=30)
ORDER = {"ON": 0, "DRAFT": 1, "OFF": 2}


@requires("loyalty.view")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """All rewards with what the guard says of each today, and how often they were taken."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, language = timezone.now(), translation.get_language() or ""
    found = sorted(Reward.objects.all(), key=lambda one: (ORDER[one.state], one.points, one.pk))
    verdicts = guard.verdicts(found, audience="one", organization=member.organization, now=now) if found else {}
    figures = reward_lists.reward_figures(since=now - LATELY)
    rows = [_shown(one, verdicts[one.pk], figures.get(one.pk, {}), language) for one in found]
    context = {
        **tabs(request, "rewards:home"), "rows": rows, "has_programme": bool(open_programmes()),
        "stats": {
            "waiting": sum(row["waiting"] for row in rows), "handed_over": sum(row["handed_over"] for row in rows),
            "points": sum(row["spent"] for row in rows), "stopped": sum(row["is_stopped"] and row["state"] == "ON" for row in rows),
        },
    }  # fmt: skip
    return respond(request, "rewards/home.html", context)


def _shown(one: Reward, verdict: Any, figures: dict[str, Any], language: str) -> dict[str, Any]:
    return {
        "url": address("rewards:reward", one.pk), "name": one.name_in(language), "points": one.points, "gives": GIVES[one.gives],
        "stock": one.stock, "is_short": one.stock is not None and one.stock <= 5, "valid_until": one.valid_until,
        "state_label": OFFER_STATES[one.state], "tone": OFFER_TONES[one.state], "state": one.state,
        "is_stopped": one.state != "OFF" and not verdict.may_be_sent, "answer": verdict.answer.label, "waiting": figures.get("waiting", 0),
        "handed_over": figures.get("handed_over", 0), "spent": figures.get("points", 0),
    }  # fmt: skip


@requires("loyalty.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write down a new reward; it is switched on afterwards."""
    member: Any = request.member  # type: ignore[attr-defined]
    if not open_programmes():
        return first_a_programme(request)
    form = RewardForm(request.POST or None, organization=member.organization, tiers=tier_choices())
    if request.method == "POST" and form.is_valid():
        made = rewards.save(Reward, values=form.values(), now=timezone.now(), by=member.user_id)
        return redirect_to(
            request, address("rewards:reward", made.pk), message=_("Saved. Members see it once it is switched on.")
        )
    return respond(request, "rewards/reward.html", {"form": form, "one": None}, status=422 if form.errors else 200)


@requires("loyalty.view")
@require_http_methods(["GET", "POST"])
def reward(request: HttpRequest, reward_id: UUID) -> HttpResponse:
    """One reward: what it is, what the guard says to members and to the public, and its switch."""
    member: Any = request.member  # type: ignore[attr-defined]
    one = Reward.objects.filter(pk=reward_id).first()
    if one is None:
        raise Http404
    may_manage, now = member.can("loyalty.manage"), timezone.now()
    form = RewardForm(request.POST or None, organization=member.organization, offer=one, tiers=tier_choices())
    if request.method == "POST" and not may_manage:
        return HttpResponse(status=403)
    if request.method == "POST" and saved(form, one, by=member.user_id):
        return redirect_to(request, address("rewards:reward", one.pk), message=_("Saved."))
    return respond(request, "rewards/reward.html", {
        "form": form, "one": one, "may_manage": may_manage, "name": one.name_in(translation.get_language() or ""),
        "state_label": OFFER_STATES[one.state], "tone": OFFER_TONES[one.state], **verdicts_of(one, now=now),
        "facts": [
            {"label": _("What it gives"), "value": GIVES[one.gives]},
            {"label": _("Worth"), "value": format_money(one.value, member.organization.currency) if one.value else ""},
        ],
    }, status=422 if form.errors else 200)  # fmt: skip


@requires("loyalty.manage")
@require_POST
def switch(request: HttpRequest, reward_id: UUID) -> HttpResponse:
    """Switch it on, if the guard lets it, or off."""
    return switched(request, Reward, reward_id, address("rewards:reward", reward_id))


def switched(request: HttpRequest, model: type[Any], id: UUID, back: str) -> HttpResponse:
    """Switch an offer on or off and go back to its page, with the reason where it was refused."""
    member: Any = request.member  # type: ignore[attr-defined]
    if not model.objects.filter(pk=id).exists():
        raise Http404
    on = request.POST.get("to") == "on"
    try:
        (rewards.switch_on if on else rewards.switch_off)(model, id=id, now=timezone.now(), by=member.user_id)
    except DomainError as refused:
        return redirect_to(request, back, message=str(refused), tone="danger")
    return redirect_to(
        request,
        back,
        message=_("It is switched on.") if on else _("It is switched off. What was taken already stays good."),
    )


def verdicts_of(one: Any, *, now: Any) -> dict[str, Any]:
    """Return what the guard says today, to members and to everybody."""
    return {
        "verdict": rewards.verdict_of(one, audience="one", now=now),
        "public_verdict": rewards.verdict_of(one, audience="public", now=now),
    }


def tier_choices() -> list[tuple[str, str]]:
    """Return the tiers a reward can be kept for."""
    return [(str(one.pk), one.name) for one in Tier.objects.filter(is_active=True).order_by("rank")]
