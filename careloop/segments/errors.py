"""What a segment refuses, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a rule. `place` is a path into the JSON: `/all/0/days`."""

    place: str
    message: str | Promise

    def __str__(self) -> str:
        return str(self.message)


class RuleRefused(DomainError):
    """A rule that cannot be understood; `problems` name every place."""

    code: ClassVar[str] = "segments.rule_refused"
    status: ClassVar[int] = 422
    message = _("The rule cannot be used yet: %(count)d places need attention.")

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(count=len(problems), problems=[{"place": one.place, "message": str(one)} for one in problems])
        self.problems = list(problems)


class NameTaken(DomainError):
    code: ClassVar[str] = "segments.name_taken"
    message = _("Another segment has this name already.")


class NameMissing(DomainError):
    code: ClassVar[str] = "segments.name_missing"
    status: ClassVar[int] = 422
    message = _("A segment needs a name.")


class SegmentArchived(DomainError):
    code: ClassVar[str] = "segments.archived"
    message = _("The segment is archived; restore it first.")


class SegmentInUse(DomainError):
    code: ClassVar[str] = "segments.in_use"
    message = _("The segment is used by %(names)s and cannot be archived.")


class ClinicalMarketing(DomainError):
    """Rule P1: a marketing segment reads clinical fields without written consent."""

    code: ClassVar[str] = "segments.clinical_marketing"
    message = _(
        "Rule %(rule)s: a marketing segment may not read clinical fields (%(fields)s) unless it is limited to "
        "patients who agreed to that in writing. Legal base: %(legal_base)s."
    )


class ChangedMeanwhile(DomainError):
    code: ClassVar[str] = "segments.changed_meanwhile"
    message = _("Somebody else saved this segment in the meantime. Your rule is kept below; look at theirs first.")
