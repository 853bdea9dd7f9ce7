"""What the provider says counts once, only when it is theirs, and only for what was asked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from careloop.audit.models import AuditEvent
from careloop.events.models import Event
from careloop.followups.models import FollowUp
from careloop.payments import accounts, notices, services
from careloop.payments.handlers import GIVE_UP, claim, reconcile
from careloop.payments.models import Attempt, Payment, ProviderNotice
from careloop.payments.notices import Taken
from careloop.payments.ports import Result
from careloop.payments.tests.support import NOW, asked, begun, notice, sandbox
from careloop.tenancy.context import in_organization


@pytest.fixture
def tried(organization):
    sandbox()
    return begun(asked())


def take(attempt, result=Result.PAID, **more):
    return notices.take(account=attempt.account, notice=notice(attempt, result, **more), source="notice", now=NOW)


def now_is(attempt):
    return Payment.objects.get(pk=attempt.payment_id)


def test_paid_is_paid_once_however_often_it_is_told(tried):
    assert [take(tried) for _copy in range(5)] == [Taken.PAID, *[Taken.REPEATED] * 4]

    one = now_is(tried)
    assert (one.state, one.method, one.paid_at) == ("PAID", "card", NOW)
    assert Event.objects.filter(kind="payment.paid").count() == 1
    assert ProviderNotice.objects.count() == 1


def test_a_failure_can_be_tried_again(tried):
    assert take(tried, Result.FAILED, said="餘額不足") is Taken.FAILED
    assert (now_is(tried).state, now_is(tried).reason) == ("FAILED", "餘額不足")

    again = begun(now_is(tried))
    assert again.trade_no != tried.trade_no
    assert take(again) is Taken.PAID
    assert Event.objects.filter(kind="payment.failed").count() == 1


@pytest.mark.parametrize("wrong", [{"amount": 5}, {"currency": "USD"}])
def test_another_amount_changes_nothing_and_is_in_the_audit(tried, wrong):
    assert take(tried, **wrong) is Taken.REFUSED

    assert now_is(tried).state == "STARTED"
    assert ProviderNotice.objects.count() == 0


def test_an_unknown_trade_changes_nothing(tried):
    assert take(tried, trade_no="CL000000000000000000") is Taken.REFUSED
    assert now_is(tried).state == "STARTED"


def test_a_simulated_payment_of_a_real_account_is_no_payment(tried):
    assert take(tried, Result.SIMULATED) is Taken.NOTED
    assert now_is(tried).state == "STARTED"
    assert Event.objects.filter(kind="payment.paid").count() == 0


def test_money_that_comes_after_all_counts(tried):
    services.withdraw(payment_id=tried.payment_id, reason="x", version=now_is(tried).version, now=NOW, by=None)

    assert take(tried) is Taken.PAID
    assert now_is(tried).state == "PAID"


def test_paying_in_two_windows_tells_staff(tried):
    second = begun(now_is(tried))
    take(tried)

    assert take(second) is Taken.NOTED
    second.refresh_from_db()
    assert (second.state, second.is_extra) == ("PAID", True)
    assert Event.objects.filter(kind="payment.paid").count() == 1
    task = FollowUp.objects.get()
    assert second.provider_trade_no in task.script


def test_a_failure_in_one_window_leaves_the_other_alone(tried):
    second = begun(now_is(tried))

    assert take(tried, Result.FAILED) is Taken.NOTED
    assert now_is(tried).state == "STARTED"
    assert take(second) is Taken.PAID
    assert take(tried, Result.FAILED, provider_trade_no="other") is Taken.NOTED
    assert now_is(tried).state == "PAID"


def test_waiting_is_noted_and_changes_nothing(tried):
    assert take(tried, Result.WAITING, amount=0) is Taken.NOTED
    assert now_is(tried).state == "STARTED"


def test_a_hundred_copies_at_once_pay_once(committed_organization):
    with in_organization(committed_organization.id):
        sandbox()
        tried = begun(asked())
        account = tried.account
    door = accounts.find_door(account.pk)
    body = door.provider.write_notice(trade_no=tried.trade_no, amount=500, currency="TWD", result=Result.PAID, at=NOW)
    together = Barrier(8)

    def send(number):
        try:
            if number < 8:
                together.wait(20)
            return notices.receive(door, body, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(send, range(100)))

    assert sorted(taken) == sorted([Taken.PAID, *[Taken.REPEATED] * 99])
    with in_organization(committed_organization.id):
        assert Payment.objects.get().state == "PAID"
        assert Event.objects.filter(kind="payment.paid").count() == 1
        assert ProviderNotice.objects.count() == 1


def test_forged_and_altered_bodies_are_refused_and_audited(committed_organization):
    with in_organization(committed_organization.id):
        sandbox()
        tried = begun(asked())
        account = tried.account
    door = accounts.find_door(account.pk)
    good = door.provider.write_notice(trade_no=tried.trade_no, amount=500, currency="TWD", result=Result.PAID, at=NOW)

    for body in (
        good.replace(b'"500"', b'"5"'),
        good[:-70] + b"0" * 64 + good[-6:],
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"a": 1}',
    ):
        assert notices.receive(door, body, now=NOW) is Taken.REFUSED
    with in_organization(committed_organization.id):
        assert Payment.objects.get().state == "STARTED"
        assert AuditEvent.objects.filter(action="payment.notice_refused", actor_kind="provider").count() == 6


def test_what_nobody_told_is_asked_for_after_a_quarter_of_an_hour(committed_organization, monkeypatch):
    with in_organization(committed_organization.id):
        sandbox()
        tried = begun(asked())
        assert tried.payment.amount == 500
        assert claim(now=NOW + timedelta(minutes=14)) == []
    said = []

    def query(self, trade):
        said.append(trade.trade_no)
        return notice(tried, Result.PAID if len(said) > 1 else Result.WAITING)

    monkeypatch.setattr("careloop.integrations.payments.sandbox.adapter.Sandbox.query", query)
    assert reconcile(committed_organization.id, now=NOW + timedelta(minutes=15)) == 1
    assert reconcile(committed_organization.id, now=NOW + timedelta(minutes=16)) == 0
    assert reconcile(committed_organization.id, now=NOW + timedelta(minutes=31)) == 1

    assert said == [tried.trade_no] * 2
    with in_organization(committed_organization.id):
        assert Payment.objects.get().state == "PAID"
        assert ProviderNotice.objects.filter(source="query").count() == 2


def test_after_days_of_silence_a_try_is_given_up(committed_organization):
    with in_organization(committed_organization.id):
        sandbox()
        begun(asked())
    late = NOW + GIVE_UP + timedelta(hours=1)
    while reconcile(committed_organization.id, now=late):
        pass
    with in_organization(committed_organization.id):
        assert Attempt.objects.get().state == "LAPSED"
