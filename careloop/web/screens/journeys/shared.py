"""What several of the journeys' screens need."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from careloop.journeys.models import Journey
from careloop.tenancy.models import Organization

STATE_TONES = {"DRAFT": "neutral", "ACTIVE": "success", "PAUSED": "warning", "ENDED": "neutral"}
ENROLLMENT_TONES = {"ACTIVE": "accent", "DONE": "success", "LEFT": "neutral"}


def found(journey_id: UUID) -> Journey:
    """Return a journey; 404 for another organization's and for nobody's."""
    journey = Journey.objects.select_related("current").filter(pk=journey_id).first()
    if journey is None:
        raise Http404
    return journey


def tabs(journey: Journey, current: str) -> list[dict[str, Any]]:
    """The parts of a journey's page."""
    return [
        {"label": label, "url": reverse(f"journeys:{name}", args=[journey.pk]), "is_current": name == current}
        for name, label in (
            ("page", _("Path")),
            ("results", pgettext("journey", "Results")),
            ("enrollments", _("Patients")),
        )
    ]


def base(request: HttpRequest, journey: Journey, current: str) -> dict[str, Any]:
    """The context that all parts of a journey's page share."""
    member: Any = request.member  # type: ignore[attr-defined]
    return {
        "journey": journey, "tabs": tabs(journey, current), "state_label": journey.get_state_display(),
        "state_tone": STATE_TONES[journey.state], "may_edit": member.can("journeys.edit"),
        "is_demo": Organization.objects.values_list("is_demo", flat=True).get(),
    }  # fmt: skip
