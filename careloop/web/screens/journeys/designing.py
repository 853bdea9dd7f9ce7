"""Changing a journey: what is around the path, and its steps one by one. Everything is plain forms and POST."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from careloop.accounts.access import requires
from careloop.journeys import sentences, services
from careloop.journeys.definition import NEXT, STEP_KINDS, new_step_id
from careloop.journeys.models import Journey
from careloop.kernel.errors import DomainError
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.journeys.forms import STEP_FORMS, JourneyForm, StepForm
from careloop.web.screens.journeys.shared import base, found


@requires("journeys.edit")
def edit(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """What starts the journey, who is compared, what it is for."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey = found(journey_id)
    initial = JourneyForm.initial_of(journey.definition) | {
        "version": journey.version, "name": journey.name, "description": journey.description,
    }  # fmt: skip
    form = JourneyForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_journey(
                journey_id=journey_id, version=form.cleaned_data["version"], name=form.cleaned_data["name"],
                description=form.cleaned_data["description"], definition=form.definition(journey.definition), now=timezone.now(),
                by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, reverse("journeys:page", args=[journey_id]), message=_("Saved."))
    context = base(request, journey, "page") | {"form": form}
    status = 422 if request.method == "POST" else 200
    return respond(request, "journeys/edit.html", context, status=status)


def _steps(journey: Journey) -> list[dict[str, Any]]:
    return [dict(step) for step in journey.definition.get("steps") or []]


def _index(steps: Sequence[Mapping[str, Any]], step_id: str) -> int:
    for index, step in enumerate(steps):
        if step.get("id") == step_id:
            return index
    raise Http404


def _targets(steps: Sequence[Mapping[str, Any]], below: int) -> list[tuple[str, str]]:
    """The steps further down, as choices."""
    known = sentences.names()
    return [
        (str(step["id"]), _("step %(number)d: %(sentence)s") % {
            "number": number, "sentence": sentences.step_sentence(step, known),
        })
        for number, step in enumerate(steps, start=1) if number > below
    ]  # fmt: skip


def _save(request: HttpRequest, journey: Journey, steps: list[dict[str, Any]], version: int) -> None:
    member: Any = request.member  # type: ignore[attr-defined]
    services.change_journey(
        journey_id=journey.pk, version=version, definition={**journey.definition, "steps": steps}, now=timezone.now(),
        by=member.user_id,
    )  # fmt: skip


def _version(request: HttpRequest) -> int:
    try:
        return int(request.POST.get("version", ""))
    except ValueError:
        raise BadRequest("version") from None


def _step_page(request: HttpRequest, journey: Journey, form: StepForm, kind: str, heading: str) -> HttpResponse:
    context = base(request, journey, "page") | {
        "form": form, "kind_label": STEP_KINDS[kind], "kind": kind, "heading_text": heading, "after": request.GET.get("after", ""),
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, "journeys/step.html", context, status=status)


@requires("journeys.edit")
def add_step(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Add a step of a kind, below another one or at the top (`after` empty)."""
    journey = found(journey_id)
    kind = request.GET.get("kind", "")
    if kind not in STEP_FORMS:
        raise Http404
    steps = _steps(journey)
    after = request.GET.get("after", "")
    place = _index(steps, after) + 1 if after else 0
    form = STEP_FORMS[kind](request.POST or None, targets=_targets(steps, place), step={})
    if request.method == "POST" and form.is_valid():
        steps.insert(place, {"id": new_step_id(steps), "kind": kind, **form.values()})
        try:
            _save(request, journey, steps, _version(request))
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, reverse("journeys:page", args=[journey_id]), message=_("The step was added."))
    return _step_page(request, journey, form, kind, _("Add a step"))


@requires("journeys.edit")
def edit_step(request: HttpRequest, journey_id: UUID, step_id: str) -> HttpResponse:
    """Change one step."""
    journey = found(journey_id)
    steps = _steps(journey)
    place = _index(steps, step_id)
    step = steps[place]
    form = STEP_FORMS[step["kind"]](request.POST or None, targets=_targets(steps, place + 1), step=step)
    if request.method == "POST" and form.is_valid():
        steps[place] = {"id": step_id, "kind": step["kind"], **form.values()}
        try:
            _save(request, journey, steps, _version(request))
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, reverse("journeys:page", args=[journey_id]), message=_("Saved."))
    return _step_page(request, journey, form, step["kind"], _("Step %(number)d") % {"number": place + 1})


@requires("journeys.edit")
@require_POST
def move_step(request: HttpRequest, journey_id: UUID, step_id: str) -> HttpResponse:
    """Move a step up or down by one; ways that would lead back up are shown as wrong on the page."""
    journey = found(journey_id)
    steps = _steps(journey)
    place = _index(steps, step_id)
    other = place - 1 if request.POST.get("direction") == "up" else place + 1
    if 0 <= other < len(steps):
        steps[place], steps[other] = steps[other], steps[place]
        try:
            _save(request, journey, steps, _version(request))
        except DomainError as refusal:
            return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(request, reverse("journeys:page", args=[journey_id]))


@requires("journeys.edit")
@require_POST
def remove_step(request: HttpRequest, journey_id: UUID, step_id: str) -> HttpResponse:
    """Take a step out; ways that led to it go on with the next step."""
    journey = found(journey_id)
    steps = _steps(journey)
    del steps[_index(steps, step_id)]
    try:
        _save(request, journey, [_without(step, step_id) for step in steps], _version(request))
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(request, reverse("journeys:page", args=[journey_id]), message=_("The step was taken out."))


def _without(step: dict[str, Any], gone: str) -> dict[str, Any]:
    changed: dict[str, Any] = {
        name: NEXT if name in ("if_not_sent", "yes", "no", "other", "silence") and value == gone else value
        for name, value in step.items()
    }
    if "answers" in changed:
        changed["answers"] = {code: NEXT if wanted == gone else wanted for code, wanted in changed["answers"].items()}
    return changed
