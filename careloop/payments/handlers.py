"""Visits that are called off; and the round that asks about payments nobody told us about, and lets old ones go."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from careloop.events.registry import Published, reader, reading_now
from careloop.kernel import sql
from careloop.payments import notices, refunds, services
from careloop.payments.models import Payment
from careloop.payments.ports import ProviderError
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop

log = structlog.get_logger(__name__)

AT_ONCE = 20
# asked after 15 minutes, then ever more seldom, at least every six hours; after three days it is given up
SELDOM = timedelta(hours=6)
GIVE_UP = timedelta(days=3)


@reader("payments", kinds=("appointment.cancelled", "appointment.entered_in_error"))
def follow_appointments(batch: list[Published]) -> None:
    """What is unpaid about a visit that was called off is asked for no longer; about what was paid staff decide."""
    now = reading_now()
    called_off = [event.payload["appointment_id"] for event in batch if not event.historical]
    found = Payment.objects.filter(appointment_id__in=called_off).order_by("pk")
    for payment in found:
        services.follow_call_off(payment_id=payment.pk, now=now)


@loop("payments-reconcile", every=timedelta(minutes=1))
def reconcile(organization_id: UUID, *, now: datetime) -> int:
    """Ask the provider about payments that were begun and not heard of again; then let old ones expire, and tell staff of refunds whose sender died."""
    with in_organization(organization_id):
        waiting = claim(now=now)
    for attempt_id in waiting:
        try:
            notices.look(attempt_id=attempt_id, organization_id=organization_id, now=now)
        except ProviderError as error:
            log.warning("payment.not_asked", attempt=str(attempt_id), why=error.message)
    with in_organization(organization_id):
        lapsed = sql.execute(
            """update payments_attempt set state = 'LAPSED', settled_at = %s
                where state = 'OPEN' and started_at < %s and ask_at > %s""",
            [now, now - GIVE_UP, now],
        )
        return len(waiting) + lapsed + services.expire_old(now=now) + refunds.note_silent(now=now)


def claim(*, now: datetime) -> list[UUID]:
    """Return the trades to ask about now; each is put off at once, so that two workers never ask about the same."""
    return [
        row["id"] for row in sql.rows(
            """update payments_attempt a
                  set ask_at = %(now)s + least(%(seldom)s, greatest(interval '15 minutes', %(now)s - a.started_at))
                where a.id in (select id from payments_attempt where state = 'OPEN' and ask_at <= %(now)s
                                order by ask_at limit %(most)s for update skip locked)
            returning a.id""",
            {"now": now, "seldom": SELDOM, "most": AT_ONCE},
        )
    ]  # fmt: skip
