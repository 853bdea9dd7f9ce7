"""Under Taiwan's rules nothing is earned on what the NHI pays, and nothing without a sign-off."""

from datetime import timedelta

import pytest

from careloop.accounts.models import Membership
from careloop.loyalty.earn import rule_book, settling
from careloop.loyalty.models import Earning
from careloop.loyalty.tests.earning_support import billed, points_of, visited, waiting
from careloop.loyalty.tests.make import BEFORE, NOW, member, rule
from careloop.payments.tests import support as payments
from careloop.policy.errors import OfferStopped
from careloop.policy.signing import sign_off_offer

DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("abroad")


@pytest.fixture
def in_taiwan(abroad, member_of):
    """Taiwan's rules, with everything they ask to sign off signed."""

    def start(*rules):
        abroad.legal_profile = "TW"
        abroad.save()
        officer = Membership.objects.get(user=member_of("privacy_officer"))
        for one in rules:
            sign_off_offer(
                offer=one.offer(),
                audience="one",
                organization=abroad,
                reason="只給會員看，律師同意",
                by=officer,
                now=BEFORE,
            )

    return start


def test_in_taiwan_a_rule_is_not_switched_on_without_a_sign_off(abroad):
    abroad.legal_profile = "TW"
    abroad.save()
    made = rule(kind="VISIT", on=False)

    with pytest.raises(OfferStopped):
        rule_book.switch(rule_id=made.pk, on=True, now=NOW, by=None)


def test_a_rule_that_the_law_stops_meanwhile_earns_nothing_although_it_is_switched_on(abroad, log):
    account = member()
    rule()
    abroad.legal_profile = "TW"
    abroad.save()
    visited(account)

    log.read()

    assert not Earning.objects.exists()


def test_in_taiwan_a_visit_that_the_nhi_shared_earns_nothing_not_even_for_the_self_paid_part(in_taiwan, log):
    account = member()
    in_taiwan(rule(kind="VISIT"), rule(kind="SELF_PAY"))
    visited(account)
    billed(account, 1200, copay=50, nhi=350)

    log.read()
    settling.settle_due(now=NOW)

    assert points_of(account) == 0
    assert set(Earning.objects.values_list("state", "because")) == {("VOID", "NHI")}


def test_in_taiwan_a_visit_paid_by_the_patient_alone_earns(in_taiwan, log):
    account = member()
    in_taiwan(rule(kind="VISIT"), rule(kind="SELF_PAY"))
    visited(account)
    billed(account, 1200)

    log.read()
    settling.settle_due(now=NOW)

    assert points_of(account) == 22


def test_in_taiwan_a_visit_of_which_nobody_says_who_paid_waits_and_then_earns_nothing(in_taiwan, log):
    account = member()
    in_taiwan(rule(kind="VISIT"))
    visited(account)
    log.read()

    settling.settle_due(now=NOW)
    assert waiting(account) == 10
    settling.settle_due(now=NOW + 8 * DAY)

    assert Earning.objects.get().because == "PAYER_UNKNOWN"


def test_in_taiwan_a_payment_with_a_co_pay_in_it_earns_nothing(in_taiwan, log):
    account = member()
    in_taiwan(rule(kind="SELF_PAY"))
    payments.sandbox()
    payments.paid(700, copay=200, who=account.patient_id)

    log.read()

    assert Earning.objects.get().because == "NHI"
