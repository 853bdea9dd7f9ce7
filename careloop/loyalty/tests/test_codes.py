"""Codes prove themselves without the database, find typing mistakes, and cannot be made up."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.loyalty.reward import codes
from careloop.loyalty.reward.errors import CodeMistyped, CodeNotOurs

HERE, ELSEWHERE = UUID(int=1), UUID(int=2)
DAY = date(2026, 4, 1)
days = st.dates(min_value=codes.EPOCH, max_value=codes.LAST_DAY)
serials = st.integers(min_value=0, max_value=2**32 - 1)


@given(kind=st.sampled_from(codes.KINDS), serial=serials, day=days)
@settings(max_examples=60)
def test_a_code_says_what_was_put_into_it(kind, serial, day):
    code = codes.code_of(HERE, kind, serial=serial, good_until=day)

    assert len(code) == 19
    assert codes.read(HERE, code) == codes.Read(kind, day, serial)


def test_it_is_read_as_people_type_it():
    code = codes.code_of(HERE, "REWARD", serial=4711, good_until=DAY)

    for typed in (code.lower(), code.replace("-", ""), f"  {code.replace('-', ' ')} ", code.replace("0", "O"), code.replace("1", "l"),
                  "".join(chr(ord(letter) + 0xFEE0) for letter in code)):  # fmt: skip
        assert codes.read(HERE, typed).serial == 4711, typed


@given(serial=serials, place=st.integers(0, 15), other=st.sampled_from(codes.LETTERS))
@settings(max_examples=80)
def test_one_wrong_letter_is_always_found(serial, place, other):
    plain = codes.code_of(HERE, "COUPON", serial=serial, good_until=DAY).replace("-", "")
    typed = plain[:place] + other + plain[place + 1 :]

    if typed != plain:
        with pytest.raises(CodeMistyped):
            codes.read(HERE, typed)


@given(serial=serials, first=st.integers(0, 15), second=st.integers(0, 15))
@settings(max_examples=80)
def test_two_letters_that_changed_places_are_always_found(serial, first, second):
    letters = list(codes.code_of(HERE, "COUPON", serial=serial, good_until=DAY).replace("-", ""))
    letters[first], letters[second] = letters[second], letters[first]
    typed = "".join(letters)

    if typed != codes.code_of(HERE, "COUPON", serial=serial, good_until=DAY).replace("-", ""):
        with pytest.raises(CodeMistyped):
            codes.read(HERE, typed)


def test_another_clinics_code_is_not_ours():
    code = codes.code_of(ELSEWHERE, "REWARD", serial=1, good_until=DAY)

    assert codes.looks_like_a_code(code)
    with pytest.raises(CodeNotOurs):
        codes.read(HERE, code)


def test_a_longer_life_cannot_be_written_into_a_code():
    """Whoever knows the check character still lacks the signature: of a thousand other days none is taken."""
    plain = codes.code_of(HERE, "REWARD", serial=99, good_until=DAY).replace("-", "")
    whole = 0
    for letter in plain[:-1]:
        whole = whole << 5 | codes.VALUES[letter]
    for later in range(1, 1001):
        changed = whole + (later << (codes.SERIAL_BITS + codes.MAC_BITS))
        digits = [changed >> (5 * place) & 31 for place in reversed(range(15))]
        text = "".join(codes.LETTERS[digit] for digit in (*digits, codes._check(digits)))
        with pytest.raises(CodeNotOurs):
            codes.read(HERE, text)


def test_what_is_no_code_is_said_to_be_none():
    for text in ("", "12345", "M00012345", "ABCD-EFGH-JKMN", "王小明", "U" * 16, "\0" * 16):
        with pytest.raises(CodeMistyped):
            codes.read(HERE, text)


def test_serials_are_shuffled_and_none_comes_twice(organization):
    first = codes.new_serials(organization.pk, 500)
    second = codes.new_serials(organization.pk, 500)

    assert len({*first, *second}) == 1000
    assert sorted(first) != first
    assert max(first) > 2**31  # they use the whole range, so that nobody sees how many there are
