"""What the provider says: taken once, checked against what we asked for, refused aloud when it is not theirs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import structlog
from django.core.cache import cache
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.audit.services import Actor
from careloop.events import services as events
from careloop.followups import services as followups
from careloop.kernel import sql
from careloop.payments import rules, services
from careloop.payments.accounts import Door
from careloop.payments.events import PaymentFailed, PaymentPaid
from careloop.payments.models import Attempt, Payment, ProviderAccount
from careloop.payments.ports import Notice, NoticeRefused, Result
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization

log = structlog.get_logger(__name__)

# More refused callbacks an hour are only logged: whoever sends them must not fill the audit chain.
AUDITED_AN_HOUR = 60


class Taken(StrEnum):
    """What a notice changed."""

    PAID = "paid"
    FAILED = "failed"
    NOTED = "noted"  # stored, nothing to change
    REPEATED = "repeated"
    REFUSED = "refused"


def receive(door: Door, body: bytes, *, now: datetime) -> Taken:
    """Take what came in at a provider's door: prove it, then `take`. A body that is not the provider's changes nothing."""
    actor = Actor("provider", name=door.account.kind, via="hook")
    with in_organization(door.organization_id), audit.acting_as(actor):
        try:
            notice = door.provider.read_notice(body)
        except NoticeRefused as refusal:
            return refuse(door.account, why=refusal.why, now=now)
        return take(account=door.account, notice=notice, source="notice", now=now)


@transaction.atomic
def take(*, account: ProviderAccount, notice: Notice, source: str, now: datetime) -> Taken:
    """Store a proved notice and let it count, once however often it comes, also all at once."""
    known = Attempt.objects.filter(account=account, trade_no=notice.trade_no).values_list("payment_id", "pk").first()
    if known is None:
        return refuse(account, why="unknown_trade", now=now)
    # A hundred copies wait here, one behind the other; all but the first find it done.
    payment = services.locked(known[0])
    attempt = Attempt.objects.get(pk=known[1])
    if notice.result is not Result.WAITING and (notice.amount, notice.currency) != (payment.amount, payment.currency):
        return refuse(account, why="amount", now=now, payment=payment)
    if not _store(account, attempt, notice, source=source, now=now):
        return Taken.REPEATED
    match notice.result:
        case Result.PAID:
            return _paid(payment, attempt, notice, now=now)
        case Result.FAILED:
            return _failed(payment, attempt, notice, now=now)
        case Result.SIMULATED:
            audit.record("payment.simulated", patients=[payment.patient_id], target=("payment", payment.pk), now=now)
    return Taken.NOTED


def refuse(account: ProviderAccount, *, why: str, now: datetime, payment: Payment | None = None) -> Taken:
    """Note that somebody sent what the provider did not: in the audit chain, and never more than that."""
    log.warning("payment.notice_refused", account=str(account.pk), why=why)
    counted = f"payments:refused:{account.pk}:{now:%Y%m%d%H}"
    cache.add(counted, 0, 3600)
    if cache.incr(counted) <= AUDITED_AN_HOUR:
        audit.record(
            "payment.notice_refused", patients=[payment.patient_id] if payment else [], target=("payment_account", account.pk),
            details={"why": why} | ({"payment": str(payment.pk)} if payment else {}), now=now,
        )  # fmt: skip
    return Taken.REFUSED


def _store(account: ProviderAccount, attempt: Attempt, notice: Notice, *, source: str, now: datetime) -> bool:
    """Keep the notice; False when the same was kept before."""
    from orjson import dumps

    return bool(
        sql.execute(
            """insert into payments_notice (account_id, attempt_id, provider_trade_no, result, source, content, received_at)
               values (%s, %s, %s, %s, %s, %s::jsonb, %s) on conflict do nothing""",
            [
                account.pk, attempt.pk, notice.provider_trade_no[:40], notice.result.value, source,
                dumps(dict(notice.kept)).decode(), now,
            ],
        )
    )  # fmt: skip


def _paid(payment: Payment, attempt: Attempt, notice: Notice, *, now: datetime) -> Taken:
    is_extra = payment.state == Payment.State.PAID
    if attempt.state == Attempt.State.PAID:
        return Taken.NOTED
    attempt.state, attempt.is_extra, attempt.settled_at, attempt.said = Attempt.State.PAID, is_extra, now, ""
    attempt.provider_trade_no, attempt.details = notice.provider_trade_no[:40], dict(notice.details)
    attempt.save()
    if is_extra:
        _paid_twice(payment, attempt, now=now)
        return Taken.NOTED
    payment.state, payment.paid_at, payment.method, payment.reason = Payment.State.PAID, notice.occurred_at or now, notice.method[:40], ""  # fmt: skip
    payment.version += 1
    payment.save(update_fields=["state", "paid_at", "method", "reason", "version"])
    audit.record("payment.paid", patients=[payment.patient_id], target=("payment", payment.pk), now=now)
    events.publish(
        PaymentPaid(
            payment.pk, payment.amount, payment.amount - payment.copay, payment.currency, payment.method, payment.appointment_id
        ),
        patient_id=payment.patient_id, now=now, dedupe_key=f"payment:{payment.pk}:paid", source="portal",
    )  # fmt: skip
    return Taken.PAID


def _failed(payment: Payment, attempt: Attempt, notice: Notice, *, now: datetime) -> Taken:
    if attempt.state != Attempt.State.OPEN:
        return Taken.NOTED
    attempt.state, attempt.settled_at, attempt.said = Attempt.State.FAILED, now, notice.said[:200]
    attempt.provider_trade_no = notice.provider_trade_no[:40]
    attempt.save()
    is_last = not payment.attempts.filter(state=Attempt.State.OPEN).exists()
    if not is_last or "FAILED" not in rules.MAY_BECOME[payment.state]:
        return Taken.NOTED
    payment.state, payment.reason = Payment.State.FAILED, notice.said[:200]
    payment.version += 1
    payment.save(update_fields=["state", "reason", "version"])
    audit.record("payment.failed", patients=[payment.patient_id], target=("payment", payment.pk), now=now)
    events.publish(
        PaymentFailed(payment.pk, payment.amount, payment.currency),
        patient_id=payment.patient_id, now=now, dedupe_key=f"payment:{attempt.pk}:failed", source="portal",
    )  # fmt: skip
    return Taken.FAILED


def _paid_twice(payment: Payment, attempt: Attempt, *, now: datetime) -> None:
    """Somebody paid in two windows: the second sum is given back in the provider's own pages, and staff must know."""
    audit.record("payment.paid_twice", patients=[payment.patient_id], target=("payment", payment.pk), now=now)
    with translation.override(Organization.objects.get().language):
        followups.create(
            patient_id=payment.patient_id, title=_("Paid twice: give the second payment back"), kind="OTHER", priority=1,
            script=_("The provider's number of the second payment is %(number)s. Give it back in the provider's own pages.")
            % {"number": attempt.provider_trade_no},
            due_at=now, now=now, by=None, origin="payment", origin_id=str(attempt.pk),
        )  # fmt: skip


def look(*, attempt_id: UUID, organization_id: UUID, now: datetime) -> Taken:
    """Ask the provider about one trade, outside any transaction, and let its answer count.

    Raises:
        ProviderError: no usable answer.
    """
    from careloop.payments.accounts import open_provider
    from careloop.payments.ports import Trade

    with in_organization(organization_id):
        attempt = Attempt.objects.select_related("account", "payment").get(pk=attempt_id)
        account, payment = attempt.account, attempt.payment
        provider = open_provider(account)
    notice = provider.query(
        Trade(attempt.trade_no, attempt.provider_trade_no, payment.amount, payment.currency, attempt.details)
    )
    with in_organization(organization_id):
        if notice.trade_no != attempt.trade_no:
            return refuse(account, why="another_trade", now=now)
        return take(account=account, notice=notice, source="query", now=now)
