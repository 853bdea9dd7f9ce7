"""What happens to rewards and coupons. Payloads hold ids, codes and points, never names."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "loyalty.reward_redeemed", label=_("Reward taken"), group="profile", icon="gift",
    sentence=_("Took a reward for %(points)s points."),
)  # fmt: skip
@dataclass(frozen=True)
class RewardRedeemed:
    """Points were spent on a reward; it waits to be handed over."""

    account_id: UUID
    redemption_id: UUID
    reward_id: UUID
    points: int
    source: str = "DESK"


@fact(
    "loyalty.redemption_confirmed", label=_("Reward handed over"), group="profile", icon="gift",
    sentence=_("Was handed a reward."),
)  # fmt: skip
@dataclass(frozen=True)
class RedemptionConfirmed:
    """The reward was handed over; its code is used."""

    account_id: UUID
    redemption_id: UUID
    reward_id: UUID


@fact(
    "loyalty.redemption_cancelled", label=_("Reward taken back"), group="profile", icon="arrow-back-up",
    sentence=_("A reward was taken back; %(points)s points came back."),
)  # fmt: skip
@dataclass(frozen=True)
class RedemptionCancelled:
    """A reward was taken back, or its code ran out. `points` came back; `why` is CANCELLED, UNDONE or EXPIRED."""

    account_id: UUID
    redemption_id: UUID
    reward_id: UUID
    points: int
    why: str = "CANCELLED"


@fact(
    "coupon.granted", label=_("Coupon given"), group="profile", icon="ticket",
    sentence=_("Was given a coupon."),
)  # fmt: skip
@dataclass(frozen=True)
class CouponGranted:
    """A patient has a coupon."""

    account_id: UUID
    code_id: UUID
    coupon_id: UUID
    because: str = "MANUAL"


@fact(
    "coupon.used", label=_("Coupon used"), group="profile", icon="ticket",
    sentence=_("Used a coupon."),
)  # fmt: skip
@dataclass(frozen=True)
class CouponUsed:
    """A coupon's code was used, here or at a partner."""

    code_id: UUID
    coupon_id: UUID
    partner_id: UUID | None = None
