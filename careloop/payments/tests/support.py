"""Payments for tests: an account, a patient with a visit, and money that was paid."""

from datetime import UTC, datetime
from typing import Any

from careloop.patients.tests.make import patient
from careloop.payments import accounts, notices, services
from careloop.payments.models import Attempt, Payment, ProviderAccount
from careloop.payments.ports import Notice, Result
from careloop.payments.rules import NewItem

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
ECPAY = {"environment": "stage", "merchant_id": "3002607", "hash_key": "pwFHCqoQZGmho4w6", "hash_iv": "EkRm7iFT261dpevs",
         "check_code": "25938001", "choose_payment": "Credit"}  # fmt: skip


def sandbox(*, now: datetime = NOW) -> ProviderAccount:
    return accounts.save_account(account_id=None, kind="sandbox", name="sandbox", given={}, now=now)


def ecpay(*, now: datetime = NOW, **more: str) -> ProviderAccount:
    return accounts.save_account(account_id=None, kind="ecpay", name="ECPay", given={**ECPAY, **more}, now=now)


def asked(amount: int = 500, *, copay: int = 0, who: Any = None, now: datetime = NOW, **more: Any) -> Payment:
    """A patient is asked to pay `amount`, of which `copay` is NHI co-pay."""
    items = [NewItem("OTHER", "診斷證明書", amount - copay)] if amount > copay else []
    if copay:
        items.append(NewItem("COPAY", "部分負擔", copay))
    return services.request(patient_id=who or patient(), items=items, now=now, by=None, **more)


def begun(payment: Payment, *, now: datetime = NOW) -> Attempt:
    services.start(payment_id=payment.pk, language="zh-hant", now=now)
    return Attempt.objects.filter(payment=payment).latest("started_at", "id")


def notice(attempt: Attempt, result: Result = Result.PAID, **more: Any) -> Notice:
    payment = attempt.payment
    values = {
        "trade_no": attempt.trade_no, "provider_trade_no": f"P{attempt.trade_no[2:]}", "amount": payment.amount,
        "currency": payment.currency, "result": result, "method": "card", "details": {"PaymentType": "Credit_CreditCard"},
    }  # fmt: skip
    return Notice(**{**values, **more})


def paid(amount: int = 500, *, copay: int = 0, now: datetime = NOW, **more: Any) -> Payment:
    """A payment whose money has come."""
    payment = asked(amount, copay=copay, now=now, **more)
    attempt = begun(payment, now=now)
    notices.take(account=attempt.account, notice=notice(attempt), source="notice", now=now)
    return Payment.objects.get(pk=payment.pk)
