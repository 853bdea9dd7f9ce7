"""Asking for a payment, beginning it, withdrawing it, letting it expire. What the provider says is in `notices.py`."""

import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.followups import services as followups
from careloop.kernel import sql
from careloop.kernel.ids import token_hash, uuid7
from careloop.kernel.money import format_money
from careloop.kernel.text import clean
from careloop.messaging import services as messaging
from careloop.messaging import texts
from careloop.messaging.errors import CannotReach
from careloop.messaging.models import Message
from careloop.messaging.reasons import reason_label
from careloop.payments import accounts, errors, links, rules
from careloop.payments.events import PaymentRequested
from careloop.payments.models import Attempt, Item, Payment
from careloop.payments.ports import Asked, Handover, kind_of
from careloop.payments.rules import NewItem
from careloop.scheduling.models import Appointment, Service
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

VALID_FOR = timedelta(days=14)
ASK_AFTER = timedelta(minutes=15)
# so long after the payer went to the provider, a payment does not expire under their hands
IN_HAND = timedelta(hours=1)
LETTERS = string.ascii_uppercase + string.digits
LONGEST_NAME = 80
LINK_TEMPLATE = "payment-link"


@transaction.atomic
def request(
    *, patient_id: UUID, items: Sequence[NewItem], now: datetime, by: UUID | None, title: str = "",
    appointment_id: UUID | None = None, key: str = "", expires_at: datetime | None = None,
) -> Payment:  # fmt: skip
    """Ask a patient to pay; the same `key` asks once and gets the first one back.

    Args:
        items: the lines, in minor units of the clinic's currency. Who pays for a service is looked up, not believed.
        title: what it is for, in a few words; by default the first line's name.
        expires_at: until when it can be paid (default: two weeks).

    Raises:
        NothingToPay, BadItem, CopayReduced, NhiServiceCharged, DepositOnNhi: see `rules.check_items`.
        NotThisPatient: the appointment is somebody else's.
    """
    if key and (earlier := Payment.objects.filter(key=key).first()):
        return earlier
    appointment = _appointment_of(appointment_id, patient_id)
    items = _known(items)
    is_nhi = appointment is not None and appointment.service.payer == Service.Payer.NHI
    rules.check_items(items, is_nhi_visit=is_nhi)
    organization, payment_id = Organization.objects.get(), uuid7()
    payment = Payment(
        id=payment_id, patient_id=patient_id, appointment=appointment, title=(clean(title) or items[0].name)[:LONGEST_NAME],
        amount=sum(one.amount for one in items), copay=rules.copay_of(items), currency=organization.currency, key=key[:80],
        token_hash=token_hash(links.token_of(organization.pk, payment_id)), requested_at=now, requested_by_id=by,
        expires_at=expires_at or now + VALID_FOR,
    )  # fmt: skip
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError:
        # a double click: the first one was a moment faster
        if key and (earlier := Payment.objects.filter(key=key).first()):
            return earlier
        raise
    Item.objects.bulk_create(
        Item(payment=payment, position=number, kind=one.kind, name=one.name, service_id=one.service_id, full_amount=one.full,
             amount=one.amount)
        for number, one in enumerate(items, start=1)
    )  # fmt: skip
    audit.record(
        "payment.requested", patients=[patient_id], target=("payment", payment.pk),
        details={"amount": payment.amount, "currency": payment.currency}, now=now,
    )  # fmt: skip
    events.publish(
        PaymentRequested(payment.pk, payment.amount, payment.amount - payment.copay, payment.currency, appointment_id),
        patient_id=patient_id, now=now, source="staff" if by else "",
    )  # fmt: skip
    return payment


def _appointment_of(appointment_id: UUID | None, patient_id: UUID) -> Appointment | None:
    if appointment_id is None:
        return None
    found = Appointment.objects.select_related("service").filter(pk=appointment_id, patient_id=patient_id).first()
    if found is None:
        raise errors.NotThisPatient
    return found


def _known(items: Sequence[NewItem]) -> list[NewItem]:
    """The lines with clean names and with who really pays for their services."""
    payers = dict(
        Service.objects.filter(pk__in={one.service_id for one in items if one.service_id}).values_list("pk", "payer")
    )
    return [
        NewItem(
            one.kind, clean(one.name)[:LONGEST_NAME], one.amount, one.full_amount, one.service_id,
            payers.get(one.service_id, "") if one.service_id else "",
        )
        for one in items
    ]  # fmt: skip


def locked(payment_id: UUID) -> Payment:
    """Return a payment that nobody else changes until this transaction ends.

    Raises:
        UnknownPayment.
    """
    found = Payment.objects.select_for_update().filter(pk=payment_id).first()
    if found is None:
        raise errors.UnknownPayment
    return found


