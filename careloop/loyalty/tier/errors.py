"""What tiers and their benefits refuse, in words."""

from datetime import date
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class TierRefused(DomainError):
    """A tier, a benefit or a use of one is not possible as asked."""

    status: ClassVar[int] = 422


class UnknownTier(TierRefused):
    code = "loyalty.unknown_tier"
    message = _("There is no such tier in this programme.")
    status: ClassVar[int] = 404


class RankTaken(TierRefused):
    code = "loyalty.rank_taken"
    message = _("Another tier has this place already. Give each tier its own.")


class CriteriaMissing(TierRefused):
    code = "loyalty.criteria_missing"
    message = _("“Any of them” needs at least one criterion; without one nobody would ever reach the tier.")


class TierChangedMeanwhile(TierRefused):
    code = "loyalty.tier_changed_meanwhile"
    message = _("Somebody changed this meanwhile. Look at it again before you save.")
    status: ClassVar[int] = 409


class TierReasonMissing(TierRefused):
    code = "loyalty.tier_reason_missing"
    message = _("Say why, in a few words: the member’s history shows it.")


class EndsTooSoon(TierRefused):
    code = "loyalty.tier_ends_too_soon"
    message = _("The last day must lie ahead, at most three years.")


class NothingByHand(TierRefused):
    code = "loyalty.nothing_by_hand"
    message = _("This member has no tier that was given by hand.")
    status: ClassVar[int] = 409


class NotInForce(TierRefused):
    code = "loyalty.benefit_not_in_force"
    message = _("This member does not have this benefit today.")
    status: ClassVar[int] = 409


class UsedUp(TierRefused):
    code = "loyalty.benefit_used_up"
    message = _("All %(count)d of this period are used; the next ones come on %(next)s.")
    status: ClassVar[int] = 409

    def __init__(self, *, count: int, next_on: date) -> None:
        super().__init__(count=count, next=next_on.isoformat())


class UnknownBenefit(TierRefused):
    code = "loyalty.unknown_benefit"
    message = _("There is no such benefit.")
    status: ClassVar[int] = 404
