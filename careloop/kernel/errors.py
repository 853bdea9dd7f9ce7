"""Refusals: a rule that says no, in words a person understands and a code a program understands."""

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A rule said no. Nothing was written.

    Subclasses set `code` (stable, dotted, for the API) and `message` (translated, with named placeholders).
    The placeholders' values are given when it is raised and are never patient data.

    >>> class NotEnoughPoints(DomainError):
    ...     code = "loyalty.not_enough_points"
    ...     message = "The balance is %(balance)d points; %(asked)d were asked for."
    >>> str(NotEnoughPoints(balance=3, asked=5))
    'The balance is 3 points; 5 were asked for.'
    """

    code: ClassVar[str] = "careloop.refused"
    message: ClassVar[Any] = _("This is not possible.")
    status: ClassVar[int] = 409

    def __init__(self, **details: Any) -> None:
        super().__init__(self.code)
        self.details = details

    def __str__(self) -> str:
        return str(self.message) % self.details if self.details else str(self.message)
