"""Codes that run out; and rewards and coupons under the guard's eyes."""

from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.loyalty import guard
from careloop.loyalty.models import Coupon, Reward
from careloop.loyalty.models.offered import OfferState
from careloop.loyalty.reward import redemptions
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop

AT_ONCE = 100


@loop("loyalty-redemptions", every=timedelta(minutes=10))
def let_codes_run_out(organization_id: UUID, *, now: datetime) -> int:
    """Give points and stock of codes back that nobody used in time; each in a transaction of its own."""
    with in_organization(organization_id):
        waiting = redemptions.overdue(now=now, limit=AT_ONCE)
    done = 0
    for redemption_id in waiting:
        with in_organization(organization_id):
            done += redemptions.expire(redemption_id=redemption_id, now=now)
    return done


guard.register(
    guard.Guarded(
        Reward, _("Rewards"), items=lambda: Reward.objects.order_by("-state", "points", "id"), is_on=lambda one: one.state == OfferState.ON,
        screen="rewards:reward", title=lambda one: one.name,
    )
)  # fmt: skip
guard.register(
    guard.Guarded(
        Coupon, _("Coupons and partners' offers"), items=lambda: Coupon.objects.order_by("-state", "name", "id"),
        is_on=lambda one: one.state == OfferState.ON, screen="rewards:coupon", title=lambda one: one.name,
    )
)  # fmt: skip
