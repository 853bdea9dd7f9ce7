"""Taiwan's numbers: the published rule, every row of the shared table."""

from datetime import date

import pytest

from careloop.kernel.taiwan import IdKind, check_digit_is_right, is_valid_business_number, read_id
from careloop.kernel.tests.shared import shared_rows

KINDS = {
    "national-id": IdKind.NATIONAL_ID,
    "resident-new (since 2021-01-02)": IdKind.RESIDENT,
    "resident-old (two letters)": IdKind.RESIDENT_OLD,
}


def test_every_number_of_the_shared_table_gets_its_verdict():
    rows = shared_rows("taiwan-identifiers/ids.csv")
    assert len(rows) == 97

    for row in rows:
        read = read_id(row["input"])
        assert read.valid == (row["expected"] == "valid"), row
        if read.valid:
            assert (read.value, read.sex) == (row["normalised"], row["sex"]), row
        if row["kind"] in KINDS and read.kind != IdKind.OTHER:
            assert read.kind == KINDS[row["kind"]], row


def test_every_business_number_of_the_shared_table_gets_both_verdicts():
    rows = shared_rows("taiwan-identifiers/business-numbers.csv")
    assert len(rows) == 21

    for row in rows:
        now = is_valid_business_number(row["input"])
        before = is_valid_business_number(row["input"], on=date(2023, 3, 31))
        assert ("valid" if now else "invalid") == row["expected_since_2023"], row
        assert ("valid" if before else "invalid") == row["expected_before_2023"], row


def test_a_wrong_check_digit_still_says_kind_and_sex():
    read = read_id("A223456780")

    assert (read.kind, read.sex, read.valid) == (IdKind.NATIONAL_ID, "female", False)


def test_only_one_check_digit_fits():
    fits = [digit for digit in "0123456789" if check_digit_is_right("A12345678" + digit)]

    assert fits == ["9"]


def test_a_number_of_another_shape_is_a_programming_mistake():
    with pytest.raises(ValueError, match="shape"):
        check_digit_is_right("無")
