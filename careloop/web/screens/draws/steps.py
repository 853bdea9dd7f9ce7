"""The three steps of a draw that cannot be taken back, each asked for with what it does; and handing a prize over."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.loyalty.draw import draws, errors
from careloop.loyalty.draw.entries import would_take_part
from careloop.loyalty.models import Draw
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.draws.forms import NothingForm, OutsideForm
from careloop.web.screens.draws.views import load


@requires("loyalty.manage")
def open_it(request: HttpRequest, draw_id: UUID) -> HttpResponse:
    """Publish it, with the hash of its seed."""
    draw = load(draw_id)
    return _step(
        request, draw, _given(request, NothingForm), draws.open_draw, title=_("Open the draw"), label=_("Open it"),
        text=_("From now on nothing about it can be changed. Its seed is made, and the seed's hash is published."),
        done=_("The draw is open."),
    )  # fmt: skip


@requires("loyalty.manage")
def close_it(request: HttpRequest, draw_id: UUID) -> HttpResponse:
    """Fix the tickets, and publish the hash of their list."""
    draw = load(draw_id)
    count = would_take_part(draw, zone=organizations.current().time_zone)
    return _step(
        request, draw, _given(request, NothingForm), draws.close_draw, title=_("Close the draw"), label=_("Close it"),
        text=_("Everybody who takes part by the rule gets a ticket now; nobody can be added or taken out later."),
        facts=[{"label": _("People"), "value": count["people"]}, {"label": _("Tickets"), "value": count["tickets"]}],
        done=_("The tickets are fixed, and the hash of their list is published."),
    )  # fmt: skip


@requires("loyalty.manage")
def draw_it(request: HttpRequest, draw_id: UUID) -> HttpResponse:
    """Publish the seed and the winners."""
    draw = load(draw_id)
    form = _given(request, OutsideForm) if draw.outside_source else _given(request, NothingForm)
    if draw.outside_source:
        form.fields["outside_value"].help_text = draw.outside_source
    return _step(
        request, draw, form, draws.draw_winners, title=_("Draw the winners"), label=_("Draw"),
        text=_("The seed is published, the winners follow from it, and they are told. This cannot be repeated."),
        done=_("The winners are drawn and told."),
    )  # fmt: skip


def _given(request: HttpRequest, form: type[forms.Form]) -> forms.Form:
    return form(request.POST if request.method == "POST" else None)


def _step(
    request: HttpRequest, draw: Draw, form: forms.Form, act: Callable[..., Draw], *, done: str, **shown: Any
) -> HttpResponse:
    back = reverse("draws:draw", args=[draw.pk])
    if request.method == "POST" and form.is_valid():
        try:
            act(draw_id=draw.pk, now=timezone.now(), by=request.user.pk, **form.cleaned_data)
        except DomainError as error:
            return refuse(request, str(error))
        return redirect_to(request, back, message=done)
    context = {"draw": draw, "form": form, "action": request.path, "cancel_url": back, **shown}
    return respond(request, "draws/step.html", context, status=422 if request.method == "POST" else 200)


@requires("loyalty.desk")
@require_POST
def give(request: HttpRequest, draw_id: UUID) -> HttpResponse:
    """Note that a winner was handed the prize; the form names the place in the list of winners."""
    draw = load(draw_id)
    try:
        draws.hand_over(
            draw_id=draw.pk, place=int(request.POST.get("place", "")), now=timezone.now(), by=request.user.pk
        )
    except (ValueError, errors.UnknownDraw):
        raise Http404 from None
    return redirect_to(request, reverse("draws:draw", args=[draw.pk]), message=_("Noted as handed over."))
