"""What happens in the waiting room. `label` is the number as it is called; `practitioner` and `when` are for people."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@dataclass(frozen=True)
class _Queued:
    ticket_id: UUID
    appointment_id: UUID
    session_id: UUID
    label: str
    practitioner: str


@fact("queue.checked_in", label=_("Checked in"), group="visits", icon="door-enter",
      sentence=_("Checked in with number %(label)s: %(practitioner)s."))  # fmt: skip
@dataclass(frozen=True)
class CheckedIn(_Queued):
    """The patient is in the queue. `how`: DESK, QR, LINE, PHONE."""

    how: str
    again: bool = False


@fact("queue.called", label=_("Number called"), group="visits", icon="speakerphone",
      sentence=_("Number %(label)s was called: %(practitioner)s."))  # fmt: skip
@dataclass(frozen=True)
class Called(_Queued):
    """The number was called into a room; `again` when it was called before."""

    room: str
    again: bool = False


@fact("queue.missed", label=_("Missed the call"), group="visits", icon="user-x",
      sentence=_("Number %(label)s was called and nobody came."))  # fmt: skip
@dataclass(frozen=True)
class CallMissed(_Queued):
    """Nobody came. `must_check_in`: the number is not called again until the patient checks in again."""

    times: int
    must_check_in: bool


@fact("queue.turn_near", label=_("Soon their turn"), group="visits", icon="bell",
      sentence=_("Soon the turn of number %(label)s: %(ahead)s before it."))  # fmt: skip
@dataclass(frozen=True)
class TurnNear(_Queued):
    """So few are ahead that the patient should come back now; once per check-in."""

    ahead: int
    minutes_low: int
    minutes_high: int


@fact("queue.held", label=_("Sent to tests"), group="visits", icon="flask",
      sentence=_("Number %(label)s waits aside: %(held_for)s."))  # fmt: skip
@dataclass(frozen=True)
class Held(_Queued):
    """The patient is elsewhere in the clinic and not called meanwhile."""

    held_for: str


@fact("queue.resumed", label=_("Back in the queue"), group="visits", icon="player-play",
      sentence=_("Number %(label)s is back in the queue."))  # fmt: skip
@dataclass(frozen=True)
class Resumed(_Queued):
    """Back from tests."""


@fact("queue.prioritised", label=_("Place in the queue changed"), group="visits", icon="arrow-up-right",
      sentence=_("Number %(label)s got another place in the queue."))  # fmt: skip
@dataclass(frozen=True)
class Prioritised(_Queued):
    """Ahead of others, or in turn again."""

    priority: int


@fact("queue.transferred", label=_("Transferred"), group="visits", icon="arrows-exchange",
      sentence=_("Transferred to %(practitioner)s as number %(label)s."))  # fmt: skip
@dataclass(frozen=True)
class Transferred(_Queued):
    """Another practitioner sees the patient today."""

    from_session_id: UUID
    before: str


@fact("queue.started", label=_("In the room"), group="visits", icon="stethoscope",
      sentence=_("Number %(label)s is in the room: %(practitioner)s."))  # fmt: skip
@dataclass(frozen=True)
class Started(_Queued):
    """The meeting begins."""

    waited_minutes: int


@fact("queue.finished", label=_("Visit finished"), group="visits", icon="circle-check",
      sentence=_("The visit of number %(label)s took %(minutes)s minutes."))  # fmt: skip
@dataclass(frozen=True)
class Finished(_Queued):
    """The meeting ended."""

    minutes: int


@fact("queue.left", label=_("Left the queue"), group="visits", icon="door-exit",
      sentence=_("Number %(label)s left the queue."))  # fmt: skip
@dataclass(frozen=True)
class LeftQueue(_Queued):
    """Gone without being seen. `reason`: patient, called-off, closed."""

    reason: str
