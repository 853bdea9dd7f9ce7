"""What happens to referrals and greetings. Payloads hold ids and codes, never names."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "loyalty.referral_made", label=_("Told a friend"), group="profile", icon="affiliate",
    sentence=_("A friend registered with this member’s code."),
)  # fmt: skip
@dataclass(frozen=True)
class ReferralMade:
    """Somebody new said who told them of the clinic. On the member's timeline; who the friend is stays in the referral."""

    referral_id: UUID
    how: str
    held: bool = False


@fact(
    "loyalty.referral_completed", label=_("A friend came"), group="profile", icon="affiliate",
    sentence=_("A friend who came with this member’s code had their first visit."),
)  # fmt: skip
@dataclass(frozen=True)
class ReferralCompleted:
    """The friend of a member had their first visit. There is one for each friend, unless it was undone in between."""

    referral_id: UUID
    times_undone: int = 0


@fact(
    "loyalty.referral_undone", label=_("A friend had not come"), group="profile", icon="affiliate",
    sentence=_("The first visit of a friend who came with this member’s code was entered in error: it does not count any more."),
)  # fmt: skip
@dataclass(frozen=True)
class ReferralUndone:
    """The visit that completed a referral never was. It happened when the visit was said to be, so that sums cancel out."""

    referral_id: UUID


@fact(
    "loyalty.greeted", label=_("Greeted"), group="messages", icon="cake",
    sentence=_("A greeting was planned: %(occasion)s %(year)s."),
)  # fmt: skip
@dataclass(frozen=True)
class PatientGreeted:
    """A greeting is on its way. `given`: POINTS, COUPON or empty."""

    plan_id: UUID
    occasion: str
    year: int
    given: str = ""
