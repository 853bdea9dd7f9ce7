"""Who may have which reward, as sentences: the desk, the portal and the taking itself ask the same."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from careloop.kernel.errors import DomainError
from careloop.loyalty.models import Reward
from careloop.loyalty.reward import errors as errors
from careloop.policy.answers import Verdict
from careloop.policy.errors import OfferStopped

# a desk that had no network may send in what it noted until the end of the next day; only then points go back
GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """What counts of one member for one reward: the points there are, the tier, and how often it was taken."""

    balance: int
    tier_id: UUID | None = None
    taken: int = 0


def objection(
    reward: Reward, standing: Standing, *, day: date, location_id: UUID | None = None, verdict: Verdict | None = None
) -> DomainError | None:
    """Return why this member cannot have this reward now, or None. What the member can change comes last.

    Args:
        day: the clinic's calendar day.
        location_id: the desk's branch; None where the member has not said yet which one (in the portal).
        verdict: what the guard says about it today; None where that was asked already.
    """
    if not reward.is_on(day):
        return errors.NotOffered()
    if verdict is not None and not verdict.may_be_sent:
        return OfferStopped(verdict)
    if location_id and reward.locations and location_id not in reward.locations:
        return errors.OtherBranch()
    if reward.tiers and standing.tier_id not in reward.tiers:
        return errors.OtherTier()
    if reward.per_member is not None and standing.taken >= reward.per_member:
        return errors.LimitReached(most=reward.per_member)
    if reward.stock is not None and reward.stock <= 0:
        return errors.SoldOut()
    if standing.balance < reward.points:
        return errors.PointsMissing(missing=reward.points - standing.balance)
    return None


def last_day(today: date, days: int) -> date:
    """Return until when something is good that is good for so many days, today included.

    >>> last_day(date(2026, 3, 16), 14)
    datetime.date(2026, 3, 29)
    """
    return today + timedelta(days=days - 1)


def may_be_undone(used_at: datetime, *, hours: int, now: datetime) -> bool:
    """Whether what was used at `used_at` can still be taken back; the very last moment counts."""
    return now - used_at <= timedelta(hours=hours)
