"""What membership offers, under the rules: every rule's own examples, and the two forms judged apart."""

from datetime import date

import pytest
from django.utils import translation

from careloop.policy.answers import Answer
from careloop.policy.offers import EARNS_BY, GIVES, KINDS, Offer, judge_offer
from careloop.policy.ruleset import all_rules, rules_on

TODAY = date(2026, 11, 21)
TAIWAN = rules_on("TW", TODAY)
ABOUT_OFFERS = [rule for rule in all_rules() if rule.offers]


def examples(kind: str) -> list:
    return [
        pytest.param(rule, Offer(**one), id=f"{rule.id}: {'/'.join(map(str, one.values()))}")
        for rule in ABOUT_OFFERS
        for one in rule.examples[kind]
    ]


@pytest.mark.parametrize(("rule", "offer"), examples("offers_caught"))
def test_a_rule_catches_the_offers_it_is_for(rule, offer):
    verdict = judge_offer(offer, [rule], audience="public")

    assert verdict.rule_ids == [rule.id]
    assert not verdict.may_be_sent
    assert str(offer) in str(verdict.matches[0].message)


@pytest.mark.parametrize(("rule", "offer"), examples("offers_clean"))
def test_a_rule_leaves_other_offers_alone(rule, offer):
    assert judge_offer(offer, [rule], audience="public").matches == ()


def test_every_rule_about_offers_speaks_of_known_things():
    for rule in ABOUT_OFFERS:
        for when in rule.offers:
            assert when.kinds | when.except_kinds <= set(KINDS), rule.id
            assert (when.earns_by | when.except_earns_by) - {""} <= set(EARNS_BY), rule.id
            assert when.gives <= set(GIVES), rule.id


def judged(kind: str, earns_by: str = "", gives: str = "", profile: str = "TW", **more) -> tuple[str, str]:
    """The answers for members and in public."""
    offer, rules = Offer(kind, earns_by, gives, **more), rules_on(profile, TODAY)
    return tuple(judge_offer(offer, rules, audience=audience).answer.value for audience in ("one", "public"))


@pytest.mark.parametrize(
    ("offer", "answers"),
    [
        (("EARN_RULE", "VISIT", "POINTS"), ("SIGN_OFF", "BLOCK")),
        (("EARN_RULE", "SELF_PAY", "POINTS"), ("SIGN_OFF", "BLOCK")),
        (("EARN_RULE", "NHI", "POINTS"), ("BLOCK", "BLOCK")),
        (("EARN_RULE", "QUESTIONNAIRE", "POINTS"), ("SIGN_OFF", "SIGN_OFF")),
        (("EARN_RULE", "REVIEW", "POINTS"), ("BLOCK", "BLOCK")),
        (("EARN_RULE", "REFERRAL", "POINTS"), ("SIGN_OFF", "BLOCK")),
        (("TIER", "SELF_PAY", ""), ("ALLOW", "ALLOW")),
        (("TIER_BENEFIT", "TIER", "PRIORITY"), ("ALLOW", "ALLOW")),
        (("TIER_BENEFIT", "TIER", "SERVICE"), ("ALLOW", "ALLOW")),
        (("TIER_BENEFIT", "TIER", "CARE_DISCOUNT"), ("BLOCK", "BLOCK")),
        (("TIER_BENEFIT", "TIER", "CARE"), ("BLOCK", "BLOCK")),
        (("TIER_BENEFIT", "TIER", "GOODS"), ("SIGN_OFF", "BLOCK")),
        (("REWARD", "POINTS", "SERVICE"), ("SIGN_OFF", "SIGN_OFF")),
        (("REWARD", "POINTS", "CARE_DISCOUNT"), ("SIGN_OFF", "BLOCK")),
        (("REWARD", "POINTS", "COPAY"), ("BLOCK", "BLOCK")),
        (("GREETING", "BIRTHDAY", ""), ("ALLOW", "ALLOW")),
        (("GREETING", "BIRTHDAY", "GOODS"), ("SIGN_OFF", "BLOCK")),
        (("REFERRAL", "REFERRAL", "THANKS"), ("ALLOW", "ALLOW")),
        (("DRAW", "POINTS", "GOODS"), ("SIGN_OFF", "BLOCK")),
        (("NEWSLETTER", "", "CONTENT"), ("ALLOW", "ALLOW")),
    ],
)
def test_the_two_forms_of_an_offer_are_judged_apart(offer, answers):
    assert judged(*offer) == answers
    assert judged(*offer, profile="INTL") == ("ALLOW", "ALLOW")


@pytest.mark.parametrize(
    ("offer", "answers"),
    [
        (("EARN_RULE", "VISIT", "POINTS"), ("SIGN_OFF", "SIGN_OFF")),
        (("TIER_BENEFIT", "TIER", "CARE_DISCOUNT"), ("SIGN_OFF", "SIGN_OFF")),
        (("DRAW", "POINTS", "GOODS"), ("SIGN_OFF", "SIGN_OFF")),
        (("EARN_RULE", "REVIEW", "POINTS"), ("BLOCK", "BLOCK")),
        (("REFERRAL", "REFERRAL", "THANKS"), ("ALLOW", "ALLOW")),
        (("NEWSLETTER", "", "CONTENT"), ("ALLOW", "ALLOW")),
    ],
)
def test_in_mainland_china_nothing_of_value_runs_without_a_person_who_signs(offer, answers):
    assert judged(*offer, profile="CN") == answers


def test_where_no_rules_are_known_the_guard_says_so():
    verdict = judge_offer(Offer("DRAW", "POINTS", "GOODS"), rules_on("CN", TODAY), audience="one")

    with translation.override("en"):
        assert "knows no rule of mainland China" in str(verdict.matches[0].message)


def test_the_words_that_show_an_offer_count_as_well():
    plain = Offer("TIER_BENEFIT", "TIER", "PRIORITY", "提早三天預約")
    loud = Offer("TIER_BENEFIT", "TIER", "PRIORITY", "全國第一的金卡：提早三天預約")

    assert judge_offer(plain, TAIWAN, audience="public").answer == Answer.ALLOW
    verdict = judge_offer(loud, TAIWAN, audience="one")
    assert (verdict.answer, verdict.reasons) == (Answer.BLOCK, ["A1-A"])


def test_any_change_of_an_offer_or_its_form_is_another_offer():
    offer = Offer("REWARD", "POINTS", "SERVICE", "免費停車一小時", 60)
    others = [
        Offer("REWARD", "POINTS", "SERVICE", "免費停車一小時。", 60), Offer("REWARD", "POINTS", "SERVICE", "免費停車一小時", 61),
        Offer("COUPON", "POINTS", "SERVICE", "免費停車一小時", 60),
    ]  # fmt: skip

    assert offer.fingerprint("one") == Offer("REWARD", "POINTS", "SERVICE", "免費停車一小時", 60).fingerprint("one")
    assert len({one.fingerprint("one") for one in (offer, *others)} | {offer.fingerprint("public")}) == 5


def test_a_word_that_no_rule_knows_is_a_mistake_in_the_program():
    with pytest.raises(ValueError, match="unknown in an offer"):
        Offer("REWARD", "POINTS", "BITCOIN")
