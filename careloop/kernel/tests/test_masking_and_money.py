"""Masks hide enough; money never loses a unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.kernel.masking import mask_address, mask_email, mask_id, mask_line_id, mask_name, mask_phone
from careloop.kernel.money import Money, MoneyRefused, TooManyDecimals, format_money, read_money


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("王小明", "王○明"),
        ("王明", "王○"),
        ("王", "王○"),
        ("歐陽娜娜", "歐陽○娜"),
        ("司馬光", "司馬○"),
        ("巴奈庫穗", "巴○○穗"),
        ("瓦歷斯·諾幹", "瓦****"),
        ("Maria Santos", "M**** S****"),
        ("", ""),
    ],
)
def test_names_are_masked_as_in_a_waiting_room(name, masked):
    assert mask_name(name) == masked


def test_numbers_and_addresses_keep_what_the_desk_needs():
    assert mask_id("A123456789") == "A12****789"
    assert mask_phone("+886912345678") == mask_phone("0912345678") == "09**-***-678"
    assert mask_email("amy@clinic.tw") == "a****@clinic.tw"
    assert mask_line_id("U8e742f61d673b39c7fff3cecb7536ef0") == "U8e7****6ef0"
    assert mask_address("100臺北市中正區重慶南路一段122號") == "100臺北市中正區****"
    assert mask_address("somewhere 5") == "****"


@pytest.mark.parametrize("mask", [mask_id, mask_phone, mask_email, mask_line_id])
@pytest.mark.parametrize("short", ["1", "12", "A123", "12345"])
def test_a_short_value_is_hidden_whole(mask, short):
    assert mask(short) == "****"


@given(st.from_regex(r"\+886[2-9][0-9]{7,8}", fullmatch=True))
def test_a_masked_phone_shows_at_most_the_area_and_three_digits(e164):
    shown = sum(char.isdigit() for char in mask_phone(e164))

    assert shown <= 3 + 4


def test_taiwan_dollars_have_no_cents():
    assert format_money(1200) == "NT$1,200"
    assert format_money(1234567, "CNY") == "CN¥12,345.67"
    assert format_money(-5, "USD") == "−US$0.05"
    assert str(Money(1200) + Money(34)) == "NT$1,234"


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("1200", 1200),
        ("1,200", 1200),
        ("NT$1,200", 1200),
        ("NT$ 1,200元", 1200),
        ("＄１，２００", 1200),
        ("1200元", 1200),
        ("1,200.00", 1200),
        ("(500)", -500),
        ("-500", -500),
        ("−500", -500),
        ("NTD500", 500),
        ("新臺幣500元", 500),
        (0, 0),
        (1200.0, 1200),
    ],
)
def test_amounts_as_people_type_them(typed, amount):
    assert read_money(typed) == Money(amount, "TWD")


def test_a_currency_written_with_the_amount_wins():
    assert read_money("US$12.5") == Money(1250, "USD")
    assert read_money("人民幣100") == Money(10000, "CNY")


@pytest.mark.parametrize("typed", ["", "免費", "12,34", "1.2.3", "1e5", "(500", "nan", "inf", "1_000", "--5", "9" * 30])
def test_what_is_no_amount_is_refused(typed):
    with pytest.raises(MoneyRefused):
        read_money(typed)


def test_money_is_never_rounded():
    with pytest.raises(TooManyDecimals):
        read_money("12.5")


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="cannot be added"):
        Money(1, "TWD") + Money(1, "USD")


@given(st.integers(-(10**12), 10**12), st.sampled_from(["TWD", "USD", "CNY", "JPY"]))
def test_what_we_write_we_read_again(amount, currency):
    written = format_money(amount, currency)

    if currency != "JPY":
        assert read_money(written) == Money(amount, currency)
