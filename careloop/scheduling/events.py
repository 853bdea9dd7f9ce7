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
