"""Until when records must be kept, by the law of the clinic's profile."""

from datetime import date

import pytest

from careloop.privacy.retention import keep_until, periods, years_after

TW, CN = periods()["TW"], periods()["CN"]


def test_taiwan_keeps_seven_years_and_what_is_of_minors_until_25():
    """醫療法 70: at least seven years, for minors until seven years after coming of age (18 since 2023)."""
    assert (TW.years, TW.minors_until_age) == (7, 25)
    assert TW.legal_base == "醫療法第70條"


@pytest.mark.parametrize(
    ("period", "last", "born", "until"),
    [
        (TW, date(2019, 5, 2), date(1960, 1, 1), date(2026, 5, 2)),
        (TW, date(2019, 5, 2), date(2012, 8, 9), date(2037, 8, 9)),
        (TW, date(2030, 5, 2), date(2006, 8, 9), date(2037, 5, 2)),  # the later of the two
        (TW, date(2019, 5, 2), None, date(2044, 5, 2)),  # may have been a newborn
        (TW, None, date(1960, 1, 1), None),
        (CN, date(2019, 5, 2), date(2018, 8, 9), date(2034, 5, 2)),
        (None, date(2019, 5, 2), date(1960, 1, 1), None),
    ],
)
def test_the_last_day_to_keep(period, last, born, until):
    assert keep_until(period, last_record_on=last, born=born) == until


def test_a_leap_day_ends_on_the_day_after():
    assert years_after(date(2020, 2, 29), 7) == date(2027, 3, 1)
    assert years_after(date(2020, 2, 29), 8) == date(2028, 2, 29)
