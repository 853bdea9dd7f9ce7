"""What happens to appointments and sessions. `when` is the clinic's local time, for people; `starts_at` is for programs."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "appointment.booked",
    label=_("Appointment booked"),
    group="visits",
    icon="calendar-plus",
    sentence=_("Appointment on %(when)s: %(service)s, %(practitioner)s."),
)
@dataclass(frozen=True)
class AppointmentBooked:
    """A place is the patient's. `source` is the appointment's: desk, phone, portal …"""

    appointment_id: UUID
    sequence: int
    starts_at: str
    when: str
    service: str
    practitioner: str
    number: int | None = None


@fact(
    "appointment.moved",
    label=_("Appointment moved"),
    group="visits",
    icon="calendar-event",
    sentence=_("Appointment moved from %(before)s to %(when)s: %(service)s, %(practitioner)s."),
)
@dataclass(frozen=True)
class AppointmentMoved:
    """Time, place or practitioner is another one now. `what`: time, practitioner."""

    appointment_id: UUID
    sequence: int
    starts_at: str
    when: str
    before: str
    service: str
    practitioner: str
    number: int | None = None
    what: str = "time"


@fact(
    "appointment.cancelled",
    label=_("Appointment cancelled"),
    group="visits",
    icon="calendar-off",
    sentence=_("The appointment on %(when)s was cancelled: %(service)s, %(practitioner)s."),
)
@dataclass(frozen=True)
class AppointmentCancelled:
    """The place is free again. `reason` is an `Appointment.Cancelled`."""

    appointment_id: UUID
    sequence: int
    starts_at: str
    when: str
    service: str
    practitioner: str
    reason: str


@fact(
    "appointment.confirmed",
    label=_("Appointment confirmed"),
    group="visits",
    icon="calendar-check",
    sentence=_("The patient confirmed the appointment on %(when)s."),
)
@dataclass(frozen=True)
class AppointmentConfirmed:
    """The patient says: I am coming."""

    appointment_id: UUID
    sequence: int
    when: str


@fact(
    "appointment.answered",
    label=_("Questions answered"),
    group="visits",
    icon="clipboard-text",
    sentence=_("Answered the questions before the appointment on %(when)s."),
)
@dataclass(frozen=True)
class AppointmentAnswered:
    """The patient answered what the service asks before a visit; what they said is with the appointment, sealed."""

    appointment_id: UUID
    when: str


@fact(
    "appointment.arrived",
    label=_("Arrived"),
    group="visits",
    icon="door-enter",
    sentence=_("Arrived for the appointment on %(when)s."),
)
@dataclass(frozen=True)
class AppointmentArrived:
    """The patient is here."""

    appointment_id: UUID
    when: str


@fact(
    "appointment.fulfilled",
    label=_("Seen"),
    group="visits",
    icon="circle-check",
    sentence=_("Was seen: %(service)s, %(practitioner)s."),
)
@dataclass(frozen=True)
class AppointmentFulfilled:
    """The meeting took place."""

    appointment_id: UUID
    when: str
    service: str
    practitioner: str


@fact(
    "appointment.noshow",
    label=_("Did not come"),
    group="visits",
    icon="user-x",
    sentence=_("Did not come to the appointment on %(when)s: %(service)s, %(practitioner)s."),
)
@dataclass(frozen=True)
class AppointmentMissed:
    """The session ended without the patient."""

    appointment_id: UUID
    when: str
    service: str
    practitioner: str


@fact(
    "appointment.entered_in_error",
    label=_("Appointment entered in error"),
    group="visits",
    icon="eraser",
    sentence=_("An appointment should never have been there: %(when)s."),
)
@dataclass(frozen=True)
class AppointmentEnteredInError:
    """It was somebody else's, or nobody's."""

    appointment_id: UUID
    when: str


@fact(
    "session.closed",
    label=_("Session closed"),
    group="visits",
    icon="calendar-x",
    sentence=_("A session was closed."),
)
@dataclass(frozen=True)
class SessionClosed:
    """Nobody is seen then; who was booked has an event of their own."""

    session_id: UUID
    patients: int


@fact(
    "place.freed",
    label=_("Place freed"),
    group="visits",
    icon="calendar-plus",
    sentence=_("A place is free again."),
)
@dataclass(frozen=True)
class PlaceFreed:
    """Somebody may want it: the waitlist looks."""

    session_id: UUID


@fact(
    "session.opened",
    label=_("Session added"),
    group="visits",
    icon="calendar-plus",
    sentence=_("A session was added."),
)
@dataclass(frozen=True)
class SessionOpened:
    """There are new places."""

    session_id: UUID


@fact(
    "waitlist.joined",
    label=_("On the waitlist"),
    group="visits",
    icon="hourglass",
    sentence=_("Waits for a place: %(service)s."),
)
@dataclass(frozen=True)
class WaitlistJoined:
    """The patient would come if there were a place."""

    entry_id: UUID
    service: str


@fact(
    "waitlist.offered",
    label=_("Place offered"),
    group="visits",
    icon="calendar-plus",
    sentence=_("A free place was offered: %(when)s, %(service)s, %(practitioner)s."),
)
@dataclass(frozen=True)
class WaitlistOffered:
    """A place is held for this patient until `answer_by`; `number` only in sessions by number."""

    offer_id: UUID
    entry_id: UUID
    appointment_id: UUID
    starts_at: str
    when: str
    service: str
    practitioner: str
    answer_by: str
    number: int | None = None


@fact(
    "waitlist.answered",
    label=_("Answer to an offered place"),
    group="visits",
    icon="calendar-check",
    sentence=_("The offered place on %(when)s was answered."),
)
@dataclass(frozen=True)
class WaitlistAnswered:
    """What became of an offer: `answer` is ACCEPTED, DECLINED, EXPIRED or WITHDRAWN."""

    offer_id: UUID
    entry_id: UUID
    appointment_id: UUID
    answer: str
    when: str


@fact(
    "waitlist.left",
    label=_("Off the waitlist"),
    group="visits",
    icon="x",
    sentence=_("Does not wait for a place any more: %(service)s."),
)
@dataclass(frozen=True)
class WaitlistLeft:
    """`reason`: patient, clinic, expired, booked."""

    entry_id: UUID
    service: str
    reason: str


@fact(
    "waitlist.changed",
    label=_("Wish on the waitlist changed"),
    group="visits",
    icon="list-check",
    sentence=_("The wish on the waitlist was changed: %(service)s."),
)
@dataclass(frozen=True)
class WaitlistChanged:
    """What the patient waits for is another thing now, or their turn is: `priority` 1 to 3, `reason` a `wishes.Reason`, or empty."""

    entry_id: UUID
    service: str
    priority: int
    reason: str = ""
