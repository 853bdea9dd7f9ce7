"""What the waiting room refuses, in words."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownTicket(DomainError):
    code: ClassVar[str] = "queue.unknown_ticket"
    status: ClassVar[int] = 404
    message = _("There is no such number in the queue.")


class UnknownSession(DomainError):
    code: ClassVar[str] = "queue.unknown_session"
    status: ClassVar[int] = 404
    message = _("There is no such session.")


class SessionIsClosed(DomainError):
    code: ClassVar[str] = "queue.session_closed"
    message = _("This session is closed: nobody is called in it.")


class NotYetOpen(DomainError):
    code: ClassVar[str] = "queue.not_yet_open"
    message = _("Check-in opens at %(opens)s. If you are here already, please take a seat.")


class CheckInClosed(DomainError):
    code: ClassVar[str] = "queue.check_in_closed"
    message = _("Check-in for this session has ended. Please ask at the desk.")


class OnlyAtTheDesk(DomainError):
    code: ClassVar[str] = "queue.only_at_the_desk"
    message = _("Please check in at the desk.")


class CodeNeeded(DomainError):
    code: ClassVar[str] = "queue.code_needed"
    message = _("Please scan the code shown at the clinic to check in.")


class CodeTooOld(DomainError):
    code: ClassVar[str] = "queue.code_too_old"
    status: ClassVar[int] = 410
    message = _("This code has changed since. Please scan the one on the screen now.")


class NotFoundToday(DomainError):
    code: ClassVar[str] = "queue.not_found_today"
    status: ClassVar[int] = 422
    message = _("We found no visit today with this birth date and number. Please ask at the desk.")


class TooManyTries(DomainError):
    code: ClassVar[str] = "queue.too_many_tries"
    status: ClassVar[int] = 429
    message = _("Too many tries from here. Please ask at the desk.")


class NotBooked(DomainError):
    code: ClassVar[str] = "queue.not_booked"
    message = _("This visit is “%(state)s” and cannot be checked in.")


class AlreadySeen(DomainError):
    code: ClassVar[str] = "queue.already_seen"
    message = _("This patient has been seen already.")


class NobodyWaits(DomainError):
    code: ClassVar[str] = "queue.nobody_waits"
    message = _("Nobody is waiting.")


class RoomBusy(DomainError):
    code: ClassVar[str] = "queue.room_busy"
    message = _("Number %(label)s is still in this room. Finish or skip that visit first.")


class NotNow(DomainError):
    code: ClassVar[str] = "queue.not_now"
    message = _("Number %(label)s is “%(state)s” now, so this cannot be done.")


class SameSession(DomainError):
    code: ClassVar[str] = "queue.same_session"
    status: ClassVar[int] = 422
    message = _("Choose another session to transfer to.")


class OtherClinic(DomainError):
    code: ClassVar[str] = "queue.other_clinic"
    status: ClassVar[int] = 422
    message = _("Patients can be transferred to sessions of the same day at the same clinic.")


class UnknownRoom(DomainError):
    code: ClassVar[str] = "queue.unknown_room"
    status: ClassVar[int] = 422
    message = _("This clinic has no such room.")


class UnknownDisplay(DomainError):
    code: ClassVar[str] = "queue.unknown_display"
    status: ClassVar[int] = 404
    message = _("There is no such screen.")
