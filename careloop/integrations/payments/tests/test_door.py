"""The providers' door, and the whole way with ECPay's stand-in: begin, pay, be told, be told again."""

import pytest
from django.test import Client

from careloop.audit.models import AuditEvent
from careloop.integrations.payments.ecpay import adapter
from careloop.integrations.payments.fakes.ecpay import FakeECPay
from careloop.payments import accounts, notices, refunds, services
from careloop.payments.models import Attempt, Payment, ProviderAccount, ProviderNotice
from careloop.payments.tests.support import NOW, asked, ecpay
from careloop.tenancy.context import in_organization


@pytest.fixture
def fake(monkeypatch):
    made = FakeECPay()
    here = made.start()
    monkeypatch.setattr(adapter, "HOSTS", {"stage": here, "production": here})
    yield made
    made.stop()


@pytest.fixture
def begun(committed_organization, fake):
    with in_organization(committed_organization.id):
        ecpay()
        payment = asked(500)
        handover = services.start(payment_id=payment.pk, language="zh-hant", now=NOW)
        fake.answer("/Cashier/AioCheckOut/V5", dict(handover.fields))
        return Attempt.objects.get()


def post(account_id, body):
    return Client(enforce_csrf_checks=True).post(
        f"/hooks/payments/{account_id}", body, content_type="application/x-www-form-urlencoded"
    )


def test_paid_is_answered_as_ecpay_wants_it_however_often_it_comes(begun, fake, committed_organization):
    body = fake.pay(begun.trade_no)

    for _copy in range(3):
        answer = post(begun.account_id, body)
        assert (answer.status_code, answer.content) == (200, b"1|OK")
    with in_organization(committed_organization.id):
        payment = Payment.objects.get()
        assert (payment.state, payment.method) == ("PAID", "card")
        kept = ProviderNotice.objects.get().content
        assert kept["TradeAmt"] == "500"
        assert "CheckMacValue" not in kept


def test_a_forged_notice_is_refused(begun, fake, committed_organization):
    body = fake.pay(begun.trade_no)

    assert post(begun.account_id, body.replace(b"TradeAmt=500", b"TradeAmt=5")).status_code == 400
    with in_organization(committed_organization.id):
        assert Payment.objects.get().state == "STARTED"
        refused = AuditEvent.objects.get(action="payment.notice_refused")
        assert (refused.actor_kind, refused.details["why"]) == ("provider", "checksum")


def test_a_door_that_is_not_there_and_a_body_too_large(begun, committed_organization):
    from uuid import uuid4

    assert post(uuid4(), b"").status_code == 404
    assert post(begun.account_id, b"a=" + b"x" * 70_000).status_code == 413
    assert Client().get(f"/hooks/payments/{begun.account_id}").status_code == 405


def test_an_account_that_was_switched_off_still_hears(begun, fake, committed_organization):
    with in_organization(committed_organization.id):
        ProviderAccount.objects.update(enabled=False, is_default=False)
    assert post(begun.account_id, fake.pay(begun.trade_no)).content == b"1|OK"


def test_asking_and_giving_back_go_through_the_same_books(begun, fake, committed_organization):
    fake.pay(begun.trade_no)
    assert notices.look(attempt_id=begun.pk, organization_id=committed_organization.id, now=NOW) == "paid"
    with in_organization(committed_organization.id):
        refund = refunds.ask(
            payment_id=begun.payment_id, amount=200, reason="NOT_GIVEN", note="取消", key="k", now=NOW, by=None
        )

    assert refunds.send(organization_id=committed_organization.id, refund_id=refund.pk, now=NOW) == "DONE"
    assert fake.orders[begun.trade_no].given_back == 200


def test_secrets_are_sealed_and_kept_when_left_empty(organization):
    account = ecpay()
    saved = accounts.save_account(
        account_id=account.pk, kind="ecpay", name="ECPay", now=NOW,
        given={"environment": "production", "merchant_id": "3002607", "hash_key": "", "hash_iv": "new-iv"},
    )  # fmt: skip

    assert "pwFHCqoQZGmho4w6" not in str(saved.settings) + str(bytes(saved.secrets_sealed))
    opened = accounts.opened_settings(saved)
    assert (opened["hash_key"], opened["hash_iv"], opened["environment"]) == (
        "pwFHCqoQZGmho4w6",
        "new-iv",
        "production",
    )
