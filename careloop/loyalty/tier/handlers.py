"""What moves tiers: what happens to members, and the calendar."""

from datetime import datetime
from uuid import UUID

from careloop.events.registry import Published, reader, reading_now
from careloop.facts.handlers import catch_up
from careloop.kernel import sql
from careloop.loyalty.tier import benefits, standing
from careloop.tenancy.loops import daily

# what counts for a tier, and what takes back something that counted
COUNTS = (
    "encounter.recorded", "invoice.recorded", "record.entered_in_error", "payment.paid", "payment.refunded",
    "appointment.arrived", "appointment.fulfilled", "appointment.noshow", "appointment.entered_in_error", "message.received",
    "loyalty.joined", "loyalty.points_earned", "loyalty.points_reversed", "loyalty.referral_completed", "loyalty.referral_undone",
    "patient.merged", "patient.unmerged", "import.undone",
)  # fmt: skip
BOOKED = ("appointment.booked", "appointment.moved")


@reader("tiers", kinds=(*COUNTS, *BOOKED), batch_size=2000)
def follow(batch: list[Published]) -> None:
    """Work out again the tiers of everybody these events are about: up at once. And count bookings that only a tier allowed.

    What an import fills in afterwards counts, and congratulates nobody.
    """
    now = reading_now()
    catch_up(batch)
    counting = [event for event in batch if event.kind in COUNTS and event.patient_id is not None]
    fresh = {event.patient_id for event in counting if not event.historical and event.patient_id}
    filled_in = {event.patient_id for event in counting if event.patient_id} - fresh
    for programme_id in programmes_with_tiers():
        standing.evaluate(programme_id, patient_ids=fresh, now=now)
        standing.evaluate(programme_id, patient_ids=filled_in, now=now, announce=False)
    booked = [
        (UUID(event.payload["appointment_id"]), event.recorded_at) for event in batch if event.kind in BOOKED and not event.historical
    ]  # fmt: skip
    benefits.note_early_bookings(booked, now=now)


@daily("tiers-review", hour=3)
def review(*, now: datetime) -> None:
    """Review those whose day has come, and end what was given by hand until yesterday."""
    for programme_id in programmes_with_tiers():
        standing.evaluate(programme_id, due_only=True, now=now)


def programmes_with_tiers() -> list[UUID]:
    """Return the open programmes that have a tier."""
    return [
        row["id"] for row in sql.rows(
            """select p.id from loyalty_programme p where p.state = 'OPEN'
                  and exists (select 1 from loyalty_tier t where t.programme_id = p.id) order by p.id"""
        )
    ]  # fmt: skip
