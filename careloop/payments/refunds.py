"""Giving money back: reserved first, then asked of the provider once, then noted. Nothing here asks twice.

The provider has no key that makes a repeated refund harmless. So a refund is noted as sent and committed before the call; if
the process dies or the answer is lost, it stays "with the provider" until somebody looked there and says what became of it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.followups import services as followups
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.money import format_money
from careloop.kernel.text import clean
from careloop.patients import sealing
from careloop.payments import errors, rules, services
from careloop.payments.accounts import open_provider
from careloop.payments.events import PaymentRefunded
from careloop.payments.models import Attempt, Payment, Refund, RefundStep
from careloop.payments.ports import ProviderError, Trade
from careloop.tenancy.context import current_organization_id, in_organization
from careloop.tenancy.jobs import defer
from careloop.tenancy.models import Organization

TABLE, COLUMN = "payments_refund", "note_sealed"
SILENT_AFTER = timedelta(minutes=15)


@transaction.atomic
def ask(
    *, payment_id: UUID, amount: int, reason: str, note: str, key: str, now: datetime, by: UUID | None, by_hand: bool = False,
) -> Refund:  # fmt: skip
    """Give back some or all of what was paid; the same `key` gives back once.

    Args:
        amount: minor units.
        reason: a code of `Refund.Reason`; the co-pay goes back only where the charge itself was wrong.
        by_hand: it was given back at the desk; otherwise the provider is asked by a job.

    Raises:
        NotPaid, NoteMissing, RefundTooLarge, CopayReduced. Nothing is written.
    """
    if earlier := Refund.objects.filter(key=key).first():
        return earlier
    payment = services.locked(payment_id)
    if earlier := Refund.objects.filter(key=key).first():
        return earlier
    if payment.state != Payment.State.PAID:
        raise errors.NotPaid
    note = clean(note)[:300]
    if not note:
        raise errors.NoteMissing
    check_amount(payment, amount, Refund.Reason(reason).value)
    refund_id = uuid7()
    sealed = sealing.seal(
        sealing.create_keys([payment.patient_id])[payment.patient_id],
        note,
        table=TABLE,
        column=COLUMN,
        row_id=refund_id,
    )
    refund = Refund.objects.create(
        id=refund_id, payment=payment, amount=amount, reason=reason, note_sealed=sealed, by_hand=by_hand, key=key[:80],
        asked_at=now, asked_by_id=by,
    )  # fmt: skip
    audit.record(
        "payment.refund_asked", patients=[payment.patient_id], target=("payment", payment.pk), reason=note,
        details={"amount": amount, "because": reason, "by_hand": by_hand}, now=now,
    )  # fmt: skip
    if by_hand:
        _end(refund, payment, RefundStep.Step.DONE, now=now, by=by)
    else:
        from careloop.payments.tasks import send_refund

        defer(send_refund, current_organization_id(), refund_id=str(refund.pk))
    return refund


def check_amount(payment: Payment, amount: int, reason: str) -> None:
    """Refuse more than is left, and the co-pay where it stays.

    Raises:
        RefundTooLarge, CopayReduced.
    """
    given = {"refunded": payment.refunded, "refunded_at_will": payment.refunded_at_will}
    left = rules.left_to_refund(amount=payment.amount, copay=payment.copay, reason=reason, **given)
    if 0 < amount <= left:
        return
    most = rules.left_to_refund(amount=payment.amount, copay=payment.copay, reason="WRONG", **given)
    if 0 < amount <= most:
        raise errors.CopayReduced
    raise errors.RefundTooLarge(left=format_money(left, payment.currency))


def send(*, organization_id: UUID, refund_id: UUID, now: datetime) -> str:
    """Ask the provider, once ever (the job's work); return what became of it: DONE, FAILED, SENT (unclear) or nothing."""
    with in_organization(organization_id):
        refund = Refund.objects.select_related("payment").get(pk=refund_id)
        payment = services.locked(refund.payment_id)
        attempt = Attempt.objects.select_related("account").get(payment=payment, state="PAID", is_extra=False)
        is_mine = sql.execute(
            "insert into payments_refund_step (refund_id, step, at) values (%s, 'SENT', %s) on conflict do nothing",
            [refund_id, now],
        )
        if not is_mine or refund.steps.exclude(step="SENT").exists():
            return ""
        provider = open_provider(attempt.account)
        before = sql.value(
            """select coalesce(sum(r.amount), 0) from payments_refund r join payments_refund_step s on s.refund_id = r.id
                where r.payment_id = %s and s.step = 'DONE' and not r.by_hand""",
            [payment.pk],
        )
        trade = Trade(
            attempt.trade_no, attempt.provider_trade_no, payment.amount, payment.currency, attempt.details, int(before)
        )
    try:
        done = provider.refund(trade, refund.amount, now=now)
    except ProviderError as error:
        with in_organization(organization_id):
            payment = services.locked(payment.pk)
            if error.unclear:
                _unclear(refund, payment, error.message, now=now)
                return "SENT"
            _end(refund, payment, RefundStep.Step.FAILED, now=now, by=None, said=error.message)
            return "FAILED"
    with in_organization(organization_id):
        payment = services.locked(payment.pk)
        _end(refund, payment, RefundStep.Step.DONE, now=now, by=None, said=done.said, reference=done.reference)
    return "DONE"


@transaction.atomic
def settle(*, refund_id: UUID, went_through: bool, now: datetime, by: UUID) -> None:
    """Say what became of a refund whose answer was lost, after looking in the provider's own pages.

    Raises:
        NotUnclear: it is known already, or was never sent.
    """
    refund = Refund.objects.filter(pk=refund_id).first()
    if refund is None:
        raise errors.UnknownPayment
    payment = services.locked(refund.payment_id)
    if set(refund.steps.values_list("step", flat=True)) != {"SENT"}:
        raise errors.NotUnclear
    step = RefundStep.Step.DONE if went_through else RefundStep.Step.FAILED
    _end(refund, payment, step, now=now, by=by)


@transaction.atomic
def note_silent(*, now: datetime) -> int:
    """Tell staff about refunds that were sent and never ended, because whoever sent them died; return how many."""
    silent = sql.rows(
        """select s.refund_id from payments_refund_step s
            where s.step = 'SENT' and s.at < %s
              and not exists (select 1 from payments_refund_step e where e.refund_id = s.refund_id and e.step <> 'SENT')
              and not exists (select 1 from followups_follow_up f
                               where f.origin = 'payment' and f.origin_id = 'refund:' || s.refund_id::text)
            order by s.id limit 50""",
        [now - SILENT_AFTER],
    )
    for one in silent:
        refund = Refund.objects.select_related("payment").get(pk=one["refund_id"])
        _unclear(refund, refund.payment, "", now=now)
    return len(silent)


def notes_of(patient_id: UUID) -> dict[UUID, str]:
    """Return refund → why it was given back, of one patient; nothing when the patient's key was destroyed."""
    key = sealing.load_keys([patient_id]).get(patient_id)
    if key is None:
        return {}
    found = Refund.objects.filter(payment__patient_id=patient_id, note_sealed__isnull=False).values_list(
        "pk", "note_sealed"
    )
    return {pk: sealing.unseal(key, bytes(note), table=TABLE, column=COLUMN, row_id=pk) for pk, note in found if note}


def _end(
    refund: Refund, payment: Payment, step: str, *, now: datetime, by: UUID | None, said: str = "", reference: str = ""
) -> None:
    try:
        with transaction.atomic():
            RefundStep.objects.create(
                refund=refund, step=step, said=said[:200], reference=reference[:40], at=now, by_id=by
            )
    except IntegrityError:
        return  # somebody said so a moment before
    target = ("payment", payment.pk)
    if step == RefundStep.Step.FAILED:
        audit.record("payment.refund_failed", patients=[payment.patient_id], target=target, now=now)
        return
    before = int(
        sql.value(
            """select coalesce(sum(r.amount), 0) from payments_refund r join payments_refund_step s on s.refund_id = r.id
                where r.payment_id = %s and s.step = 'DONE' and r.id <> %s""",
            [payment.pk, refund.pk],
        )
    )
    self_pay = rules.self_pay_in_refund(
        amount=payment.amount, copay=payment.copay, refunded_before=before, now_refunded=refund.amount
    )
    audit.record(
        "payment.refunded", patients=[payment.patient_id], target=target, details={"amount": refund.amount}, now=now
    )
    events.publish(
        PaymentRefunded(payment.pk, refund.pk, refund.amount, self_pay, payment.currency, refund.reason),
        patient_id=payment.patient_id, now=now, dedupe_key=f"refund:{refund.pk}:done", source="staff" if by else "",
    )  # fmt: skip


def _unclear(refund: Refund, payment: Payment, said: str, *, now: datetime) -> None:
    audit.record(
        "payment.refund_unclear",
        patients=[payment.patient_id],
        target=("payment", payment.pk),
        details={"said": said},
        now=now,
    )
    with translation.override(Organization.objects.get().language):
        followups.create(
            patient_id=payment.patient_id, title=_("See whether a refund went through"), kind="OTHER", priority=1,
            script=_("The payment provider's answer was lost. Look in its own pages, then say on the payment's page what became of it."),
            due_at=now, now=now, by=None, origin="payment", origin_id=f"refund:{refund.pk}",
        )  # fmt: skip
