"""The list of journeys with live numbers, the library, and new drafts."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.facts.services import clinic_day
from careloop.journeys import library, selectors, services
from careloop.journeys.models import Journey
from careloop.journeys.sentences import names, trigger_sentence
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.journeys.shared import STATE_TONES

STATES = dict(Journey.State.choices)


@requires("journeys.view")
@require_GET
def journeys(request: HttpRequest) -> HttpResponse:
    """All journeys, running ones first, with who is on the way and what came of it."""
    known = names()
    rows = [
        {
            **row, "tone": STATE_TONES[row["state"]], "state_label": STATES[row["state"]],
            "trigger": trigger_sentence(row["definition"].get("trigger") or {}, known),
        }
        for row in selectors.journeys(now=timezone.now())
    ]  # fmt: skip
    return respond(request, "journeys/list.html", {"rows": rows})


class NewForm(forms.Form):
    """A draft from nothing. `key` makes a double click make one."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(label=gettext_lazy("Name of the journey"), max_length=80)
    description = forms.CharField(
        label=gettext_lazy("What it is for"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


@requires("journeys.edit")
def new(request: HttpRequest) -> HttpResponse:
    """Make an empty draft; the library is usually the better beginning."""
    member: Any = request.member  # type: ignore[attr-defined]
    form = NewForm(request.POST or None, initial={"key": uuid7()})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            journey = services.create_journey(
                name=given["name"], description=given["description"], definition={"hold_out_percent": 10, "steps": []},
                now=timezone.now(), by=member.user_id, journey_id=given["key"],
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, reverse("journeys:edit", args=[journey.pk]))
    status = 422 if request.method == "POST" else 200
    return respond(request, "journeys/new.html", {"form": form}, status=status)


@requires("journeys.view")
@require_GET
def library_page(request: HttpRequest) -> HttpResponse:
    """Ready journeys, each one click away from a draft."""
    mine = {
        row["library_key"]: row["id"]
        for row in Journey.objects.exclude(library_key="")
        .exclude(state=Journey.State.ENDED)
        .values("library_key", "id")
    }
    shown = [
        {"ready": ready, "journey_id": mine.get(ready.key), "key": uuid7()}
        for ready in library.ready_on(clinic_day(timezone.now())).values()
    ]
    return respond(request, "journeys/library.html", {"shown": shown})


@requires("journeys.edit")
@require_POST
def take_over(request: HttpRequest, key: str) -> HttpResponse:
    """Make a draft from a ready journey, with its segment and its texts."""
    member: Any = request.member  # type: ignore[attr-defined]
    try:
        form_key = UUID(request.POST.get("key", ""))
    except ValueError:
        raise BadRequest("key") from None
    try:
        journey = library.take_over(key, by=member.user_id, now=timezone.now(), journey_id=form_key)
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(
        request, reverse("journeys:page", args=[journey.pk]),
        message=_("The draft is ready. Nothing is sent until you start it."),
    )  # fmt: skip
