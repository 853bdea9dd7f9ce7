"""The rules against the labelled texts: the fined wordings are caught, the lawful near misses pass, and the rest is counted."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from careloop.policy.answers import Answer, MessageClass
from careloop.policy.measuring import FORMS, Count, judge, labelled_texts, measure
from careloop.policy.rules import Message, judge_message
from careloop.policy.ruleset import rules_on

TODAY = date(2026, 11, 22)
TEXTS = list(labelled_texts())
FINED = [
    "初診精美好禮相送", "光電購物節1+1必搶套餐價1111元", "體驗價 $1680〔原價$2980〕", "過敏原檢測1,800→1,500", "五倍券5000抵6000，回饋20%",
    "升等金卡，多重好禮，1000元健檢抵用券",
]  # fmt: skip


@pytest.mark.parametrize("text", FINED)
def test_the_fined_wordings_are_blocked_in_public_and_signed_for_members(text):
    one = next(one for one in TEXTS if one.text == text)

    assert [judge(one, form, TODAY).answer for form in FORMS] == [Answer.BLOCK, Answer.SIGN_OFF]


@pytest.mark.parametrize("one", [one for one in TEXTS if one.why.startswith("lawful")], ids=lambda one: one.text)
def test_a_lawful_near_miss_passes(one):
    assert [judge(one, form, TODAY).may_be_sent for form in FORMS] == [True, True]


def test_the_engine_reads_as_well_as_it_is_said_to():
    """`careloop bench policy` lists each mistake. The later texts were never used for mending, of the first ones the kinds of mistakes."""
    known, first, later = (
        measure([one for one in TEXTS if one.held_out == held], on=TODAY) for held in ("", "first", "later")
    )

    assert known.texts >= 200
    assert known.stops.precision > 0.98
    assert known.stops.recall > 0.97
    assert first.stops.precision > 0.95
    assert first.stops.recall > 0.97
    assert later.texts >= 40
    assert later.stops.precision > 0.95
    assert later.stops.recall > 0.6


@pytest.mark.parametrize(
    "text",
    [
        "請於一樓領取報告一份。", "護理師會送您一張衛教單張。", "體重再減三公斤就達標了。", "每餐少吃一百大卡，一個月省下三千大卡。", "只要500公克，寶寶就能出院了。",
        "原訂0900看診，改為1000。", "只收1200人次的門診量，敬請見諒。", "The nurse will give you a free flu leaflet.", "年終大掃除，本所休診一天。", "來院請取一個號碼牌。",
    ],
)  # fmt: skip
def test_amounts_and_papers_that_are_no_offer_pass(text):
    """What the wider patterns for amounts, and for one of something, must leave alone."""
    assert judge_message(
        Message(text, MessageClass.MARKETING, "portal", opt_out=True), rules_on("TW", TODAY)
    ).may_be_sent


@pytest.mark.parametrize("where", ["messaging/data/library.toml", "journeys/data/library.toml"])
def test_the_programs_own_texts_offer_nothing(where):
    """Hundreds of real messages in three languages that were not written for the rules."""
    found = tomllib.loads((Path(__file__).parents[2] / where).read_text(encoding="utf-8"))

    for text in _texts_in(found):
        message = Message(text, MessageClass.OPERATIONAL, "portal", opt_out=True)
        assert judge_message(message, rules_on("TW", TODAY)).matches == (), text


def _texts_in(told: Any) -> list[str]:
    if isinstance(told, str):
        return [told]
    inside = told.values() if isinstance(told, dict) else told if isinstance(told, list) else []
    return [text for one in inside for text in _texts_in(one)]


def test_no_text_is_labelled_twice():
    assert len({one.text for one in TEXTS}) == len(TEXTS)


def test_counting_knows_hits_false_alarms_and_misses():
    count = Count()
    for wanted, found in ((True, True), (True, False), (False, True), (False, False)):
        count.add(wanted=wanted, found=found)

    assert (count.precision, count.recall) == (0.5, 0.5)
    assert (Count().precision, Count().recall) == (1.0, 1.0)
