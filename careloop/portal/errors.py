"""What the patients' pages refuse, in words that patients understand."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class TooOften(DomainError):
    code: ClassVar[str] = "portal.too_often"
    status: ClassVar[int] = 429
    message = _("This was asked for too often. Please come again in %(minutes)d minutes, or call the clinic.")


class AddressUnreadable(DomainError):
    code: ClassVar[str] = "portal.address_unreadable"
    status: ClassVar[int] = 422
    message = _("Write a mobile number (0912-345-678) or an e-mail address.")


class MobileNeeded(DomainError):
    code: ClassVar[str] = "portal.mobile_needed"
    status: ClassVar[int] = 422
    message = _("Write a mobile number that can receive text messages, like 0912-345-678.")


class CodeWrong(DomainError):
    code: ClassVar[str] = "portal.code_wrong"
    status: ClassVar[int] = 422
    message = _("This code is not right. You can try %(left)d more times.")


class CodeOver(DomainError):
    code: ClassVar[str] = "portal.code_over"
    status: ClassVar[int] = 422
    message = _("This code cannot be used any more. Ask for a new one.")


class BirthDateWrong(DomainError):
    code: ClassVar[str] = "portal.birth_date_wrong"
    status: ClassVar[int] = 422
    message = _("We cannot find anybody with this birth date here. Look at it again, or call the clinic.")


class NotYours(DomainError):
    code: ClassVar[str] = "portal.not_yours"
    status: ClassVar[int] = 404
    message = _("There is nothing here for you.")


class TooManyOpen(DomainError):
    code: ClassVar[str] = "portal.too_many_open"
    message = _("%(most)d visits are booked already. For more, please call the clinic; we are glad to help.")


class TooManyWishes(DomainError):
    code: ClassVar[str] = "portal.too_many_wishes"
    message = _("You wait for %(most)d places already. For more, please call the clinic; we are glad to help.")


class QuestionOpen(DomainError):
    code: ClassVar[str] = "portal.question_open"
    status: ClassVar[int] = 422
    message = _("Please answer this question.")


class LineRefused(DomainError):
    code: ClassVar[str] = "portal.line_refused"
    status: ClassVar[int] = 422
    message = _("LINE did not confirm who you are. Please try again, or sign in with a code.")


class InvitationOver(DomainError):
    code: ClassVar[str] = "portal.invitation_over"
    status: ClassVar[int] = 410
    message = _("This code cannot be used any more. Please ask at the desk for a new one.")


class LineTaken(DomainError):
    code: ClassVar[str] = "portal.line_taken"
    message = _("This LINE account is connected to somebody else here. Please tell the front desk.")
