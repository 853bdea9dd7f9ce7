"""What is refused about rewards, coupons, codes and partners, in words."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class RewardRefused(DomainError):
    """A reward, a coupon or a code cannot be had or used."""

    status: ClassVar[int] = 422


class UnknownReward(RewardRefused):
    code = "loyalty.unknown_reward"
    message = _("There is no such reward.")
    status: ClassVar[int] = 404


class UnknownCode(RewardRefused):
    code = "loyalty.unknown_code"
    message = _("There is no such code at this clinic.")
    status: ClassVar[int] = 404


class NotAMember(RewardRefused):
    code = "loyalty.not_a_member"
    message = _("This patient is not a member (any more). Join first.")


class NotOffered(RewardRefused):
    code = "loyalty.not_offered"
    message = _("This is not offered at present.")


class OtherBranch(RewardRefused):
    code = "loyalty.other_branch"
    message = _("This is not offered at this branch.")


class OtherTier(RewardRefused):
    code = "loyalty.other_tier"
    message = _("This is for members of another tier.")


class LimitReached(RewardRefused):
    code = "loyalty.limit_reached"
    message = _("A member can have this %(most)d times, and that many were taken.")


class SoldOut(RewardRefused):
    code = "loyalty.sold_out"
    message = _("None of these is left.")


class PointsMissing(RewardRefused):
    code = "loyalty.points_missing"
    message = _("%(missing)d points are missing.")


class CodeMistyped(RewardRefused):
    code = "loyalty.code_mistyped"
    message = _("This is not a whole code: sixteen letters and figures. Check them once more.")


class CodeNotOurs(RewardRefused):
    code = "loyalty.code_not_ours"
    message = _("This code was not made by this clinic.")


class CodeOutdated(RewardRefused):
    code = "loyalty.code_outdated"
    message = _("This code was good until %(day)s.")


class CodeUsed(RewardRefused):
    code = "loyalty.code_used"
    message = _("This code was used already: %(when)s, %(where)s.")
    status: ClassVar[int] = 409


class CodeTakenBack(RewardRefused):
    code = "loyalty.code_taken_back"
    message = _("This code counts no longer: it was taken back on %(when)s.")
    status: ClassVar[int] = 409


class TooLateToUndo(RewardRefused):
    code = "loyalty.too_late_to_undo"
    message = _("This can be taken back for %(hours)d hours after it was used; that time is over.")
    status: ClassVar[int] = 409


class NothingToUndo(RewardRefused):
    code = "loyalty.nothing_to_undo"
    message = _("There is nothing to take back here.")
    status: ClassVar[int] = 409


class WhyMissing(RewardRefused):
    code = "loyalty.why_missing"
    message = _("Say why, in a few words.")


class PeriodSettled(RewardRefused):
    code = "loyalty.period_settled"
    message = _("This use was settled with the partner and is locked.")
    status: ClassVar[int] = 409


class PeriodNotOver(RewardRefused):
    code = "loyalty.period_not_over"
    message = _("Only days that are over can be settled: %(day)s is not.")


class NothingToSettle(RewardRefused):
    code = "loyalty.nothing_to_settle"
    message = _("In these days there is no use that is not settled yet.")
    status: ClassVar[int] = 409


class PartnerNameTaken(RewardRefused):
    code = "loyalty.partner_name_taken"
    message = _("There is a partner of this name already.")
    status: ClassVar[int] = 409


class NotedTooLongAgo(RewardRefused):
    code = "loyalty.noted_too_long_ago"
    message = _("Codes noted without a network are sent in until the end of the next day.")


class OfferChanged(RewardRefused):
    code = "loyalty.offer_changed_meanwhile"
    message = _("Somebody changed this meanwhile. Look at it once more.")
    status: ClassVar[int] = 409
