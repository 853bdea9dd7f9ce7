"""Every way of writing a date that Taiwanese clinics use, and ages around the awkward days."""

from contextlib import suppress
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.kernel.dates import (
    DateImpossible,
    DateRefused,
    DateTooLate,
    DateUnreadable,
    SerialImpossible,
    age_by_birth_year,
    age_in_months,
    age_in_years,
    format_roc,
    from_serial,
    read_date,
    roc_year,
)
from careloop.kernel.tests.shared import shared_rows

MARCH_5 = date(1990, 3, 5)


def test_every_roc_date_of_the_shared_table_is_read():
    rows = shared_rows("calendar/roc-dates.csv")
    assert len(rows) == 65

    for row in rows:
        if row["expected_iso"]:
            assert read_date(row["input"]).value.isoformat() == row["expected_iso"], row
        else:
            with pytest.raises(DateImpossible):
                read_date(row["input"])


def test_every_date_of_the_many_forms_file_is_read_as_in_the_canonical_file():
    canonical = {row["病歷號"]: row["生日"] for row in shared_rows("csv-encodings/canonical.csv")}

    for row in shared_rows("csv-encodings/dates-many-forms.csv"):
        assert read_date(row["生日"]).value.isoformat() == canonical[row["病歷號"]], row


@pytest.mark.parametrize(
    "typed",
    [
        "1990-03-05",
        "1990/3/5",
        "1990.3.5",
        "1990 3 5",
        "19900305",
        "1990年3月5日",
        "西元1990年3月5日",
        "079/03/05",
        "79/3/5",
        "79-3-5",
        "79.03.05",
        "0790305",
        "790305",
        "民國79年3月5日",
        "民國 79 年 3 月 5 日",
        "中華民國七十九年三月五日",
        "79年3月5日",
        "民國79/3/5",
        "ROC 79/3/5",
        "R.O.C. 79/3/5",
        "民國0790305",
        "００７９０３０５",
        "１９９０／３／５",
        "３/5/1990",
        "3/5/1990",
        "1990-03-05 00:00:00",
        "1990-03-05T08:30:00+08:00",
        "1990/3/5 下午 03:20:00",
        "0079/03/05",
        "5 Mar 1990",
        "March 5, 1990",
        "05-MAR-1990",
        "1990-Mar-05",
        "32937",
        "32937.0",
        32937,
        32937.0,
        32937.75,
        19900305,
        790305,
        MARCH_5,
        datetime(1990, 3, 5, 12),
        "'0790305",
        " 79/3/5　",
    ],
)
def test_the_fifth_of_march_is_read_in_every_form(typed):
    assert read_date(typed).value == MARCH_5


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "無",
        "不詳",
        "1990",
        "1990-03",
        "79年3月",
        "abc",
        "1/2",
        "1.5",
        "9.12E+08",
        "1990-3/5",
        "12345678901",
        "--",
        "１",
    ],
)
def test_what_is_no_date_is_refused(typed):
    with pytest.raises(DateUnreadable):
        read_date(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "1990-02-30",
        "19900230",
        "0790229",
        "79/2/29",
        "民國79年2月29日",
        "13/32/1990",
        "30/30/1990",
        "790229",
        "0791301",
        "民國79年13月5日",
        "民國0年1月1日",
        "民前0年1月1日",
        "0000-01-01",
        "00000101",
    ],
)
def test_a_day_that_does_not_exist_is_refused_with_its_parts(typed):
    with pytest.raises(DateRefused) as caught:
        read_date(typed)

    assert set(caught.value.details) == {"year", "month", "day"}
    assert str(caught.value)


def test_a_date_with_two_meanings_says_so():
    read = read_date("11/7/1988")

    assert (read.value, read.form, read.others) == (date(1988, 11, 7), "MDY", (date(1988, 7, 11),))
    assert read_date("11/7/1988", order="DMY").value == date(1988, 7, 11)


