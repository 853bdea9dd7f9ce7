"""A journey's path in sentences, and what came of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.journeys import selectors, sentences, services
from careloop.journeys.definition import STEP_KINDS, problems_of
from careloop.journeys.models import Journey
from careloop.journeys.selectors import Results
from careloop.web.http import respond
from careloop.web.screens.journeys.shared import base, found


@requires("journeys.view")
@require_GET
def path_page(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """The path as a vertical list of plain sentences, with how many stand where."""
    journey = found(journey_id)
    known = sentences.names()
    now = timezone.now()
    standing = selectors.standing_by_step(journey_id) if journey.current_id and not journey.has_changes else {}
    problems = (
        problems_of(journey.definition, known=services.known_here()) if journey.state != Journey.State.ENDED else []
    )
    context = base(request, journey, "page") | {
        "trigger": sentences.trigger_sentence(journey.definition.get("trigger") or {}, known),
        "goal": sentences.goal_sentence(journey.definition),
        "rules": sentences.rules_in_words(journey.definition, known),
        "steps": steps_of(journey.definition, known, standing, problems),
        "problems": [one for one in problems if not one.place.startswith("/steps/")],
        "has_problems": bool(problems), "kinds": STEP_KINDS.items(),
        "stands_still": selectors.stands_still(journey_id, now=now), "can_change": journey.state != Journey.State.ENDED,
        "versions": journey.versions.count(),
    }  # fmt: skip
    return respond(request, "journeys/page.html", context)


def steps_of(
    definition: Mapping[str, Any], known: sentences.Names, standing: Mapping[str, int], problems: Any = ()
) -> list[dict[str, Any]]:
    """Return the steps as the page shows them: number, sentence, ways, who stands there, what is wrong."""
    steps = definition.get("steps") or []
    numbers = {str(step.get("id")): number for number, step in enumerate(steps, start=1)}
    shown = []
    for index, step in enumerate(steps):
        wrong = [
            str(one) for one in problems if one.place == f"/steps/{index}" or one.place.startswith(f"/steps/{index}/")
        ]
        shown.append({
            "id": step.get("id"), "number": index + 1, "kind": step.get("kind"),
            "icon": sentences.ICONS.get(str(step.get("kind")), "point"), "sentence": sentences.step_sentence(step, known),
            "script": step.get("script") or "", "ways": sentences.ways_of(step, numbers), "standing": standing.get(str(step.get("id")), 0),
            "problems": wrong, "is_first": index == 0, "is_last": index == len(steps) - 1,
        })  # fmt: skip
    return shown


@requires("journeys.view")
@require_GET
def results_page(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Entered, messaged, answered, visited; and what would have happened anyway."""
    journey = found(journey_id)
    results = selectors.results(now=timezone.now(), journey_id=journey_id)
    context = base(request, journey, "results") | {
        "results": results, "goal": sentences.goal_sentence(journey.definition), "funnel": funnel(results),
        "comparison": comparison(results), "exits": [
            {"label": sentences.EXITS.get(row["reason"], row["reason"]), "count": row["n"]} for row in selectors.exits(journey_id)
        ],
    }  # fmt: skip
    return respond(request, "journeys/results.html", context)


def funnel(results: Results) -> list[dict[str, Any]]:
    """The steps of the funnel component."""
    return [
        {"label": _("Entered"), "count": results.entered},
        {"label": _("Got a message"), "count": results.messaged},
        {"label": _("Answered"), "count": results.answered},
        {"label": _("Visited"), "count": results.visited},
    ]


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def percentage_points(value: float) -> str:
    """Return a difference of shares in percentage points, with its sign.

    >>> percentage_points(0.031), percentage_points(-0.2)
    ('+3.1', '−20.0')
    """
    return f"{100 * value:+.1f}".replace("-", "−")


def comparison(results: Results) -> dict[str, Any]:
    """The comparison in words and numbers; honest when the numbers are too small."""
    effect = results.effect
    values = {
        "value": percentage_points(effect.value),
        "low": percentage_points(effect.low),
        "high": percentage_points(effect.high),
    }
    verdicts = {
        "too_few": _("Too few patients in one of the groups (under 30) for a statement. The numbers are shown, but prove nothing yet."),
        "better": _("With the journey the goal was reached more often: %(value)s percentage points (95%% interval %(low)s to %(high)s)."),
        "worse": _("With the journey the goal was reached less often: %(value)s percentage points (95%% interval %(low)s to %(high)s)."),
        "unclear": _("No difference can be shown: %(value)s percentage points (95%% interval %(low)s to %(high)s contains 0)."),
    }  # fmt: skip
    tones = {"too_few": "neutral", "better": "success", "worse": "danger", "unclear": "info"}
    return {
        "verdict": effect.verdict, "sentence": verdicts[effect.verdict] % values, "tone": tones[effect.verdict], **values,
        "treated": effect.treated, "held_out": effect.held_out,
        "rows": [
            {
                "label": label, "count": share.count, "total": share.total, "value": percent(share.value),
                "low": percent(share.low), "high": percent(share.high),
            }
            for label, share in ((_("With the journey"), effect.treated), (_("Held out"), effect.held_out))
        ],
    }  # fmt: skip
