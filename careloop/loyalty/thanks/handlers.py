"""What moves referrals and greetings: visits that took place, and the calendar."""

from datetime import datetime

from careloop.events.registry import Published, reader, reading_now
from careloop.loyalty.thanks import greetings, referrals
from careloop.tenancy.loops import daily

VISITS = ("appointment.fulfilled", "encounter.recorded")
GONE = ("record.entered_in_error", "appointment.entered_in_error")


@reader("loyalty-referrals", kinds=(*VISITS, *GONE), batch_size=2000)
def note_first_visits(batch: list[Published]) -> None:
    """Complete the referrals of friends who were here, and undo those whose visit never was."""
    gone = {_visit(one): one.patient_id for one in batch if one.kind in GONE}
    if visits := referrals.first_visits([one for one in batch if one.kind in VISITS and _visit(one) not in gone]):
        referrals.note_visits(visits, now=reading_now())
    referrals.visits_gone([one for one in set(gone.values()) if one is not None], now=reading_now())


def _visit(one: Published) -> str:
    return str(one.payload.get("record_id") or one.payload.get("appointment_id"))


@daily("loyalty-greetings", hour=7)
def greet(*, now: datetime) -> None:
    """Plan the greetings of the day, and close referrals of friends who never came."""
    greetings.plan_day(now=now)
    referrals.expire(now=now)
