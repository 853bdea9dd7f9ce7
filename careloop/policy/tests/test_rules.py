"""Every rule against its own examples, and how rules work together."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.policy.answers import Answer, MessageClass, Verdict
from careloop.policy.contacts import contact_key
from careloop.policy.rules import (
    CHECKS,
    Message,
    Recipient,
    Segment,
    judge_consent,
    judge_message,
    judge_recipient,
    judge_segment,
)
from careloop.policy.ruleset import Rule, RuleFileError, _refuse_overlaps, all_rules, rules_on
from careloop.policy.sentences import SENTENCES, SUBJECTS

TODAY = date(2026, 11, 21)
TAIWAN = rules_on("TW", TODAY)
WITH_EXAMPLES = [rule for rule in all_rules() if "with" in rule.examples]


def message(rule: Rule, text: str) -> Message:
    given_with = dict(rule.examples["with"])
    registered = frozenset(map(contact_key, given_with.pop("registered", [])))
    own_names = tuple(given_with.pop("own_names", ()))
    message_class = MessageClass(given_with.pop("message_class"))
    return Message(text, message_class, own_names=own_names, registered=registered, **given_with)


def examples(kind: str) -> list:
    return [pytest.param(rule, text, id=f"{rule.id}: {text}") for rule in WITH_EXAMPLES for text in rule.examples[kind]]


@pytest.mark.parametrize(("rule", "text"), examples("caught"))
def test_a_rule_catches_what_it_is_for(rule, text):
    verdict = judge_message(message(rule, text), [rule])

    assert rule.id in verdict.rule_ids
    for match in verdict.matches:
        assert match.text == text[match.start : match.end]
        assert str(match.message)
        assert match.legal_base


@pytest.mark.parametrize(("rule", "text"), examples("clean"))
def test_a_rule_lets_ordinary_messages_pass(rule, text):
    assert judge_message(message(rule, text), [rule]).matches == ()


@pytest.mark.parametrize(("rule", "text"), examples("near_miss"))
def test_a_rule_lets_near_misses_pass(rule, text):
    assert judge_message(message(rule, text), [rule]).matches == ()


def test_every_rule_about_words_has_all_three_kinds_of_examples():
    for rule in all_rules():
        if rule.words:
            assert all(rule.examples[kind] for kind in ("caught", "clean", "near_miss")), rule.id


def test_every_sentence_and_condition_is_used_and_known():
    assert {rule.sentence for rule in all_rules()} | {rule.offer_sentence for rule in all_rules()} == set(SENTENCES)
    assert {rule.about for rule in all_rules()} == set(SUBJECTS)
    assert {rule.check for rule in all_rules() if rule.about == "message" and rule.check} == set(CHECKS)
    assert all(rule.message and rule.subject for rule in all_rules())


# -- law.md: the wordings that were fined ------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "初診精美好禮相送",
        "光電購物節1+1必搶套餐價1111元",
        "體驗價 $1680〔原價$2980〕",
        "過敏原檢測 1,800→1,500",
        "五倍券5000抵6000，回饋20%",
        "升等金卡，多重好禮，1000元健檢抵用券",
    ],
)
def test_the_fined_wordings_are_blocked_in_public(text):
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", "public", opt_out=True), TAIWAN)

    assert verdict.answer == Answer.BLOCK


def test_the_same_offer_to_one_member_needs_a_sign_off():
    text = "體驗價 $1680"
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", "one", opt_out=True), TAIWAN)

    assert verdict.answer == Answer.SIGN_OFF
    assert verdict.reasons == ["S5"]


def test_a_government_programme_passes_as_care():
    text = "國健署補助免費癌症篩檢"
    for audience in ("one", "public"):
        verdict = judge_message(Message(text, MessageClass.CARE, "line", audience), TAIWAN)
        assert (verdict.answer, verdict.matches, verdict.reclassified) == (Answer.ALLOW, (), False)


def test_a_gift_beside_a_government_programme_is_still_a_gift():
    text = "國健署補助免費癌症篩檢。完成者本診所再送禮券！"
    verdict = judge_message(Message(text, MessageClass.CARE, "line", "public", opt_out=True), TAIWAN)

    assert verdict.answer == Answer.BLOCK
    assert "免費" not in "".join(match.text for match in verdict.matches)


# -- how answers combine -----------------------------------------------------------------------


def test_the_strongest_answer_wins_and_all_matches_are_kept():
    text = "頂尖團隊，買一送一，全國首例"
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", "one", opt_out=True), TAIWAN)

    assert verdict.answer == Answer.BLOCK
    assert {"A1-A", "A1-B", "S5"} <= set(verdict.rule_ids)
    assert verdict.reasons == ["A1-A"]


def test_an_offer_makes_care_marketing_and_then_it_needs_a_way_to_refuse():
    text = "您該洗牙了，本月只要500元"
    care = judge_message(Message(text, MessageClass.CARE, "line"), TAIWAN)

    assert (care.message_class, care.declared_class, care.reclassified) == ("MARKETING", "CARE", True)
    assert care.answer == Answer.BLOCK
    assert {"A6", "P4"} <= set(care.rule_ids)
    assert judge_message(Message(text, MessageClass.CARE, "line", opt_out=True), TAIWAN).answer == Answer.WARN


def test_an_override_to_allow_also_stops_the_reclassification():
    text = "您該洗牙了，本月只要500元"
    verdict = judge_message(Message(text, MessageClass.CARE, "line"), TAIWAN, {"A6": Answer.ALLOW})

    assert not verdict.reclassified
    assert verdict.answer == Answer.ALLOW
    assert verdict.matches[0].overridden


def test_a_message_without_a_class_is_asked_for_one():
    verdict = judge_message(Message("您好", None, "line"), TAIWAN)

    assert (verdict.answer, verdict.reasons, verdict.may_be_sent) == (Answer.REQUIRE, ["A5"], False)


def test_a_fixed_rule_cannot_be_overridden():
    plain = Message("星期六也看診", MessageClass.MARKETING, "line")

    assert judge_message(plain, TAIWAN, {"P4": Answer.ALLOW}).reasons == ["P4"]


def test_international_carries_none_of_the_taiwan_rules():
    text = "初診精美好禮相送，全國首例，買一送一"
    abroad = rules_on("INTL", TODAY)
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", "public"), abroad)

    assert verdict.matches == ()
    assert not {"S1", "S5", "A1-A", "M1", "P3"} & {rule.id for rule in abroad}


def test_a_rule_counts_from_its_first_day():
    assert "M1" not in {rule.id for rule in rules_on("TW", date(2024, 11, 17))}
    assert "M1" in {rule.id for rule in rules_on("TW", date(2024, 11, 18))}


def test_two_versions_of_a_rule_never_count_on_one_day():
    rule = next(rule for rule in all_rules() if rule.id == "S1")

    with pytest.raises(RuleFileError, match="two versions"):
        _refuse_overlaps((rule, rule))


def test_an_unknown_profile_is_a_mistake_in_the_program():
    with pytest.raises(ValueError, match="unknown legal profile"):
        rules_on("XX", TODAY)


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "特 價",
        "特　價",
        "特\u200b價",
        "特·價",
        "原 價 999",
        "買\u2060一\u2060送\u2060一",
        "ＢＵＹ ＯＮＥ ＧＥＴ ＯＮＥ",
    ],
)
def test_blanks_width_and_invisible_characters_do_not_hide_a_word(text):
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", "public", opt_out=True), TAIWAN)

    assert "S5" in verdict.rule_ids


def test_the_matched_span_is_that_of_the_original_text():
    text = "安心\u200b診所：明天　特 價 中"
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", "public", opt_out=True), TAIWAN)
    match = next(match for match in verdict.matches if match.rule_id == "S5")

    assert text[match.start : match.end] == match.text == "特 價"


def test_the_organizations_own_name_is_not_read():
    text = "安心精神科診所提醒您明天的預約"

    assert judge_message(Message(text, MessageClass.OPERATIONAL, "sms"), TAIWAN).answer == Answer.BLOCK
    named = Message(text, MessageClass.OPERATIONAL, "sms", own_names=("安心精神科診所",))
    assert judge_message(named, TAIWAN).answer == Answer.ALLOW


def test_health_content_may_stand_where_only_the_patient_reads_and_where_it_says_nothing_about_one():
    text = "您的糖尿病該回診追蹤了"

    assert judge_message(Message(text, MessageClass.CARE, "portal"), TAIWAN).answer == Answer.ALLOW
    assert judge_message(Message(text, MessageClass.EDUCATION, "line", "public"), TAIWAN).answer == Answer.ALLOW
    for channel in ("line", "sms", "email", "wechat", "push"):
        assert judge_message(Message(text, MessageClass.CARE, channel), TAIWAN).answer == Answer.BLOCK


def test_the_officials_website_may_be_named():
    assert judge_message(Message("請至官網查看", MessageClass.CARE, "line"), TAIWAN).answer == Answer.ALLOW


@given(st.text(max_size=80), st.sampled_from(list(MessageClass)), st.sampled_from(["one", "public"]))
def test_any_text_gets_a_verdict_with_true_spans(text, message_class, audience):
    verdict = judge_message(Message(text, message_class, "sms", audience), TAIWAN)

    for match in verdict.matches:
        assert text[match.start : match.end] == match.text


# -- e-mail, text messages ---------------------------------------------------------------------


def test_marketing_by_email_needs_one_click():
    def judged(one_click):
        email = Message("新門診時間公告", MessageClass.MARKETING, "email", opt_out=True, one_click=one_click)
        return judge_message(email, TAIWAN)

    assert judged(one_click=False).reasons == ["M4"]
    assert judged(one_click=True).answer == Answer.ALLOW


def test_care_by_email_needs_no_one_click():
    assert judge_message(Message("明天回診", MessageClass.CARE, "email"), TAIWAN).answer == Answer.ALLOW


def test_one_sms_contact_too_many_is_shown_with_its_words():
    text = "改期請電02-2345-6789或上https://evil.example/x"
    sms = Message(text, MessageClass.CARE, "sms", registered=frozenset({contact_key("0223456789")}))
    verdict = judge_message(sms, TAIWAN)

    assert [match.text for match in verdict.matches] == ["https://evil.example/x"]
    assert judge_message(Message(text, MessageClass.CARE, "line"), TAIWAN).answer == Answer.ALLOW


# -- segments, consent, recipients -------------------------------------------------------------


@pytest.mark.parametrize(
    ("segment", "answer"),
    [
        (Segment("MARKETING", ("diagnosis",)), Answer.BLOCK),
        (Segment("MARKETING", ("diagnosis",), every_member_consented=True), Answer.ALLOW),
        (Segment("MARKETING"), Answer.ALLOW),
        (Segment("CARE", ("diagnosis",)), Answer.ALLOW),
    ],
)
def test_a_marketing_segment_reads_clinical_data_only_with_written_consent(segment, answer):
    verdict = judge_segment(segment, TAIWAN)

    assert verdict.answer == answer
    if answer == Answer.BLOCK:
        assert "diagnosis" in str(verdict.matches[0].message)


@pytest.mark.parametrize(
    ("purposes", "answer"),
    [
        (["care", "marketing"], Answer.REQUIRE),
        (["CARE", "HEALTH_MARKETING"], Answer.REQUIRE),
        (["marketing"], Answer.ALLOW),
        (["care", "education"], Answer.ALLOW),
    ],
)
def test_consent_to_marketing_is_asked_apart(purposes, answer):
    assert judge_consent(purposes, TAIWAN).answer == answer


def test_refusing_marketing_leaves_care_and_operational_messages():
    refused = frozenset({MessageClass.MARKETING})

    assert judge_recipient(Recipient(MessageClass.MARKETING, refused), TAIWAN).answer == Answer.BLOCK
    for message_class in (MessageClass.CARE, MessageClass.OPERATIONAL):
        assert judge_recipient(Recipient(message_class, refused), TAIWAN).answer == Answer.ALLOW


def test_a_sign_off_turns_only_its_rule_into_a_warning():
    text = "體驗價 $1680，初診好禮"
    verdict = judge_message(Message(text, MessageClass.MARKETING, "line", opt_out=True), TAIWAN)

    assert verdict.with_sign_offs(frozenset({"S5"})).answer == Answer.SIGN_OFF
    signed = verdict.with_sign_offs(frozenset({"S1", "S5"}))
    assert (signed.answer, signed.may_be_sent) == (Answer.WARN, True)
    assert all(match.signed_off for match in signed.matches)


def test_a_block_cannot_be_signed_off():
    verdict = judge_message(Message("國內首例", MessageClass.MARKETING, "line", opt_out=True), TAIWAN)

    assert verdict.with_sign_offs(frozenset({"A1-A"})).answer == Answer.BLOCK


def test_no_match_means_allowed():
    assert Verdict.of((), None, None).answer == Answer.ALLOW
