"""The round that lets points expire, once their last day has passed on the organization's own clock."""

from datetime import datetime, timedelta
from uuid import UUID

from careloop.loyalty.points import ledger
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop


@loop("loyalty-expiry", every=timedelta(minutes=10))
def expire_points(organization_id: UUID, *, now: datetime) -> int:
    """Set-wise, some thousand lots at once; accounts that somebody posts to right now are left to the next round."""
    with in_organization(organization_id):
        return ledger.expire(now=now)
