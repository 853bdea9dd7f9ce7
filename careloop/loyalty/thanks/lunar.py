"""When occasions are: birthdays and festivals by the solar and the lunar calendar. No clock, no database.

Lunar dates come from lunar-python; it is loaded when the first is asked for, because a web process asks for none.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

from django.db import models
from django.utils.translation import gettext_lazy as _


class Occasion(models.TextChoices):
    """What the clinic greets for."""

    BIRTHDAY = "BIRTHDAY", _("Birthday")
    NEW_YEAR = "NEW_YEAR", _("New Year")
    SPRING_FESTIVAL = "SPRING_FESTIVAL", _("Lunar New Year")
    LANTERN = "LANTERN", _("Lantern Festival")
    MOTHERS_DAY = "MOTHERS_DAY", _("Mother’s Day")
    DRAGON_BOAT = "DRAGON_BOAT", _("Dragon Boat Festival")
    FATHERS_DAY = "FATHERS_DAY", _("Father’s Day (8 August)")
    QIXI = "QIXI", _("Qixi Festival")
    MID_AUTUMN = "MID_AUTUMN", _("Mid-Autumn Festival")
    DOUBLE_NINTH = "DOUBLE_NINTH", _("Double Ninth Festival")
    WINTER_SOLSTICE = "WINTER_SOLSTICE", _("Winter Solstice")


SOLAR = {Occasion.NEW_YEAR: (1, 1), Occasion.FATHERS_DAY: (8, 8)}
LUNAR = {
    Occasion.SPRING_FESTIVAL: (1, 1), Occasion.LANTERN: (1, 15), Occasion.DRAGON_BOAT: (5, 5), Occasion.QIXI: (7, 7),
    Occasion.MID_AUTUMN: (8, 15), Occasion.DOUBLE_NINTH: (9, 9),
}  # fmt: skip
FESTIVALS = tuple(one for one in Occasion if one is not Occasion.BIRTHDAY)


@lru_cache(maxsize=512)
def day_of(occasion: str, year: int) -> date:
    """Return the day of a festival in a solar year.

    Args:
        occasion: any but BIRTHDAY, which is everybody's own.

    Raises:
        ValueError: it is a birthday, or no occasion.

    >>> day_of("MID_AUTUMN", 2026), day_of("WINTER_SOLSTICE", 2026), day_of("MOTHERS_DAY", 2026)
    (datetime.date(2026, 9, 25), datetime.date(2026, 12, 22), datetime.date(2026, 5, 10))
    """
    known = Occasion(occasion)
    if known in SOLAR:
        return date(year, *SOLAR[known])
    if known in LUNAR:
        # the months 1 to 9 of a lunar year all lie in the solar year of the same number
        return solar_day(year, *LUNAR[known])
    if known is Occasion.MOTHERS_DAY:
        first = date(year, 5, 1)
        return first + timedelta(days=(6 - first.weekday()) % 7 + 7)
    if known is Occasion.WINTER_SOLSTICE:
        from lunar_python import Lunar

        # the table of a lunar year begins with the solstice before it; DONG_ZHI is the one at its end
        return _date(Lunar.fromYmd(year, 1, 1).getJieQiTable()["DONG_ZHI"])
    raise ValueError("a birthday is everybody's own")


def next_day(occasion: str, *, since: date) -> date:
    """Return when a festival comes next, `since` included.

    >>> next_day("NEW_YEAR", since=date(2026, 1, 2))
    datetime.date(2027, 1, 1)
    """
    day = day_of(occasion, since.year)
    return day if day >= since else day_of(occasion, since.year + 1)


@lru_cache(maxsize=4096)
def solar_day(lunar_year: int, month: int, day: int) -> date:
    """Return the solar date of a day of a lunar year. The 30th of a month that has 29 days is kept on the 29th.

    >>> solar_day(2026, 1, 1), solar_day(2024, 12, 30)
    (datetime.date(2026, 2, 17), datetime.date(2025, 1, 28))
    """
    from lunar_python import Lunar, LunarYear

    found = LunarYear.fromYear(lunar_year).getMonth(month)
    return _date(Lunar.fromYmd(lunar_year, month, min(day, found.getDayCount())).getSolar())


@lru_cache(maxsize=4096)
def lunar_day(on: date) -> tuple[int, int, int]:
    """Return the lunar year, month and day of a solar date. A leap month counts as the month it repeats.

    >>> lunar_day(date(2026, 9, 25)), lunar_day(date(1990, 6, 23))
    ((2026, 8, 15), (1990, 5, 1))
    """
    from lunar_python import Solar

    found = Solar.fromYmd(on.year, on.month, on.day).getLunar()
    return found.getYear(), abs(found.getMonth()), found.getDay()


def lunar_birthdays_on(on: date) -> list[tuple[int, int]]:
    """Return which lunar birthdays (month, day) are kept on a solar date: none in a leap month, two where a 30th is missing.

    >>> lunar_birthdays_on(date(2025, 1, 28)), lunar_birthdays_on(date(2025, 7, 25))
    ([(12, 29), (12, 30)], [])
    """
    year, month, day = lunar_day(on)
    if solar_day(year, month, day) != on:
        return []  # a leap month: its birthdays were kept in the month before
    without_30th = day == 29 and solar_day(year, month, 30) == on
    return [(month, day), (month, 30)] if without_30th else [(month, day)]


def born_on(on: date) -> list[int]:
    """Return which solar birthdays (month × 100 + day) are kept on a date: 29 February on the 28th in common years.

    >>> born_on(date(2026, 2, 28)), born_on(date(2028, 2, 28)), born_on(date(2028, 2, 29))
    ([228, 229], [228], [229])
    """
    is_leap = (date(on.year, 3, 1) - timedelta(days=1)).day == 29
    return [228, 229] if (on.month, on.day) == (2, 28) and not is_leap else [on.month * 100 + on.day]


def around(on: date, days: int) -> Iterable[date]:
    """Return the dates from `days` before to `days` after."""
    return (on + timedelta(days=number) for number in range(-days, days + 1))


def _date(solar: object) -> date:
    return date(solar.getYear(), solar.getMonth(), solar.getDay())  # type: ignore[attr-defined]
