"""What journeys announce. Single steps are in the enrollment's history; messages and follow-ups announce themselves."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "journey.enrolled",
    label=_("Care journey begun"),
    group="tasks",
    icon="route",
    sentence=_("Entered the care journey “%(journey)s”."),
)
@dataclass(frozen=True)
class JourneyEnrolled:
    """A patient entered a journey; `held_out`: for comparison only, nothing is sent."""

    enrollment_id: UUID
    journey_id: UUID
    journey: str
    held_out: bool


@fact(
    "journey.goal_reached",
    label=_("Journey’s goal reached"),
    group="tasks",
    icon="target",
    sentence=_("Reached the goal of “%(journey)s”."),
)
@dataclass(frozen=True)
class JourneyGoalReached:
    """What the journey is for has happened within its time."""

    enrollment_id: UUID
    journey_id: UUID
    journey: str


@fact(
    "journey.exited",
    label=_("Care journey over"),
    group="tasks",
    icon="door-exit",
    sentence=_("Left the care journey “%(journey)s”."),
)
@dataclass(frozen=True)
class JourneyExited:
    """The path ended for a patient; `reason` is a code of `sentences.EXITS`."""

    enrollment_id: UUID
    journey_id: UUID
    journey: str
    reason: str
