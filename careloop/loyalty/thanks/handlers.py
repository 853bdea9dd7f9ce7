"""What moves referrals and greetings: visits that took place, and the calendar."""

from datetime import datetime

from careloop.events.registry import Published, reader, reading_now
from careloop.loyalty.thanks import greetings, referrals
from careloop.tenancy.loops import daily


@reader("loyalty-referrals", kinds=("appointment.fulfilled", "encounter.recorded"), batch_size=2000)
def note_first_visits(batch: list[Published]) -> None:
    """Complete the referrals of friends who were here."""
    if visits := referrals.first_visits(batch):
        referrals.note_visits(visits, now=reading_now())


@daily("loyalty-greetings", hour=7)
def greet(*, now: datetime) -> None:
    """Plan the greetings of the day, and close referrals of friends who never came."""
    greetings.plan_day(now=now)
    referrals.expire(now=now)
