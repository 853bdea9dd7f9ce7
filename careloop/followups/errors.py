"""What follow-ups refuse, in words."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownFollowUp(DomainError):
    code: ClassVar[str] = "followups.unknown"
    status: ClassVar[int] = 404
    message = _("There is no such follow-up.")


class TitleMissing(DomainError):
    code: ClassVar[str] = "followups.title_missing"
    status: ClassVar[int] = 422
    message = _("Say in a few words what is to be done.")


class AlreadyClosed(DomainError):
    code: ClassVar[str] = "followups.already_closed"
    message = _("This follow-up is closed already. If there is more to do, open a new one.")


class ChangedMeanwhile(DomainError):
    code: ClassVar[str] = "followups.changed_meanwhile"
    message = _("Somebody else worked on this follow-up in the meantime. Look at what they did, then try again.")


class UntilInPast(DomainError):
    code: ClassVar[str] = "followups.until_in_past"
    status: ClassVar[int] = 422
    message = _("Choose a time that lies ahead.")


class OutcomeMissing(DomainError):
    code: ClassVar[str] = "followups.outcome_missing"
    status: ClassVar[int] = 422
    message = _("Choose what came of it.")


class NotAMember(DomainError):
    code: ClassVar[str] = "followups.not_a_member"
    status: ClassVar[int] = 422
    message = _("Only somebody who works here can be given a follow-up.")
