"""What happens by the clock: sessions for the days ahead, holds and offers that run out, who did not come; and freed places."""

from datetime import datetime, timedelta
from uuid import UUID

from careloop.events.registry import Published, reader, reading_now
from careloop.kernel import sql
from careloop.scheduling import places, planning, sessions, waitlist, wishes
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import daily, loop


@daily("scheduling-plan", hour=2)
def plan_ahead(*, now: datetime) -> None:
    """Make the sessions of one more day."""
    planning.plan(now=now)
    waitlist.close_old(now=now)


@loop("scheduling-clock", every=timedelta(seconds=15))
def by_the_clock(organization_id: UUID, *, now: datetime) -> int:
    """Free places held too long, and note who did not come to sessions that ended."""
    with in_organization(organization_id):
        if not sql.value("select 1 from scheduling_session limit 1"):
            return 0
        return waitlist.expire(now=now) + places.release_holds(now=now) + sessions.note_missed(now=now)


@reader("waitlist", kinds=("place.freed", "session.opened"), batch_size=200)
def offer_freed_places(batch: list[Published]) -> None:
    """Offer places that came free to those who wait for them."""
    now = reading_now()
    for session_id in sorted({UUID(str(event.payload["session_id"])) for event in batch}):
        waitlist.offer_in(session_id, now=now)


@reader("waitlist.wishes", kinds=("appointment.booked", "appointment.moved", "appointment.cancelled"), batch_size=1000)
def follow_appointments(batch: list[Published]) -> None:
    """Nobody waits for what they have found some other way, nor for an earlier place of a visit they called off."""
    now = reading_now()
    if not sql.value("select 1 from scheduling_waitlist_entry where state in ('WAITING', 'OFFERED') limit 1"):
        return
    found = [one for one in batch if not one.historical]
    gone = {UUID(str(one.payload["appointment_id"])) for one in found if one.kind == "appointment.cancelled"}
    here = {UUID(str(one.payload["appointment_id"])) for one in found if one.kind != "appointment.cancelled"}
    wishes.close_met(appointment_ids=sorted(here), now=now)
    wishes.close_given_up(appointment_ids=sorted(gone), now=now)
