"""Telephone numbers: libphonenumber's verdict, and the cases where we do better on purpose."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.kernel.phones import (
    PhoneDigitsLost,
    PhoneInvalid,
    PhoneKind,
    PhoneMissing,
    PhoneRefused,
    PhoneSeveral,
    read_phone,
    read_phones,
    taiwan_mobile,
)
from careloop.kernel.tests.shared import shared_rows

TYPES = {
    "mobile": PhoneKind.MOBILE,
    "fixed": PhoneKind.FIXED,
    "fixed-or-mobile": PhoneKind.FIXED_OR_MOBILE,
    "toll-free": PhoneKind.TOLL_FREE,
    "voip": PhoneKind.VOIP,
}

# What libphonenumber does not read and we do.
BETTER = {
    "00886912345678": ["+886912345678"],
    "912345678.0": ["+886912345678"],
    "0912345678 (媽媽)": ["+886912345678"],
    "0912345678/0987654321": ["+886912345678", "+886987654321"],
    "0912345678、0987654321": ["+886912345678", "+886987654321"],
    "0912345678\n0928111222": ["+886912345678", "+886928111222"],
    "0223456789 分機 123": ["+886223456789"],
    "0223456789轉123": ["+886223456789"],
}


def test_every_number_of_the_shared_table_gets_libphonenumbers_verdict_or_a_better_one():
    rows = shared_rows("phone-numbers/taiwan-phones.csv")
    assert len(rows) == 68

    for row in rows:
        typed = row["input"].replace("\r\n", "\n")
        if typed in BETTER:
            assert [phone.e164 for phone in read_phones(typed)] == BETTER[typed], row
        elif row["libphonenumber_verdict"] == "valid":
            phone = read_phone(typed)
            assert (phone.e164, phone.extension) == (row["e164"], row["extension"]), row
            assert (phone.kind, phone.region) == (TYPES[row["libphonenumber_type"]], row["region"]), row
            assert phone.national == row["national"], row
        else:
            with pytest.raises(PhoneRefused):
                read_phones(typed)


def test_a_number_in_scientific_notation_is_refused_because_digits_are_lost():
    for typed in ("9.12346E+08", "9.12E8", "9E+08"):
        with pytest.raises(PhoneDigitsLost):
            read_phone(typed)


def test_two_numbers_in_one_field_are_two_numbers():
    with pytest.raises(PhoneSeveral) as caught:
        read_phone("0912345678/0987654321")

    assert caught.value.details == {"count": 2}


def test_two_numbers_without_a_separator_are_two_numbers():
    found = read_phones("家02-2345-6789 轉12 手機0912345678")

    assert [(one.e164, one.extension) for one in found] == [("+886223456789", "12"), ("+886912345678", "")]


def test_one_good_number_does_not_excuse_a_broken_one():
    with pytest.raises(PhoneInvalid):
        read_phones("0912345678/09876543")


def test_the_same_number_twice_is_one_number():
    assert len(read_phones("0912345678、0912-345-678")) == 1


@pytest.mark.parametrize(
    ("typed", "remark"),
    [
        ("0912345678 (媽媽)", "媽媽"),
        ("0912345678（女兒）", "女兒"),
        ("手機:0912345678", ""),
        ("手機：0912-345-678 晚上再打", "晚上再打"),
        ("TEL: (02)2345-6789", ""),
        ("0912345678/", ""),
    ],
)
def test_a_remark_is_kept_and_a_label_is_not(typed, remark):
    assert read_phone(typed).remark == remark


@pytest.mark.parametrize(
    ("typed", "extension"),
    [
        ("(02)2345-6789#123", "123"),
        ("02-2345-6789 分機123", "123"),
        ("02-2345-6789轉123", "123"),
        ("02-2345-6789 内线 5", ""),
        ("0223456789 ext 45", "45"),
        ("02-23456789 分機：88", "88"),
    ],
)
def test_extensions_in_chinese_and_english(typed, extension):
    assert read_phone(typed).extension == extension


def test_numbers_typed_to_fill_a_field_are_doubtful():
    assert read_phone("0900000000").doubtful
    assert not read_phone("0912345678").doubtful


@pytest.mark.parametrize("typed", ["0992563416", "0999619839", "0996030620"])
def test_all_of_09_is_mobile_in_taiwan(typed):
    assert read_phone(typed).kind == read_phone("+886" + typed[1:]).kind == PhoneKind.MOBILE


@pytest.mark.parametrize("typed", ["", "無", "-", "N/A", "same as mother"])
def test_no_number_is_said_to_be_none(typed):
    with pytest.raises(PhoneMissing):
        read_phone(typed)


@given(st.integers(0, 99_999_999))
def test_the_fast_path_and_the_library_agree(number):
    typed = f"09{number:08d}"
    plain = read_phone(typed)

    assert plain.e164 == taiwan_mobile(typed) == read_phone(f"+886 {typed[1:]}").e164
    assert plain.national.replace(" ", "") == typed


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(PhoneRefused):
        read_phones(text)
