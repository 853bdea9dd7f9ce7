"""Festivals fall on the published days, and birthdays on the day people keep."""

from datetime import date, timedelta

import pytest

from careloop.loyalty.thanks import lunar
from careloop.loyalty.thanks.lunar import Occasion

# as published by the Directorate-General of Personnel Administration (holidays) and the Central Weather Administration (calendar)
PUBLISHED = {
    2023: {"SPRING_FESTIVAL": (1, 22), "LANTERN": (2, 5), "DRAGON_BOAT": (6, 22), "QIXI": (8, 22), "MID_AUTUMN": (9, 29), "DOUBLE_NINTH": (10, 23), "WINTER_SOLSTICE": (12, 22)},
    2024: {"SPRING_FESTIVAL": (2, 10), "LANTERN": (2, 24), "DRAGON_BOAT": (6, 10), "QIXI": (8, 10), "MID_AUTUMN": (9, 17), "DOUBLE_NINTH": (10, 11), "WINTER_SOLSTICE": (12, 21)},
    2025: {"SPRING_FESTIVAL": (1, 29), "LANTERN": (2, 12), "DRAGON_BOAT": (5, 31), "QIXI": (8, 29), "MID_AUTUMN": (10, 6), "DOUBLE_NINTH": (10, 29), "WINTER_SOLSTICE": (12, 21)},
    2026: {"SPRING_FESTIVAL": (2, 17), "LANTERN": (3, 3), "DRAGON_BOAT": (6, 19), "QIXI": (8, 19), "MID_AUTUMN": (9, 25), "DOUBLE_NINTH": (10, 18), "WINTER_SOLSTICE": (12, 22)},
    2027: {"SPRING_FESTIVAL": (2, 6), "LANTERN": (2, 20), "DRAGON_BOAT": (6, 9), "QIXI": (8, 8), "MID_AUTUMN": (9, 15), "DOUBLE_NINTH": (10, 8), "WINTER_SOLSTICE": (12, 22)},
    # after a year in which all calendars argued about the leap month
    2034: {"SPRING_FESTIVAL": (2, 19), "MID_AUTUMN": (9, 27)},
}  # fmt: skip


@pytest.mark.parametrize(
    ("year", "occasion", "day"),
    [(year, occasion, day) for year, days in PUBLISHED.items() for occasion, day in days.items()],
)
def test_festivals_fall_on_the_published_days(year, occasion, day):
    assert lunar.day_of(occasion, year) == date(year, *day)


def test_solar_festivals_need_no_calendar():
    assert lunar.day_of("NEW_YEAR", 2026) == date(2026, 1, 1)
    assert [lunar.day_of("MOTHERS_DAY", year).day for year in (2023, 2024, 2025, 2026)] == [14, 12, 11, 10]
    assert lunar.day_of("FATHERS_DAY", 2026) == date(2026, 8, 8)


def test_taiwans_public_holidays_agree():
    import holidays

    official = {2025: {}, 2026: {}}
    for year in official:
        official[year] = set(holidays.country_holidays("TW", years=year))
        for occasion in ("SPRING_FESTIVAL", "DRAGON_BOAT", "MID_AUTUMN"):
            assert lunar.day_of(occasion, year) in official[year]


def test_every_lunar_birthday_is_kept_exactly_once_a_lunar_year():
    for lunar_year in (2023, 2025, 2026):  # leap second month, leap sixth month, none
        first, end = lunar.solar_day(lunar_year, 1, 1), lunar.solar_day(lunar_year + 1, 1, 1)
        kept = [
            one
            for number in range((end - first).days)
            for one in lunar.lunar_birthdays_on(first + timedelta(days=number))
        ]

        assert sorted(kept) == [(month, day) for month in range(1, 13) for day in range(1, 31)]


def test_a_lunar_birth_date_comes_back_to_its_day():
    # born on the day of the Mid-Autumn Festival 1990
    _year, month, day = lunar.lunar_day(date(1990, 10, 3))

    assert (month, day) == (8, 15)
    assert (8, 15) in lunar.lunar_birthdays_on(lunar.day_of("MID_AUTUMN", 2026))


def test_born_on_the_29th_of_february_is_greeted_every_year():
    kept = [day for year in (2024, 2025, 2026, 2027) for day in _year_of(year) if 229 in lunar.born_on(day)]

    assert kept == [date(2024, 2, 29), date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28)]


def _year_of(year):
    return (date(year, 1, 1) + timedelta(days=number) for number in range(365 + (year % 4 == 0)))


def test_the_next_festival_is_never_in_the_past():
    for one in lunar.FESTIVALS:
        for day in (date(2026, 1, 1), date(2026, 7, 1), date(2026, 12, 31)):
            assert day <= lunar.next_day(one, since=day) <= day + timedelta(days=400)


def test_a_birthday_has_no_day_of_its_own():
    with pytest.raises(ValueError):
        lunar.day_of(Occasion.BIRTHDAY, 2026)
