"""What scheduling refuses, in words."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownAppointment(DomainError):
    code: ClassVar[str] = "scheduling.unknown_appointment"
    status: ClassVar[int] = 404
    message = _("There is no such appointment.")


class UnknownSession(DomainError):
    code: ClassVar[str] = "scheduling.unknown_session"
    status: ClassVar[int] = 404
    message = _("There is no such session.")


class UnknownService(DomainError):
    code: ClassVar[str] = "scheduling.unknown_service"
    status: ClassVar[int] = 404
    message = _("This service is not offered any more.")


class NoPlace(DomainError):
    """The wanted place is not to be had; `alternatives` are free places near it, for the page that shows the refusal.

    They are looked for when asked for, inside the same organization: a refusal that nobody shows costs nothing.
    """

    def __init__(self, *, near: Callable[[], list[Any]] | None = None, **details: Any) -> None:
        super().__init__(**details)
        self._near = near

    @cached_property
    def alternatives(self) -> list[Any]:
        return self._near() if self._near is not None else []


class PlaceTaken(NoPlace):
    code: ClassVar[str] = "scheduling.place_taken"
    message = _("Somebody else has just taken this time. Please choose another one.")


class SessionFull(NoPlace):
    code: ClassVar[str] = "scheduling.session_full"
    message = _("All numbers of this session are given out. Please choose another session.")


class SessionClosed(NoPlace):
    code: ClassVar[str] = "scheduling.session_closed"
    message = _("This session is closed. Please choose another one.")


class PractitionerAway(NoPlace):
    code: ClassVar[str] = "scheduling.practitioner_away"
    message = _("The practitioner is away at this time. Please choose another one.")


class PatientBusy(DomainError):
    code: ClassVar[str] = "scheduling.patient_busy"
    message = _("The patient already has an appointment at this time.")


class NotOffered(DomainError):
    code: ClassVar[str] = "scheduling.not_offered"
    status: ClassVar[int] = 422
    message = _("This practitioner does not offer this service in this session.")


class OutsideSession(DomainError):
    code: ClassVar[str] = "scheduling.outside_session"
    status: ClassVar[int] = 422
    message = _("The appointment must begin and end within the session.")


class NumberOutsidePools(DomainError):
    code: ClassVar[str] = "scheduling.number_outside_pools"
    status: ClassVar[int] = 422
    message = _("The session has no such number for this kind of booking.")


class TooLate(DomainError):
    code: ClassVar[str] = "scheduling.too_late"
    message = _("This is too close to the beginning to be done here. Please call the clinic.")


class TooFarAhead(DomainError):
    code: ClassVar[str] = "scheduling.too_far_ahead"
    message = _("Appointments can be made %(days)d days ahead.")


class OnlyFirstVisits(DomainError):
    code: ClassVar[str] = "scheduling.only_first_visits"
    message = _("This service is for first visits. Please choose another one.")


class OnlyReturning(DomainError):
    code: ClassVar[str] = "scheduling.only_returning"
    message = _("This service is for patients who have been here before. Please choose another one.")


class NotOnline(DomainError):
    code: ClassVar[str] = "scheduling.not_online"
    message = _("This service cannot be booked online. Please call the clinic.")


class ChangedMeanwhile(DomainError):
    code: ClassVar[str] = "scheduling.changed_meanwhile"
    message = _("The appointment was changed in the meantime. Look at it again, then decide.")


class NotInThisState(DomainError):
    code: ClassVar[str] = "scheduling.not_in_this_state"
    message = _("This cannot be done with an appointment that is “%(state)s”.")


class HoldExpired(DomainError):
    code: ClassVar[str] = "scheduling.hold_expired"
    message = _("The time was held for you, but not any longer. Please choose a time again.")


class NoShowTooEarly(DomainError):
    code: ClassVar[str] = "scheduling.noshow_too_early"
    message = _("“Did not come” can be said only after the session has ended.")


class BadTemplate(DomainError):
    code: ClassVar[str] = "scheduling.bad_template"
    status: ClassVar[int] = 422
    message = "%(problem)s"  # said by the rule that was broken, in words already translated


class OverlappingTemplate(DomainError):
    code: ClassVar[str] = "scheduling.overlapping_template"
    status: ClassVar[int] = 422
    message = _("The practitioner or the room already has a session at this time.")


class AlreadyClosed(DomainError):
    code: ClassVar[str] = "scheduling.already_closed"
    message = _("This session is closed already.")


class StillBooked(DomainError):
    code: ClassVar[str] = "scheduling.still_booked"
    message = _("%(count)d patients are booked at this time. Close or move those sessions first.")


class UnknownEntry(DomainError):
    code: ClassVar[str] = "scheduling.unknown_waitlist_entry"
    status: ClassVar[int] = 404
    message = _("There is no such wish on the waitlist.")


class AlreadyWaiting(DomainError):
    code: ClassVar[str] = "scheduling.already_waiting"
    message = _("The patient is on the waitlist for this service already.")


class OfferOver(DomainError):
    code: ClassVar[str] = "scheduling.offer_over"
    message = _(
        "This place is no longer offered. The wish stays on the waitlist, and the next free place will be offered."
    )


class NotWaiting(DomainError):
    code: ClassVar[str] = "scheduling.not_waiting"
    message = _("This wish has an open offer, or is not on the waitlist any more.")


class OfferTooSoon(DomainError):
    code: ClassVar[str] = "scheduling.offer_too_soon"
    message = _("This place begins too soon to be offered by message. Call the patient and book it for them.")


class WishChanged(DomainError):
    code: ClassVar[str] = "scheduling.wish_changed"
    message = _("The wish was changed in the meantime. Look at it again, then decide.")


class BadDates(DomainError):
    code: ClassVar[str] = "scheduling.bad_dates"
    status: ClassVar[int] = 422
    message = _("The last day must not lie before the first one, nor before today.")


class NameTaken(DomainError):
    code: ClassVar[str] = "scheduling.name_taken"
    status: ClassVar[int] = 422
    message = _("There is another one of this name already.")


class UnknownResource(DomainError):
    code: ClassVar[str] = "scheduling.unknown_resource"
    status: ClassVar[int] = 404
    message = _("There is no such room or equipment.")


class UnknownPractitioner(DomainError):
    code: ClassVar[str] = "scheduling.unknown_practitioner"
    status: ClassVar[int] = 404
    message = _("There is no such practitioner.")
