"""What a lucky draw refuses, in words."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownDraw(DomainError):
    code = "loyalty.unknown_draw"
    message = _("There is no such draw.")
    status: ClassVar[int] = 404


class DrawMovedOn(DomainError):
    code = "loyalty.draw_moved_on"
    message = _("This draw is already further (%(state)s); nothing about it can be changed back.")


class DrawHasNoPrize(DomainError):
    code = "loyalty.draw_has_no_prize"
    message = _("Say first what can be won.")
    status: ClassVar[int] = 422


class NobodyTakesPart(DomainError):
    code = "loyalty.nobody_takes_part"
    message = _("Nobody has a ticket by this rule; the draw stays open.")


class OutsideValueNeeded(DomainError):
    code = "loyalty.outside_value_needed"
    message = _("Enter the number that was announced: %(source)s.")
    status: ClassVar[int] = 422


class DrawPeriodNotOver(DomainError):
    code = "loyalty.draw_period_not_over"
    message = _("Tickets can still be earned until %(day)s; close the draw after that day.")
