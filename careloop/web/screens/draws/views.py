"""Draws for staff: the list, one draw, writing one down."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.draw import draws
from careloop.loyalty.draw import pages as draw_pages
from careloop.loyalty.draw.entries import would_take_part
from careloop.loyalty.models import Draw, Programme
from careloop.policy.answers import Answer
from careloop.web.http import redirect_to, respond
from careloop.web.screens.draws.forms import DrawForm

TONES = {"DRAFT": "neutral", "OPEN": "success", "CLOSED": "info", "DRAWN": "accent"}


def load(draw_id: UUID) -> Draw:
    """The draw with its prizes."""
    draw = Draw.objects.prefetch_related("prizes").select_related("programme", "tier").filter(pk=draw_id).first()
    if draw is None:
        raise Http404
    return draw


@requires("loyalty.view")
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """All draws, the newest first, with what the guard says."""
    found, now = draw_pages.listed(), timezone.now()
    verdicts = guard.verdicts(found, audience="one", organization=organizations.current(), now=now)
    rows = [{"draw": draw, "tone": TONES[draw.state], "verdict": verdicts[draw.pk]} for draw in found]
    return respond(request, "draws/list.html", {"rows": rows, "may_manage": _may(request)})


def _may(request: HttpRequest) -> bool:
    return bool(request.member.can("loyalty.manage"))  # type: ignore[attr-defined]


@requires("loyalty.manage")
def new(request: HttpRequest) -> HttpResponse:
    """Write a draw down."""
    return _write(request, None)


@requires("loyalty.manage")
def edit(request: HttpRequest, draw_id: UUID) -> HttpResponse:
    """Change a draw that is not open yet."""
    draw = load(draw_id)
    if draw.state != Draw.State.DRAFT:
        return redirect_to(
            request, reverse("draws:draw", args=[draw.pk]), message=_("An open draw is never changed."), tone="warning"
        )
    return _write(request, draw)


def _write(request: HttpRequest, draw: Draw | None) -> HttpResponse:
    if not Programme.objects.exists():
        return redirect_to(
            request, reverse("membership:programmes"), tone="warning",
            message=_("A draw belongs to a programme. Set one up first: what it is called and how points are earned."),
        )  # fmt: skip
    form = DrawForm(request.POST or None, draw=draw)
    if request.method == "POST" and form.is_valid():
        try:
            saved = draws.prepare(
                programme_id=form.cleaned_data["programme"].pk, values=form.values(), prizes=form.prizes(), now=timezone.now(),
                draw_id=draw.pk if draw else None,
            )  # fmt: skip
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            return redirect_to(request, reverse("draws:draw", args=[saved.pk]), message=_("Saved."))
    context = {"form": form, "draw": draw, "currency": organizations.current().currency}
    return respond(request, "draws/edit.html", context, status=422 if request.method == "POST" else 200)


@requires("loyalty.view")
@require_GET
def page(request: HttpRequest, draw_id: UUID) -> HttpResponse:
    """How it stands: what is published, who would take part, who won, and the next step."""
    draw, now, organization = load(draw_id), timezone.now(), organizations.current()
    one, public = (draws.verdict_of(draw, now=now, audience=audience) for audience in ("one", "public"))
    winners = draw_pages.winners_for_staff(draw.pk) if draw.state == Draw.State.DRAWN else []
    if winners:
        audit.record("draw.winners_seen", patients=[row["patient_id"] for row in winners if row["patient_id"]], now=now)
    early = draw.state in (Draw.State.DRAFT, Draw.State.OPEN)
    context = {
        "draw": draw, "tone": TONES[draw.state], "verdict": one, "public": public, "winners": winners,
        "now_in": would_take_part(draw, zone=organization.time_zone) if early else None,
        "may_manage": _may(request), "may_hand": request.member.can("loyalty.desk"),  # type: ignore[attr-defined]
        "stands": one.may_be_sent, "asks": one.answer == Answer.SIGN_OFF,
        "guard_url": reverse("guard:item", args=["draw", draw.pk]), "may_guard": _sees_guard(request),
        "public_url": reverse("portal:draw", args=[organization.slug, draw.pk]), "steps": _steps(draw),
    }  # fmt: skip
    return respond(request, "draws/draw.html", context)


def _sees_guard(request: HttpRequest) -> bool:
    member: Any = request.member  # type: ignore[attr-defined]
    return bool(member.can("loyalty.manage") or member.can("policy.sign_off"))


def _steps(draw: Draw) -> list[dict[str, Any]]:
    """The four states with their moments, for the line of progress."""
    moments = {"DRAFT": draw.created_at, "OPEN": draw.opened_at, "CLOSED": draw.closed_at, "DRAWN": draw.drawn_at}
    return [
        {"label": Draw.State(state).label, "at": at, "is_now": draw.state == state} for state, at in moments.items()
    ]
