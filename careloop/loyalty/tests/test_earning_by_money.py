"""Bills and payments earn by their amount: one bill once, and a refund takes its part back."""

from datetime import timedelta
from uuid import uuid4

import pytest

from careloop.loyalty.earn import earning, settling
from careloop.loyalty.models import Earning
from careloop.loyalty.tests.earning_support import billed, money, points_of, waiting
from careloop.loyalty.tests.make import NOW, member, rule
from careloop.payments import refunds
from careloop.payments.tests import support as payments

DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("abroad")


def test_a_payment_earns_by_its_amount_so_many_days_after_it():
    account = member()
    rule(kind="SELF_PAY", points=1, per_amount=100, settle_days=7)

    earning.record([money(account, 1250)], now=NOW)

    one = Earning.objects.get()
    assert (one.points, one.amount, one.due_at) == (12, 1250, NOW + 7 * DAY)


def test_the_same_bill_as_invoice_and_as_payment_counts_once(log):
    account = member()
    rule(kind="SELF_PAY")
    payments.sandbox()
    payments.paid(1200, who=account.patient_id)
    billed(account, 1200)

    log.read()

    assert waiting(account) == 12
    assert Earning.objects.get(source="invoice").because == "COUNTED"


def test_a_bill_paid_by_link_some_days_later_counts_once():
    account = member()
    rule(kind="SELF_PAY")

    earning.record([money(account, 1200, source="invoice")], now=NOW)
    earning.record([money(account, 1200, at=NOW + 3 * DAY)], now=NOW + 3 * DAY)
    assert waiting(account) == 12

    earning.record([money(account, 1200, at=NOW + 5 * DAY)], now=NOW + 5 * DAY)
    assert waiting(account) == 24  # a second payment of the same size is another bill's


def test_a_deposit_and_the_whole_bill_count_as_the_whole_bill():
    account = member()
    rule(kind="SELF_PAY")

    earning.record([money(account, 500), money(account, 2000, source="invoice")], now=NOW)

    assert waiting(account) == 20


def test_a_refund_before_it_is_final_leaves_what_the_rest_earns(log):
    account = member()
    rule(kind="SELF_PAY", settle_days=7)
    payments.sandbox()
    paid = payments.paid(1200, who=account.patient_id)
    log.read()

    refund(paid, 500)
    log.read()
    assert waiting(account) == 7
    refund(paid, 700)
    log.read()

    assert (waiting(account), Earning.objects.get().state) == (0, "VOID")
    settling.settle_due(now=NOW + 8 * DAY)
    assert points_of(account) == 0


def test_a_refund_afterwards_reverses_the_right_part(log):
    account = member()
    rule(kind="SELF_PAY")
    payments.sandbox()
    paid = payments.paid(1200, who=account.patient_id)
    log.read()
    settling.settle_due(now=NOW)
    assert points_of(account) == 12

    refund(paid, 500)
    log.read()
    log.last = 0
    log.read()

    assert points_of(account) == 7


def refund(paid, amount):
    return refunds.ask(
        payment_id=paid.pk,
        amount=amount,
        reason="NOT_GIVEN",
        note="未施作",
        by_hand=True,
        key=uuid4().hex,
        now=NOW,
        by=None,
    )


def test_a_refund_of_a_payment_whose_invoice_counted_goes_off_the_invoice(log):
    account = member()
    rule(kind="SELF_PAY")
    payments.sandbox()
    billed(account, 1200)
    paid = payments.paid(1200, who=account.patient_id)
    log.read()

    refund(paid, 400)
    log.read()

    assert waiting(account) == 8


def test_a_refund_takes_nothing_from_what_a_limit_had_cut_off():
    account = member()
    rule(kind="SELF_PAY", cap_day=5)
    thing = money(account, 1200)
    earning.record([thing], now=NOW)
    assert Earning.objects.get().capped_by == "RULE_DAY"

    settling.take_back_money(payment_id=thing.ref, refund_id=uuid4(), self_pay=500, now=NOW)
    assert waiting(account) == 5
    settling.take_back_money(payment_id=thing.ref, refund_id=uuid4(), self_pay=400, now=NOW)
    assert waiting(account) == 3
