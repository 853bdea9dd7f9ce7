"""The guard judges when something is used: law, profile and sign-offs of that day count."""

from dataclasses import dataclass

import pytest

from careloop.accounts.models import Membership
from careloop.loyalty import guard
from careloop.policy.errors import OfferStopped
from careloop.policy.offers import Offer
from careloop.policy.services import sign_off_offer


@dataclass(frozen=True)
class Item:
    """Something that is offered, without a table."""

    pk: int
    gives: str
    earns_by: str = "POINTS"

    def offer(self) -> Offer:
        return Offer("REWARD", self.earns_by, self.gives)


SERVICE, GOODS, COPAY, CONTENT = Item(1, "SERVICE"), Item(2, "GOODS"), Item(3, "COPAY"), Item(4, "CONTENT")
ALL = [SERVICE, GOODS, COPAY, CONTENT]


@pytest.fixture
def officer(organization, member_of):
    return Membership.objects.get(user=member_of("privacy_officer"))


def test_what_a_rule_stops_is_not_in_force_until_somebody_signs(organization, officer, now):
    assert guard.in_force(ALL, organization=organization, now=now) == [CONTENT]

    for item in (SERVICE, GOODS):
        sign_off_offer(
            offer=item.offer(), audience="one", organization=organization, reason="律師意見書", by=officer, now=now
        )

    assert guard.in_force(ALL, organization=organization, now=now) == [SERVICE, GOODS, CONTENT]
    assert guard.shown_publicly(ALL, organization=organization, now=now) == [CONTENT]


def test_a_change_of_the_legal_profile_counts_at_once(organization, now):
    organization.legal_profile = "INTL"

    assert guard.in_force(ALL, organization=organization, now=now) == ALL


def test_switching_on_is_refused_with_the_sentences_of_the_rules(organization, now):
    with pytest.raises(OfferStopped, match="S6") as refused:
        guard.refuse_stopped(COPAY, organization=organization, now=now)

    assert refused.value.verdict.reasons == ["S6"]
    assert guard.refuse_stopped(CONTENT, organization=organization, now=now).may_be_sent


def test_many_items_cost_three_statements(organization, now, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        found = guard.verdicts(ALL * 20, audience="one", organization=organization, now=now)

    assert {key: verdict.answer for key, verdict in found.items()} == {
        1: "SIGN_OFF",
        2: "SIGN_OFF",
        3: "BLOCK",
        4: "ALLOW",
    }
