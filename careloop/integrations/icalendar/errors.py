"""What calendars refuse, in words."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from careloop.integrations.icalendar import wording
from careloop.kernel.errors import DomainError


class UnknownPractitioner(DomainError):
    code: ClassVar[str] = "icalendar.unknown_practitioner"
    status: ClassVar[int] = 404
    message = _("There is no such practitioner at work here.")


class NoPractitionerOfThatName(DomainError):
    code: ClassVar[str] = "icalendar.no_practitioner_of_that_name"
    status: ClassVar[int] = 404
    message = _("There is no practitioner “%(name)s”. These work here: %(known)s.")


class SeveralOfThatName(DomainError):
    code: ClassVar[str] = "icalendar.several_of_that_name"
    message = _("Several practitioners are called “%(name)s”. Give the id instead: %(ids)s.")


class TooManyLinks(DomainError):
    code: ClassVar[str] = "icalendar.too_many_links"
    message = _("This practitioner has %(most)d calendar links already. Revoke one that is no longer used.")


class NoSuchFile(DomainError):
    code: ClassVar[str] = "icalendar.no_such_file"
    status: ClassVar[int] = 404
    message = _("There is no file %(path)s.")


class UploadGone(DomainError):
    code: ClassVar[str] = "icalendar.upload_gone"
    status: ClassVar[int] = 410
    message = _("This calendar was imported or thrown away already. Upload the file again.")


class CalendarRefused(DomainError):
    """A calendar file that cannot be read as a whole. `line` is 0 when it is about no single line."""

    code: ClassVar[str] = "icalendar.refused"
    status: ClassVar[int] = 422

    def __init__(self, *, reason: str, line: int = 0, **values: Any) -> None:
        super().__init__(reason=reason, line=line, **values)

    def __str__(self) -> str:
        sentence = wording.refusal(self.details["reason"], self.details)
        if not self.details["line"]:
            return sentence
        return _now("Line %(line)d: %(sentence)s") % {"line": self.details["line"], "sentence": sentence}
