"""Paying by the link: looking begins nothing, the way to the provider and back, and what a page may send where."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from careloop.integrations.payments.ecpay import adapter
from careloop.integrations.payments.fakes.ecpay import FakeECPay
from careloop.payments import links
from careloop.payments.models import Attempt, Payment
from careloop.payments.tests.support import asked, ecpay, sandbox
from careloop.portal.tests.support import Phone, a_service, open_clinic, somebody
from careloop.scheduling.tests import make
from careloop.tenancy.context import in_organization


@pytest.fixture
def clinic(committed_organization):
    committed_organization.language = "en"
    with in_organization(committed_organization.id):
        committed_organization.save()
    return committed_organization


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True, headers={"accept-language": "en"})


def owed(clinic, *, account=sandbox, **more):
    with in_organization(clinic.id):
        account(now=timezone.now())
        made = asked(550, copay=50, now=timezone.now(), title="植牙諮詢", **more)
        return made, links.path_of(clinic.id, made.pk)


def now_is(clinic):
    with in_organization(clinic.id):
        return Payment.objects.get()


def form_in(page):
    """Where the page's last form goes, and its fields."""
    text = page.content.decode()
    action = re.findall(r'<form[^>]*action="([^"]+)"', text)[-1]
    return action, dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))


def press(browser, page, do):
    """Press a button of the provider's page that comes after this one."""
    action, fields = form_in(page)
    assert action.startswith("/p/y/sandbox/")
    return browser.post(action, {**fields, "do": do} if do else fields)


def test_looking_begins_nothing_and_hides_the_name(clinic, browser):
    _made, path = owed(clinic)

    page = browser.get(path)

    text = page.content.decode()
    assert page.status_code == 200
    assert "NT$550" in text
    assert "NHI co-pay" in text
    assert "王小明" not in text
    assert "王" in text
    with in_organization(clinic.id):
        assert Attempt.objects.count() == 0


def test_the_whole_way_through_the_sandbox_without_a_script_or_a_cookie(clinic, browser):
    _made, path = owed(clinic)

    handover = browser.post(path, {"do": "pay"})
    assert "植牙" not in handover.content.decode()
    provider = press(browser, handover, "")
    assert "No money moves" in provider.content.decode()
    back = press(browser, handover, "pay")
    assert (back.status_code, back["Location"]) == (303, path)

    assert now_is(clinic).state == "PAID"
    shown = browser.get(path).content.decode()
    assert "Paid, thank you." in shown
    assert "sandbox" in shown
    again = browser.post(path, {"do": "pay"})
    assert again.status_code == 409


def test_a_refused_card_can_be_tried_again_and_a_closed_window_waits(clinic, browser):
    _made, path = owed(clinic)
    handover = browser.post(path, {"do": "pay"})
    press(browser, handover, "fail")
    assert now_is(clinic).state == "FAILED"
    assert "did not succeed" in browser.get(path).content.decode()

    press(browser, browser.post(path, {"do": "pay"}), "close")
    assert now_is(clinic).state == "STARTED"
    assert "We wait for the payment provider." in browser.get(path).content.decode()
    press(browser, browser.post(path, {"do": "pay"}), "pay")
    assert now_is(clinic).state == "PAID"


def test_the_sandbox_takes_only_what_we_signed(clinic, browser):
    _made, path = owed(clinic)
    action, fields = form_in(browser.post(path, {"do": "pay"}))

    for wrong in ({"amount": "1"}, {"proof": ""}, {"back": "https://evil.example/"}, {"trade_no": "x"}):
        assert browser.post(action, {**fields, **wrong, "do": "pay"}).status_code == 400
    assert now_is(clinic).state == "STARTED"


def test_only_the_page_before_ecpay_may_send_a_form_there(clinic, browser, monkeypatch):
    _made, path = owed(clinic, account=ecpay)

    before = browser.get(path)["Content-Security-Policy"]
    page = browser.post(path, {"do": "pay"})

    assert "form-action 'self';" in before
    policy = page["Content-Security-Policy"]
    assert "form-action 'self' https://payment-stage.ecpay.com.tw;" in policy
    assert "default-src 'self'" in policy
    action, fields = form_in(page)
    assert action == "https://payment-stage.ecpay.com.tw/Cashier/AioCheckOut/V5"
    assert "<script" not in page.content.decode()
    assert "植牙" not in str(fields)


def test_who_comes_back_before_the_notice_can_ask_again(clinic, browser, monkeypatch):
    fake = FakeECPay()
    here = fake.start()
    monkeypatch.setattr(adapter, "HOSTS", {"stage": here, "production": here})
    try:
        _made, path = owed(clinic, account=ecpay)
        _action, fields = form_in(browser.post(path, {"do": "pay"}))
        with in_organization(clinic.id):
            attempt = Attempt.objects.get()
            Attempt.objects.update(started_at=attempt.started_at - timedelta(minutes=2))
        fake.answer("/Cashier/AioCheckOut/V5", {name: value.replace("&amp;", "&") for name, value in fields.items()})
        fake.pay(attempt.trade_no)

        back = browser.post(path + "back/", {"RtnCode": "1"})
        assert (back.status_code, back["Location"], now_is(clinic).state) == (303, path, "STARTED")
        for _click in range(3):
            assert browser.post(path, {"do": "look"}).status_code == 303
        assert now_is(clinic).state == "PAID"
        assert len([path for path, _fields in fake.calls if "QueryTradeInfo" in path]) == 1
    finally:
        fake.stop()


def test_a_link_opens_one_payment_and_ends(clinic, browser):
    made, path = owed(clinic)

    assert browser.get("/p/y/" + "a" * 43 + "/").status_code == 404
    assert browser.get(path[:-2] + ("A/" if path[-2] != "A" else "B/")).status_code == 404
    with in_organization(clinic.id):
        Payment.objects.filter(pk=made.pk).update(expires_at=timezone.now())
    assert "is over" in browser.get(path).content.decode()
    with in_organization(clinic.id):
        Payment.objects.filter(pk=made.pk).update(token_hash=b"x" * 32)
    assert browser.get(path).status_code == 404


def test_a_signed_in_patient_finds_it_on_their_visits(organization):
    open_clinic()
    where, held = a_service(payer="SELF", price=500)
    who = somebody()
    booked = make.book(where, held, who, now=timezone.now())
    sandbox(now=timezone.now())
    made = asked(500, who=who, now=timezone.now(), appointment_id=booked.pk)
    asked(100, who=somebody("林小美", phone="0933-000-111"), now=timezone.now())
    phone = Phone(organization).sign_in()

    path = links.path_of(organization.pk, made.pk)
    assert path in phone.sees("visits/")
    assert path in phone.sees(f"visits/{booked.pk}/")
    assert phone.sees("visits/").count("/p/y/") == 1
