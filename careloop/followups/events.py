"""What happens to follow-ups. Payloads hold ids and codes; the words are on the follow-up, where they can be erased."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "follow_up.created",
    label=_("Follow-up opened"),
    group="tasks",
    icon="checklist",
    sentence=_("A follow-up was opened for staff."),
)
@dataclass(frozen=True)
class FollowUpCreated:
    """Staff have something to do. `task` is its `FollowUp.Kind`; `origin`: staff, journey or message."""

    follow_up_id: UUID
    task: str
    origin: str


@fact(
    "follow_up.done",
    label=_("Follow-up done"),
    group="tasks",
    icon="circle-check",
    sentence=_("A follow-up was done."),
)
@dataclass(frozen=True)
class FollowUpDone:
    """Staff did it; `outcome` is a code of `FollowUp.Outcome`."""

    follow_up_id: UUID
    outcome: str


@fact(
    "follow_up.snoozed",
    label=_("Follow-up put off"),
    group="tasks",
    icon="alarm-snooze",
    sentence=_("A follow-up was put off."),
)
@dataclass(frozen=True)
class FollowUpSnoozed:
    """It comes back later; `outcome` says why when somebody tried (NO_ANSWER, CALL_BACK)."""

    follow_up_id: UUID
    until: str
    outcome: str = ""


@fact(
    "follow_up.cancelled", label=_("Follow-up cancelled"), group="tasks", icon="ban",
    sentence=_("A follow-up was cancelled: it is no longer needed."),
)  # fmt: skip
@dataclass(frozen=True)
class FollowUpCancelled:
    """Nobody needs to do it any more."""

    follow_up_id: UUID
    reason: str
