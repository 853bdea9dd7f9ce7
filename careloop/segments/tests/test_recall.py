"""Recall rules: ages at their edges, intervals, seasons, and data that can be read on any day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.segments import recall

DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))


def rule(rule_id: str, day: date = date(2026, 3, 16)) -> recall.RecallRule:
    return recall.rules_on(day)[rule_id]


@pytest.mark.parametrize(
    ("born", "today", "is_for"),
    [
        # year of age: everybody born in 1986 is 40 from 1 January 2026 (民國 115), whatever the birthday
        (date(1986, 12, 31), date(2026, 1, 1), True),
        (date(1987, 1, 1), date(2026, 12, 31), False),
        (date(1962, 1, 1), date(2026, 12, 31), True),
        (date(1961, 12, 31), date(2026, 1, 1), False),
        (date(1988, 2, 29), date(2028, 1, 1), True),
    ],
)
def test_the_check_up_from_40_counts_years_of_birth(born, today, is_for):
    assert any(who.is_of_age(born, today) for who in rule("AHC-40", today).who) == is_for


@pytest.mark.parametrize(
    ("born", "today", "of_age"),
    [
        (date(2013, 3, 16), date(2026, 3, 16), True),
        (date(2013, 3, 17), date(2026, 3, 16), False),
        (date(2012, 2, 29), date(2025, 2, 28), False),  # completes 13 years at the end of this day
        (date(2012, 2, 29), date(2025, 3, 1), True),
        (date(2012, 2, 29), date(2028, 2, 29), True),
    ],
)
def test_scaling_counts_completed_years(born, today, of_age):
    assert rule("SCALE", today).who[0].is_of_age(born, today) == of_age


@given(born=DAYS, today=DAYS, low=st.integers(0, 90), wide=st.integers(0, 40))
@pytest.mark.parametrize("basis", ["birth_year", "years", "months"])
def test_the_range_of_birth_days_says_what_counting_says(basis, born, today, low, wide):
    who = recall.Who(basis, low, low + wide)
    earliest, latest = who.birth_range(today)

    if born <= today:
        assert who.is_of_age(born, today) == (earliest <= born <= latest)


@given(today=DAYS, done=DAYS, months=st.sampled_from([1, 3, 6, 12, 24, 36, 60]))
def test_the_last_day_due_again_agrees_with_counting_forward(today, done, months):
    assert (done <= recall.last_day_due_again(today, months=months)) == (recall.add_months(done, months) <= today)


@pytest.mark.parametrize(
    ("rule_id", "last_done", "today", "due"),
    [
        ("SCALE", date(2025, 9, 16), date(2026, 3, 15), False),
        ("SCALE", date(2025, 9, 16), date(2026, 3, 16), True),
        ("SCALE", date(2025, 8, 31), date(2026, 2, 28), True),
        ("SCALE", date(2025, 9, 1), date(2026, 2, 28), False),
        ("SCALE", None, date(2026, 3, 16), True),
        ("CRC", date(2024, 2, 29), date(2026, 2, 28), True),
        ("CRC", date(2024, 3, 1), date(2026, 2, 28), False),
        ("HP", date(2010, 1, 1), date(2026, 3, 16), False),  # once in life
        ("HPV", date(2025, 12, 31), date(2026, 1, 1), True),  # once in the year of 35, 45 or 65
        ("HPV", date(2026, 1, 1), date(2026, 12, 31), False),
        ("FLU-1", date(2025, 9, 30), date(2025, 10, 1), True),  # last season's dose
        ("FLU-1", date(2025, 10, 1), date(2026, 3, 16), False),
        ("FLU-1", None, date(2026, 9, 30), False),  # outside the season
        ("FLU-2", None, date(2025, 10, 31), False),
        ("FLU-2", None, date(2025, 11, 1), True),
    ],
)
def test_due_or_not(rule_id, last_done, today, due):
    assert rule(rule_id, today).is_due(last_done=last_done, today=today) == due


def test_a_rule_is_in_force_only_in_its_time():
    assert "HP" not in recall.rules_on(date(2025, 12, 31))
    assert "HP" in recall.rules_on(date(2026, 1, 1))
    assert "PCV-A" not in recall.rules_on(date(2026, 1, 14))


def test_at_most_one_version_of_a_rule_is_in_force_on_any_day():
    for day in (date(2004, 7, 1), date(2024, 12, 31), date(2025, 1, 1), date(2026, 3, 16), date(2030, 1, 1)):
        ids = [one.id for one in recall.all_rules() if one.is_in_force(day)]
        assert len(ids) == len(set(ids))


def test_every_rule_names_its_source_and_speaks_three_languages():
    for one in recall.all_rules():
        assert one.source
        assert set(one.name) == {"zh-hant", "zh-hans", "en"}
        assert one.done
        assert sum([bool(one.every_months), one.once, one.each_year, one.season is not None]) == 1, one.id


@pytest.mark.parametrize(
    ("supply_ends", "opens"),
    [
        (date(2026, 1, 23), date(2026, 1, 13)),
        (date(2026, 2, 13), date(2026, 2, 3)),
        (date(2026, 2, 14), date(2026, 1, 31)),  # Lunar New Year: from 31 January
        (date(2026, 2, 22), date(2026, 1, 31)),
        (date(2026, 2, 23), date(2026, 2, 13)),
    ],
)
def test_the_refill_window(supply_ends, opens):
    assert recall.refill_on(date(2026, 1, 1)).opens_on(supply_ends) == opens


def test_birthdays_across_the_end_of_the_year_and_in_leap_years():
    assert recall.birthdays_between(date(2026, 12, 28), date(2027, 1, 3)) == [101, 102, 103, 1228, 1229, 1230, 1231]
    assert recall.birthdays_between(date(2028, 2, 28), date(2028, 3, 1)) == [228, 229, 301]
    assert recall.birthdays_between(date(2027, 2, 28), date(2027, 3, 1)) == [228, 229, 301]
    assert recall.birthdays_between(date(2027, 3, 1), date(2027, 3, 1)) == [301]


def test_a_childs_doses_come_with_the_months():
    schedule = recall.schedule_on(date(2026, 3, 16))
    mmr = [dose for dose in schedule.doses if dose.vaccine == "mmr"]

    assert [(dose.number, dose.from_months) for dose in mmr] == [(1, 12), (2, 60)]
    assert recall.latest_birth(date(2026, 3, 31), months=1) == date(2026, 2, 28)


def test_every_code_set_that_is_named_exists():
    for one in recall.all_rules():
        for codes in one.done.values():
            assert not any(code.startswith("set:") for code in codes)
    with pytest.raises(KeyError):
        recall.expand(["set:nothing"])


def test_intervals_that_count_months_never_skip_a_day():
    day = date(2024, 1, 1)
    for _number in range(800):
        assert recall.add_months(day, 6) >= day + timedelta(days=180)
        day += timedelta(days=1)