@transaction.atomic
def start(*, payment_id: UUID, language: str, now: datetime) -> Handover:
    """Begin one try to pay and return the form that takes the payer to the provider.

    Nothing about the treatment goes to the provider: it is told the clinic's name and the amount.

    Raises:
        NotPayable: paid, withdrawn or expired. TooManyTries. NoProvider. CurrencyNotTaken.
    """
    payment = locked(payment_id)
    if payment.state not in rules.PAYABLE or payment.expires_at <= now:
        raise errors.NotPayable
    if payment.attempts.count() >= rules.MOST_TRIES:
        raise errors.TooManyTries
    account = accounts.default_account()
    taken = kind_of(account.kind).currencies
    if taken and payment.currency not in taken:
        raise errors.CurrencyNotTaken(currency=payment.currency)
    organization = Organization.objects.get()
    attempt = Attempt.objects.create(
        payment=payment, account=account, trade_no=new_trade_no(), started_at=now, ask_at=now + ASK_AFTER
    )
    handover = accounts.open_provider(account).start(
        Asked(
            trade_no=attempt.trade_no, amount=payment.amount, currency=payment.currency, title=organization.name,
            line=_("Fees of %(clinic)s") % {"clinic": organization.name}, language=language,
            notify_url=links.notify_url(account.pk), back_url=links.url_of(current_organization_id(), payment.pk), at=now,
        )
    )  # fmt: skip
    payment.state, payment.started_at, payment.reason = Payment.State.STARTED, now, ""
    payment.version += 1
    payment.save(update_fields=["state", "started_at", "reason", "version"])
    audit.record(
        "payment.started", patients=[payment.patient_id], target=("payment", payment.pk), details={"provider": account.kind},
        now=now,
    )  # fmt: skip
    return handover


def new_trade_no() -> str:
    """Return a number for one trade: 93 random bits in 18 letters and digits, because ECPay takes 20 and no other signs."""
    return "CL" + "".join(secrets.choice(LETTERS) for _letter in range(18))


@transaction.atomic
def withdraw(*, payment_id: UUID, reason: str, version: int, now: datetime, by: UUID | None) -> Payment:
    """Ask for it no longer. Money that is on its way all the same still counts, and shows.

    Raises:
        NotWithdrawable: it is paid, or over. ChangedMeanwhile: something happened to it since it was looked at.
    """
    payment = locked(payment_id)
    if payment.state not in rules.PAYABLE:
        raise errors.NotWithdrawable
    if payment.version != version:
        raise errors.ChangedMeanwhile
    payment.state, payment.reason = Payment.State.CANCELLED, clean(reason)[:200]
    payment.version += 1
    payment.save(update_fields=["state", "reason", "version"])
    audit.record("payment.withdrawn", patients=[payment.patient_id], target=("payment", payment.pk), now=now)
    return payment


@transaction.atomic
def follow_call_off(*, payment_id: UUID, now: datetime) -> None:
    """Its visit does not take place: withdraw what is unpaid, let staff decide about what was paid. Repeating it changes nothing."""
    payment = locked(payment_id)
    with translation.override(Organization.objects.get().language):
        if payment.state in rules.PAYABLE:
            reason = _("The visit was called off.")
            withdraw(payment_id=payment_id, reason=reason, version=payment.version, now=now, by=None)
        elif payment.state == Payment.State.PAID and payment.refunded < payment.amount:
            followups.create(
                patient_id=payment.patient_id, title=_("Decide whether to give a payment back: its visit was called off"),
                kind="OTHER", due_at=now, now=now, by=None, origin="payment", origin_id=f"called-off:{payment.pk}",
            )  # fmt: skip


def expire_old(*, now: datetime) -> int:
    """Let go of what was not paid in time, except where somebody may be paying at this moment; return how many."""
    gone = sql.rows(
        """update payments_payment p set state = 'EXPIRED', version = version + 1
            where p.id in (
                select o.id from payments_payment o
                 where o.state in ('REQUESTED', 'STARTED', 'FAILED') and o.expires_at <= %(now)s
                   and not exists (select 1 from payments_attempt a where a.payment_id = o.id and a.state = 'OPEN'
                                                                    and a.started_at > %(in_hand)s)
                 order by o.expires_at limit 500 for update skip locked)
        returning p.id, p.patient_id""",
        {"now": now, "in_hand": now - IN_HAND},
    )
    if gone:
        audit.record(
            "payment.expired", patients=[one["patient_id"] for one in gone], details={"count": len(gone)}, now=now
        )
    return len(gone)


@transaction.atomic
def send_link(*, payment_id: UUID, key: str, now: datetime, by: UUID | None) -> Message:
    """Send the patient a message with the link to this payment, by the rules of every message; the same `key` sends once.

    Raises:
        NotPayable: there is nothing to pay any more. CannotReach: consent or reach stop it; nothing is kept.
    """
    payment = locked(payment_id)
    if payment.state not in rules.PAYABLE or payment.expires_at <= now:
        raise errors.NotPayable
    message = messaging.plan_one(
        template_key=texts.library_version(LINK_TEMPLATE).template.key, patient_id=payment.patient_id, key=f"payment:{key}"[:200],
        due_at=now, now=now, origin="staff", origin_id=str(payment.pk), expires_at=payment.expires_at, at_once=True, planned_by=by,
        params={
            "pay_amount": format_money(payment.amount, payment.currency),
            "pay_link": links.url_of(current_organization_id(), payment.pk),
        },
    )  # fmt: skip
    if message.state == Message.State.BLOCKED:
        raise CannotReach(why=str(reason_label(message.reason)))
    audit.record("payment.link_sent", patients=[payment.patient_id], target=("payment", payment.pk), now=now)
    return message
