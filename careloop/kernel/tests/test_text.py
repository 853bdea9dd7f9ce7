"""Text is stored as typed and found by any part of it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.kernel.tests.shared import shared_file
from careloop.kernel.text import (
    NulRefused,
    SurrogateRefused,
    clean,
    grams,
    matches,
    normalise,
    query_grams,
)


def hostile_strings() -> list[str]:
    strings: list[str] = []
    for name in ("big-list-of-naughty-strings.json", "clinic-strings.json"):
        strings += json.loads(shared_file(f"hostile-text/{name}").read_text(encoding="utf-8"))
    return strings + shared_file("hostile-text/xss-payloads.txt").read_text(encoding="utf-8").splitlines()


def test_every_hostile_string_is_kept_as_it_is_or_refused_by_name():
    for text in hostile_strings():
        if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
            with pytest.raises((NulRefused, SurrogateRefused)):
                clean(text)
        else:
            assert clean(text) == unicodedata.normalize("NFC", text).strip()


def test_hostile_strings_can_be_searched_for():
    for text in hostile_strings():
        normalise(text)
        if query_grams(text):
            assert set(query_grams(text)) <= set(grams(text)) or len(grams(text)) == 300


@pytest.mark.parametrize(("text", "refusal"), [("王\x00明", NulRefused), ("王\ud800明", SurrogateRefused)])
def test_a_refusal_names_the_problem_and_the_place_but_not_the_text(text, refusal):
    with pytest.raises(refusal) as caught:
        clean(text)

    assert caught.value.details == {"position": 2}
    assert isinstance(caught.value, ValueError)
    assert "王" not in str(caught.value)


def test_a_decomposed_name_is_composed():
    assert clean("Nguye\u0302\u0303n") == "Nguyễn"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("王", "王小明"),
        ("小", "王小明"),
        ("小明", "王小明"),
        ("王小明", "王小明"),
        ("諾幹", "瓦歷斯·諾幹"),
        ("瓦歷斯諾幹", "瓦歷斯·諾幹"),
        ("斯·諾", "瓦歷斯‧諾幹"),
        ("台生", "林臺生"),
        ("臺生", "林台生"),
        ("𠮷", "𠮷田花子"),
        ("maria", "Maria Santos"),
        ("antos", "Maria Santos"),
        ("m", "Maria Santos"),
        ("SANTOS maria", "Maria Santos"),
        ("nguyen van", "Nguyễn Văn Ân"),
        ("obrien", "O’Brien"),
        ("hsiao-ming", "Wang Hsiao-Ming"),
        ("ming", "Wang Hsiaoming"),
        ("ａｍｙ", "陳Amy"),
        ("陳 amy", "陳Amy"),
        ("ミケ", "ミケランジェロ"),
        ("đức", "Duc Tran"),
        ("Анна", "анна"),
    ],
)
def test_any_part_of_a_name_finds_it(query, name):
    assert matches(query, name)
    assert set(query_grams(query)) <= set(grams(name))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("大明", "王小明"),
        ("明小", "王小明"),
        ("王明", "王小明"),
        ("tos mar x", "Maria Santos"),
        ("a", "王小明"),
        ("", "王"),
    ],
)
def test_what_is_not_part_of_a_name_does_not_find_it(query, name):
    assert not matches(query, name)


def test_punctuation_alone_searches_for_nothing():
    assert query_grams(" ·-' ") == []
    assert not matches("…", "王小明")


@given(st.text(alphabet="王小明陳台臺Amy bßé-·12", max_size=12), st.data())
def test_every_part_of_a_word_is_found_by_its_grams(name, data):
    words = normalise(name).split()
    if not words:
        return
    word = data.draw(st.sampled_from(words))
    start = data.draw(st.integers(0, len(word) - 1))
    part = word[start : data.draw(st.integers(start + 1, len(word)))]
    if matches(part, name):
        assert set(query_grams(part)) <= set(grams(name))


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_more_for_grams(text):
    assert grams(normalise(text)) == grams(text) or not text.isprintable()


def test_a_chinese_name_has_few_grams():
    assert grams("王小明") == ["王", "小", "明", "王小", "小明"]
    assert len(grams("王" * 10_000)) <= 300
