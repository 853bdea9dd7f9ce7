"""Signing off what membership offers: exactly one offer in one form, by a named person, until it is taken back."""

import pytest

from careloop.accounts.models import Membership
from careloop.audit.models import AuditEvent
from careloop.audit.services import write_notes
from careloop.policy.answers import Answer
from careloop.policy.errors import (
    AlreadyWithdrawn,
    NotAnApprover,
    NothingToSignOff,
    ReasonNeeded,
    StaysForbidden,
)
from careloop.policy.models import PolicySignOff
from careloop.policy.offers import Offer
from careloop.policy.services import (
    check_offer,
    check_offers,
    override_rule,
    sign_off_offer,
    withdraw_sign_off,
)

PARKING = Offer("REWARD", "POINTS", "SERVICE", "免費停車一小時", 60)


@pytest.fixture
def officer(organization, member_of):
    return Membership.objects.get(user=member_of("privacy_officer"))


def sign(organization, officer, now, offer=PARKING, audience="one", **more):
    return sign_off_offer(
        offer=offer, audience=audience, organization=organization, reason=more.pop("reason", "律師意見書，低價服務"),
        by=officer, now=now, **more,
    )  # fmt: skip


def test_a_signed_off_offer_runs_in_the_form_that_was_signed(organization, officer, now):
    assert check_offer(PARKING, audience="one", organization=organization).answer == Answer.SIGN_OFF

    sign_off = sign(organization, officer, now, document="法律意見.pdf", document_hash=b"\x07" * 32)

    assert check_offer(PARKING, audience="one", organization=organization).may_be_sent
    assert check_offer(PARKING, audience="public", organization=organization).answer == Answer.SIGN_OFF
    assert (sign_off.rule_ids, sign_off.audience, sign_off.document) == (["S1-H"], "one", "法律意見.pdf")
    assert "免費停車一小時" in sign_off.text
    write_notes()
    event = AuditEvent.objects.get(action="policy.signed_off")
    assert event.details["document_hash"] == "07" * 32


def test_another_wording_or_value_asks_again(organization, officer, now):
    sign(organization, officer, now)

    for changed in (
        Offer("REWARD", "POINTS", "SERVICE", "免費停車兩小時", 60),
        Offer("REWARD", "POINTS", "SERVICE", "免費停車一小時", 120),
    ):
        assert check_offer(changed, audience="one", organization=organization).answer == Answer.SIGN_OFF


def test_a_sign_off_taken_back_stops_the_offer_until_somebody_signs_again(organization, officer, now):
    first = sign(organization, officer, now)

    withdraw_sign_off(sign_off=first, reason="衛生局來函", by=officer, now=now)

    assert check_offer(PARKING, audience="one", organization=organization).answer == Answer.SIGN_OFF
    with pytest.raises(AlreadyWithdrawn):
        withdraw_sign_off(sign_off=first, reason="衛生局來函", by=officer, now=now)
    second = sign(organization, officer, now)
    assert second != first
    assert check_offer(PARKING, audience="one", organization=organization).may_be_sent


def test_signing_twice_keeps_one_row(organization, officer, now):
    assert sign(organization, officer, now) == sign(organization, officer, now)
    assert PolicySignOff.objects.count() == 1


def test_what_is_forbidden_cannot_be_signed_and_what_is_free_need_not_be(organization, officer, now):
    with pytest.raises(StaysForbidden, match="S7"):
        sign(organization, officer, now, Offer("EARN_RULE", "NHI", "POINTS"))
    with pytest.raises(NothingToSignOff):
        sign(organization, officer, now, Offer("NEWSLETTER", "", "CONTENT"))


def test_only_an_approver_signs_and_takes_back_and_with_a_reason(organization, officer, member_of, now):
    marketer = Membership.objects.get(user=member_of("marketing"))

    with pytest.raises(NotAnApprover):
        sign(organization, marketer, now)
    with pytest.raises(ReasonNeeded):
        sign(organization, officer, now, reason=" ok ")
    with pytest.raises(NotAnApprover):
        withdraw_sign_off(sign_off=sign(organization, officer, now), reason="不想要了", by=marketer, now=now)


def test_the_clinics_own_answer_counts_for_offers(organization, officer, now):
    override_rule(
        organization=organization, rule_id="S1-H", answer="ALLOW", reason="衛生局函釋 2026-05", by=officer, now=now
    )
    verdict = check_offer(PARKING, audience="one", organization=organization)

    assert (verdict.answer, verdict.matches[0].overridden) == (Answer.ALLOW, True)


def test_many_offers_are_judged_with_few_statements(organization, django_assert_max_num_queries):
    offers = [Offer("REWARD", "POINTS", "SERVICE", f"免費停車{number}分鐘", number) for number in range(50)]

    with django_assert_max_num_queries(3):
        answers = {verdict.answer for verdict in check_offers(offers, audience="public", organization=organization)}

    assert answers == {Answer.SIGN_OFF}


def test_another_clinic_has_not_signed(organization, other_organization, officer, now):
    from careloop.tenancy import context

    sign(organization, officer, now)
    context.set_organization(other_organization.id)

    assert check_offer(PARKING, audience="one", organization=other_organization).answer == Answer.SIGN_OFF
