"""The demo clinic's payments: the sandbox provider, and a few patients who paid, did not, or got something back."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.demo import cast
from careloop.integrations.payments.sandbox.adapter import Sandbox
from careloop.kernel import sql
from careloop.payments import accounts, notices, refunds, services
from careloop.payments.models import Attempt, Payment, ProviderAccount
from careloop.payments.ports import Result
from careloop.payments.rules import NewItem
from careloop.scheduling.models import Service

CERTIFICATE = ("診斷證明書（中文）", 150)
# what it was for, how long ago it was asked for, and what became of it
STORIES: tuple[tuple[str, int, str], ...] = (
    ("visit", 9, "paid"), ("certificate", 8, "paid"), ("visit", 7, "part-back"), ("copay", 6, "paid"), ("certificate", 5, "failed"),
    ("visit", 3, "paid"), ("copay", 2, "paid"), ("certificate", 1, "waiting"), ("visit", 0, "waiting"), ("reduced", 0, "waiting"),
)  # fmt: skip


def play(*, now: datetime, seed: int) -> None:
    """Connect the sandbox and let some patients pay. Running it again changes nothing."""
    account = ProviderAccount.objects.filter(kind="sandbox").first() or accounts.save_account(
        account_id=None, kind="sandbox", name="沙盒金流", given={}, now=now
    )
    service = Service.objects.filter(payer="SELF", price__gt=0, is_active=True).first()
    people = sql.rows(
        """select a.patient_id, min(a.id::text)::uuid as appointment_id from scheduling_appointment a
             join scheduling_service v on v.id = a.service_id join patients_patient p on p.id = a.patient_id
            where v.payer = 'SELF' and a.state in ('booked', 'fulfilled') and p.name <> all(%s) and p.active
              and p.birth_date < current_date - interval '20 years'
            group by a.patient_id order by a.patient_id limit 20""",
        [[one.name for one in cast.CAST]],
    )
    if service is None or not people:
        return
    random.Random(seed).shuffle(people)
    for number, (what, days, fate) in enumerate(STORIES):
        who = people[number % len(people)]
        _tell(
            account,
            who,
            _lines(what, service),
            days=days,
            fate=fate,
            key=f"demo:{number}",
            now=now,
            is_visit=what == "visit",
        )


def _lines(what: str, service: Service) -> list[NewItem]:
    name, amount = CERTIFICATE
    if what == "visit":
        return [NewItem("SERVICE", service.name, service.price, service_id=service.pk)]
    if what == "reduced":
        return [NewItem("SERVICE", service.name, service.price - 100, service.price, service.pk)]
    certificate = NewItem("OTHER", name, amount)
    return [NewItem("COPAY", "部分負擔", 50), certificate] if what == "copay" else [certificate]


def _tell(
    account: ProviderAccount, who: dict[str, Any], items: list[NewItem], *, days: int, fate: str, key: str, now: datetime, is_visit: bool,
) -> None:  # fmt: skip
    asked_at = now - timedelta(days=days, minutes=20)
    if Payment.objects.filter(key=key).exists():
        return
    payment = services.request(
        patient_id=who["patient_id"], appointment_id=who["appointment_id"] if is_visit else None, items=items, key=key, now=asked_at,
        by=None,
    )  # fmt: skip
    if fate == "waiting":
        return
    at = asked_at + timedelta(minutes=6)
    services.start(payment_id=payment.pk, language="zh-hant", now=at)
    _hear(account, payment.pk, Result.FAILED if fate == "failed" else Result.PAID, at=at + timedelta(minutes=1))
    if fate == "part-back":
        refunds.ask(
            payment_id=payment.pk, amount=200, reason="NOT_GIVEN", note="只做了諮詢，沒有做電腦斷層", key=key, now=at + timedelta(hours=1),
            by=None, by_hand=True,
        )  # fmt: skip


def _hear(account: ProviderAccount, payment_id: UUID, result: Result, *, at: datetime) -> None:
    """The sandbox tells, through the door of every provider."""
    door = accounts.find_door(account.pk)
    assert door is not None
    assert isinstance(door.provider, Sandbox)
    trade = Attempt.objects.select_related("payment").get(payment_id=payment_id)
    body = door.provider.write_notice(
        trade_no=trade.trade_no, amount=trade.payment.amount, currency=trade.payment.currency, result=result, at=at
    )
    notices.receive(door, body, now=at)
