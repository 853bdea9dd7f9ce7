"""What journeys refuse, in words."""

from collections.abc import Sequence
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError
from careloop.segments.errors import Problem

__all__ = [
    "ChangedMeanwhile", "DefinitionRefused", "NameMissing", "NotInDemo", "NotInThatState", "NothingChanged", "Problem",
    "UnknownJourney",
]  # fmt: skip


class DefinitionRefused(DomainError):
    """A definition that cannot run; `problems` name every place."""

    code: ClassVar[str] = "journeys.definition_refused"
    status: ClassVar[int] = 422
    message = _("The journey cannot start yet: %(count)d places need attention.")

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(count=len(problems), problems=[{"place": one.place, "message": str(one)} for one in problems])
        self.problems = list(problems)


class UnknownJourney(DomainError):
    code: ClassVar[str] = "journeys.unknown"
    status: ClassVar[int] = 404
    message = _("There is no such care journey.")


class NameMissing(DomainError):
    code: ClassVar[str] = "journeys.name_missing"
    status: ClassVar[int] = 422
    message = _("A care journey needs a name.")


class NotInThatState(DomainError):
    code: ClassVar[str] = "journeys.not_in_that_state"
    message = _("This is not possible in the journey’s present state. Look at the page again.")


class NothingChanged(DomainError):
    code: ClassVar[str] = "journeys.nothing_changed"
    message = _("The running version is already like this; there is nothing to put into use.")


class ChangedMeanwhile(DomainError):
    code: ClassVar[str] = "journeys.changed_meanwhile"
    message = _("Somebody else changed this journey in the meantime. Look at what they did, then try again.")


class NotInDemo(DomainError):
    code: ClassVar[str] = "journeys.not_in_demo"
    status: ClassVar[int] = 403
    message = _("Time can be skipped in the demo clinic only.")