def test_a_day_above_twelve_settles_the_order():
    assert read_date("4/21/1943") == read_date("4/21/1943", order="DMY")
    assert read_date("21/4/1943").value == date(1943, 4, 21)
    assert not read_date("4/21/1943").ambiguous
    assert not read_date("7/7/1988").ambiguous


def test_roc_dates_are_certain_unless_they_could_be_month_day_year():
    assert not read_date("79/3/5").ambiguous
    assert not read_date("079/03/05").ambiguous
    assert read_date("6/3/16").others == (date(2016, 6, 3), date(1916, 6, 3))
    assert read_date("790305").ambiguous


def test_the_latest_day_chooses_between_readings():
    today = date(2026, 11, 21)

    assert read_date("90131").value == date(2146, 10, 7)
    assert read_date("90131", latest=today).value == date(1920, 1, 31)
    with pytest.raises(DateTooLate):
        read_date("2027-01-01", latest=today)


def test_spreadsheet_serials_of_both_systems():
    assert from_serial(1) == date(1900, 1, 1)
    assert from_serial(59) == date(1900, 2, 28)
    assert from_serial(61) == date(1900, 3, 1)
    assert from_serial(0, epoch=1904) == date(1904, 1, 1)
    assert read_date("36616", epoch=1904).value == date(2004, 4, 1)
    for serial, epoch in ((0, 1900), (60, 1900), (-1, 1904), (10**9, 1900)):
        with pytest.raises(SerialImpossible):
            from_serial(serial, epoch=epoch)


@given(st.dates(min_value=date(1912, 1, 1), max_value=date(2910, 12, 31)))
def test_what_we_write_we_read_again(day):
    for style in ("words", "slashes", "compact"):
        assert read_date(format_roc(day, style=style)).value == day
    assert read_date(day.isoformat()).value == read_date(f"{day:%Y%m%d}").value == day


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text):
    with suppress(DateRefused):
        read_date(text)


def test_there_is_no_year_zero():
    assert [roc_year(date(year, 1, 1)) for year in (1913, 1912, 1911, 1907)] == [2, 1, -1, -5]
    assert format_roc(date(1911, 12, 31)) == "民前1年12月31日"
    assert read_date("民前1年12月31日").value == date(1911, 12, 31)
    with pytest.raises(ValueError, match="no short"):
        format_roc(date(1907, 3, 1), style="compact")


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        (date(1990, 3, 5), date(2026, 3, 4), 35),
        (date(1990, 3, 5), date(2026, 3, 5), 36),
        (date(2000, 2, 29), date(2026, 2, 28), 25),
        (date(2000, 2, 29), date(2026, 3, 1), 26),
        (date(2000, 2, 29), date(2024, 2, 28), 23),
        (date(2000, 2, 29), date(2024, 2, 29), 24),
        (date(2026, 11, 21), date(2026, 11, 21), 0),
    ],
)
def test_age_in_years_around_birthdays(born, on, years):
    assert age_in_years(born, on=on) == years


@pytest.mark.parametrize(
    ("born", "on", "months"),
    [
        (date(2026, 1, 31), date(2026, 2, 28), 0),
        (date(2026, 1, 31), date(2026, 3, 1), 1),
        (date(2026, 1, 31), date(2026, 3, 31), 2),
        (date(2025, 12, 15), date(2026, 12, 14), 11),
        (date(2025, 12, 15), date(2026, 12, 15), 12),
    ],
)
def test_age_in_months_around_the_ends_of_months(born, on, months):
    assert age_in_months(born, on=on) == months


def test_screening_age_changes_with_the_year_not_the_birthday():
    born = date(1986, 12, 31)

    assert age_by_birth_year(born, on=date(2026, 1, 1)) == 40
    assert age_in_years(born, on=date(2026, 1, 1)) == 39


def test_nobody_has_an_age_before_birth():
    born = date(2026, 1, 2)

    for age in (age_in_years, age_in_months):
        with pytest.raises(ValueError, match="before the birth"):
            age(born, on=born - timedelta(days=1))
