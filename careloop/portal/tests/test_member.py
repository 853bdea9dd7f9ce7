"""A patient's own card, and joining by oneself."""

from datetime import UTC, datetime, timedelta

import pytest

from careloop.loyalty.earn import earning
from careloop.loyalty.earn.earning import Thing
from careloop.loyalty.models import Account
from careloop.loyalty.tests.make import member, open_one, rule
from careloop.portal.tests.support import Phone, open_clinic, somebody


@pytest.fixture(autouse=True)
def clinic(organization):
    organization.legal_profile = "INTL"
    organization.save()
    open_clinic()
    return organization


def test_a_patient_reads_the_terms_agrees_and_has_a_card(organization):
    open_one()
    who = somebody()
    phone = Phone(organization)
    phone.sign_in()
    assert "My membership" in phone.sees("me/")
    assert "點數不可兌換現金。" in phone.get("member/", follow=True).content.decode()

    assert phone.post("member/join/").status_code == 422
    phone.post("member/join/", {"agrees": "1"})

    mine = Account.objects.get(patient_id=who)
    assert (mine.joined_how, mine.terms.text) == ("PORTAL", "點數不可兌換現金。")
    page = phone.sees("member/")
    assert "<svg" in page
    assert mine.member_number[:3] in page


def test_the_card_says_what_waits_and_why(organization):
    account = member(open_one(), who=somebody())
    rule(kind="SELF_PAY", settle_days=7)
    now = datetime.now(UTC)
    thing = Thing("SELF_PAY", account.patient_id, now, "payment", "p1", "payment:p1", amount=1200, currency="TWD")
    earning.record([thing], now=now)
    phone = Phone(organization)
    phone.sign_in()

    page = phone.sees("member/")

    assert "+12" in page
    assert f"They wait until {now + timedelta(days=7, hours=8):%Y-%m-%d}" in page


def test_without_a_programme_nothing_is_promised(organization):
    somebody()
    phone = Phone(organization)
    phone.sign_in()

    assert "My membership" not in phone.sees("me/")
    assert "no membership that you could join" in phone.get("member/", follow=True).content.decode()
