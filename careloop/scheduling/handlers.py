"""What happens by the clock: sessions for the days ahead, holds that run out, and who did not come."""

from datetime import datetime, timedelta
from uuid import UUID

from careloop.kernel import sql
from careloop.scheduling import places, planning, sessions
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import daily, loop


@daily("scheduling-plan", hour=2)
def plan_ahead(*, now: datetime) -> None:
    """Make the sessions of one more day."""
    planning.plan(now=now)


@loop("scheduling-clock", every=timedelta(seconds=15))
def by_the_clock(organization_id: UUID, *, now: datetime) -> int:
    """Free places held too long, and note who did not come to sessions that ended."""
    with in_organization(organization_id):
        if not sql.value("select 1 from scheduling_session limit 1"):
            return 0
        return places.release_holds(now=now) + sessions.note_missed(now=now)
