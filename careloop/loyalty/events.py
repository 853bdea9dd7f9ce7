"""What happens to members. Payloads hold ids, codes and points, never names."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.events.registry import fact
from careloop.loyalty.reward import events as rewards
from careloop.loyalty.thanks import events as thanks

# facts of these parts stand with them
PARTS = (rewards, thanks)


@fact(
    "loyalty.joined", label=_("Joined as a member"), group="profile", icon="id-badge-2",
    sentence=_("Joined the membership programme."),
)  # fmt: skip
@dataclass(frozen=True)
class MemberJoined:
    """A patient became a member."""

    account_id: UUID
    programme_id: UUID
    how: str = "DESK"


@fact(
    "loyalty.left", label=_("Left the membership"), group="profile", icon="user-off",
    sentence=_("Left the membership programme."),
)  # fmt: skip
@dataclass(frozen=True)
class MemberLeft:
    """A patient is no longer a member."""

    account_id: UUID
    programme_id: UUID


@fact(
    "loyalty.tier_raised", label=_("Rose to a tier"), group="profile", icon="arrow-up-right",
    sentence=_("Is a member of the tier “%(tier)s” now."),
)  # fmt: skip
@dataclass(frozen=True)
class TierRaised:
    """A member has a higher tier. `why` is a code of `TierChange.Why`."""

    account_id: UUID
    programme_id: UUID
    tier_id: UUID | None
    from_tier_id: UUID | None
    tier: str
    why: str


@fact(
    "loyalty.tier_lowered", label=_("Fell to a lower tier"), group="profile", icon="arrow-down-right",
    sentence=_("Has a lower tier or none now: %(tier)s."),
)  # fmt: skip
@dataclass(frozen=True)
class TierLowered:
    """A member has a lower tier, or none (`tier_id` and `tier` empty)."""

    account_id: UUID
    programme_id: UUID
    tier_id: UUID | None
    from_tier_id: UUID | None
    tier: str
    why: str


@fact(
    "loyalty.points_earned", label=_("Points earned"), group="money", icon="coins",
    sentence=_("Earned %(points)s points."),
)  # fmt: skip
@dataclass(frozen=True)
class PointsEarned:
    """Points came in by a rule or a gift. Written by the database function that posts (migration 0003)."""

    entry_id: int
    account_id: UUID
    points: int
    because: str
    ref: str = ""


@fact(
    "loyalty.points_spent", label=pgettext_lazy("points", "Points spent"), group="money", icon="coins",
    sentence=_("Spent %(points)s points."),
)  # fmt: skip
@dataclass(frozen=True)
class PointsSpent:
    """Points went for something."""

    entry_id: int
    account_id: UUID
    points: int
    because: str
    ref: str = ""


@fact(
    "loyalty.points_expired", label=_("Points expired"), group="money", icon="hourglass",
    sentence=_("%(points)s points expired."),
)  # fmt: skip
@dataclass(frozen=True)
class PointsExpired:
    """Points reached their last day unspent."""

    entry_id: int
    account_id: UUID
    points: int


@fact(
    "loyalty.points_reversed", label=_("Points reversed"), group="money", icon="arrow-back-up",
    sentence=_("An earlier entry was reversed: %(points)s points."),
)  # fmt: skip
@dataclass(frozen=True)
class PointsReversed:
    """An earning was taken back (below zero) or a spending given back (above)."""

    entry_id: int
    account_id: UUID
    points: int
    because: str
    of_entry_id: int
    ref: str = ""


@fact(
    "loyalty.points_adjusted", label=_("Points changed by hand"), group="money", icon="adjustments-horizontal",
    sentence=_("Changed by hand: %(points)s points."),
)  # fmt: skip
@dataclass(frozen=True)
class PointsAdjusted:
    """Somebody gave or took points by hand."""

    entry_id: int
    account_id: UUID
    points: int
    because: str
    ref: str = ""


@fact(
    "loyalty.points_handed_over", label=_("Points handed over"), group="money", icon="arrows-left-right",
    sentence=_("Handed over in the family: %(points)s points."),
)  # fmt: skip
@dataclass(frozen=True)
class PointsHandedOver:
    """Points went from this member (below zero) or came to this member (above) within a family."""

    entry_id: int
    account_id: UUID
    points: int


@fact(
    "loyalty.sharing_began", label=_("Shares points with the family"), group="profile", icon="users-group",
    sentence=_("Began to share points with the family."),
)  # fmt: skip
@dataclass(frozen=True)
class SharingBegan:
    """A member's points went into the family's account, by consent."""

    account_id: UUID
    pool_id: UUID


@fact(
    "loyalty.sharing_ended", label=_("No longer shares points"), group="profile", icon="users-group",
    sentence=_("No longer shares points with the family."),
)  # fmt: skip
@dataclass(frozen=True)
class SharingEnded:
    """A member left the family's account and took along what was left of the points he or she had brought."""

    account_id: UUID
    pool_id: UUID


@fact(
    "loyalty.draw_won", label=_("Won in a lucky draw"), group="profile", icon="ticket",
    sentence=_("Won in a lucky draw (ticket %(ticket)s)."),
)  # fmt: skip
@dataclass(frozen=True)
class DrawWon:
    """A member's ticket won a prize."""

    account_id: UUID
    draw_id: UUID
    prize_id: UUID
    ticket: str
