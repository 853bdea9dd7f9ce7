"""Starting, pausing, ending: each says first what will happen."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from careloop.accounts.access import requires
from careloop.journeys import selectors, services
from careloop.journeys.models import Journey
from careloop.journeys.sentences import LEFT_OUT, names
from careloop.journeys.services import Preview
from careloop.kernel.errors import DomainError
from careloop.messaging.reasons import reason_label
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.journeys.shared import found

CHANNEL_NAMES = {"line": "LINE", "sms": "SMS", "email": "E-mail"}


def _back(journey: Journey) -> str:
    return reverse("journeys:page", args=[journey.pk])


def _version(request: HttpRequest) -> int:
    try:
        return int(request.POST.get("version", ""))
    except ValueError:
        return 0


def _confirm(request: HttpRequest, journey: Journey, **context: Any) -> HttpResponse:
    context = {
        "journey": journey, "back": _back(journey), "action": request.path,
        "hidden": [{"name": "version", "value": journey.version}], **context,
    }  # fmt: skip
    return respond(request, "journeys/confirm.html", context, fragment="journeys/_confirm.html")


def _do(request: HttpRequest, journey: Journey, work: Callable[[], Any], words: Callable[[Any], str]) -> HttpResponse:
    try:
        done = work()
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(request, _back(journey), message=words(done))


@requires("journeys.edit")
def start(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Start a draft, after showing who, how many, who is left out and why, and which messages would go."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey, now = found(journey_id), timezone.now()
    if request.method == "POST":
        return _do(
            request, journey,
            lambda: services.start(journey_id=journey_id, version=_version(request), now=now, by=member.user_id),
            lambda n: ngettext("The journey runs. %(n)d patient has entered.", "The journey runs. %(n)d patients have entered.", n) % {"n": n},
        )  # fmt: skip
    preview = services.preview(journey_id=journey_id, now=now)
    if preview.problems:
        return refuse(request, str(_("The journey cannot start yet: look at the marked places.")))
    return _confirm(
        request, journey, title=_("Start “%(name)s”?") % {"name": journey.name}, facts=preview_facts(preview),
        text=preview_text(preview), label=_("Start the journey"), left_out=left_out(preview), not_written=not_written(preview),
    )  # fmt: skip


def preview_text(preview: Preview) -> str:
    """What happens at once, in words."""
    if preview.outlook is None:
        return _("Nobody enters at once: patients enter when what starts the journey happens to them.")
    if preview.waits_for:
        return _("These patients enter today; others when their day comes.")
    return _(
        "These patients enter at once. Messages wait for the end of the quiet hours and the patient’s preferred hour."
    )


def preview_facts(preview: Preview) -> list[dict[str, Any]]:
    """The numbers above the button."""
    if preview.outlook is None:
        return []
    facts = [
        {"label": _("Enter now"), "value": f"{preview.outlook.entering:,}"},
        {"label": _("Held out for comparison"), "value": f"{preview.outlook.held_out:,}"},
    ]
    if preview.first_message is not None:
        template = names().templates.get(preview.first_template, preview.first_template)
        facts.append(
            {
                "label": _("Would get “%(template)s”") % {"template": template},
                "value": f"{preview.first_message.planned:,}",
            }
        )
        channels = [
            f"{CHANNEL_NAMES.get(channel, channel)} {count:,}"
            for channel, count in sorted(preview.first_message.channels.items())
        ]
        if channels:
            facts.append({"label": _("By channel"), "value": " · ".join(channels)})
    return facts


def left_out(preview: Preview) -> list[dict[str, Any]]:
    """Who does not enter, and why."""
    if preview.outlook is None:
        return []
    return [
        {"label": LEFT_OUT.get(code, code), "count": count} for code, count in sorted(preview.outlook.left_out.items())
    ]


def not_written(preview: Preview) -> list[dict[str, Any]]:
    """Who enters but would not get the first message, and why."""
    if preview.first_message is None:
        return []
    return [
        {"label": reason_label(code), "count": count} for code, count in sorted(preview.first_message.blocked.items())
    ]


@requires("journeys.edit")
def use_changes(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Put the changed path into use for those who enter from now on."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey, now = found(journey_id), timezone.now()
    if request.method == "POST":
        return _do(
            request, journey,
            lambda: services.use_changes(journey_id=journey_id, version=_version(request), now=now, by=member.user_id),
            lambda version: _("Version %(number)d is in use.") % {"number": version.number},
        )  # fmt: skip
    active = selectors.results(now=now, journey_id=journey_id).active
    return _confirm(
        request, journey, title=_("Use the changed path?"), label=_("Use it from now on"),
        text=_("Patients who enter from now on follow the new path. Those on the way finish the one they began."),
        facts=[{"label": _("On the way on the earlier path"), "value": f"{active:,}"}],
    )  # fmt: skip


@requires("journeys.edit")
@require_POST
def pause(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Let everything stand still."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey = found(journey_id)
    return _do(
        request, journey, lambda: services.pause(journey_id=journey_id, now=timezone.now(), by=member.user_id),
        lambda _done: _("Paused. Everybody stays where they are; messages already planned still go."),
    )  # fmt: skip


@requires("journeys.edit")
@require_POST
def resume(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Go on."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey = found(journey_id)
    return _do(
        request, journey, lambda: services.resume(journey_id=journey_id, now=timezone.now(), by=member.user_id),
        lambda n: ngettext(
            "The journey goes on. %(n)d patient who came meanwhile has entered.",
            "The journey goes on. %(n)d patients who came meanwhile have entered.", n,
        ) % {"n": n},
    )  # fmt: skip


@requires("journeys.edit")
def end(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """End a journey for good, after saying for how many."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey, now = found(journey_id), timezone.now()
    if request.method == "POST":
        return _do(
            request, journey, lambda: services.end(journey_id=journey_id, now=now, by=member.user_id),
            lambda n: ngettext("Ended. %(n)d patient has left it.", "Ended. %(n)d patients have left it.", n) % {"n": n},
        )  # fmt: skip
    results = selectors.results(now=now, journey_id=journey_id)
    return _confirm(
        request, journey, title=_("End “%(name)s” for good?") % {"name": journey.name}, label=_("End the journey"), tone="danger",
        text=_("Everybody on the way leaves it, and messages that have not left are cancelled. Open follow-ups stay. What was measured is kept."),
        facts=[{"label": _("On the way"), "value": f"{results.active:,}"}],
    )  # fmt: skip


@requires("journeys.edit")
@require_POST
def skip(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Let all waits be over now; in a demo clinic only."""
    member: Any = request.member  # type: ignore[attr-defined]
    journey = found(journey_id)
    return _do(
        request, journey, lambda: services.skip_ahead(journey_id=journey_id, now=timezone.now(), by=member.user_id),
        lambda n: ngettext("Time has passed for %(n)d patient.", "Time has passed for %(n)d patients.", n) % {"n": n},
    )  # fmt: skip
