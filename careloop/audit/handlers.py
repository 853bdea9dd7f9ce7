"""The chain's daily anchor."""

from datetime import datetime

from careloop.audit import verify
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.loops import daily


@daily("audit.head", hour=0)
def keep_head(*, now: datetime) -> None:
    """Write the head of the chain outside the database, where whoever can change the database cannot change it."""
    verify.keep_head_outside(current_organization_id(), today=now.date())
