"""Which days a clinic is closed by the calendar: public holidays of Taiwan, and what the clinic itself says of a day."""

from datetime import date, timedelta
from functools import lru_cache

from django.utils import translation

from careloop.kernel import sql

COUNTRIES = {"TW": "TW", "CN": "CN"}
LANGUAGES = {
    "TW": {"zh-hant": "zh_TW", "zh-hans": "zh_CN", "en": "en_US"},
    "CN": {"zh-hant": "zh_TW", "zh-hans": "zh_CN", "en": "en_US"},
}


@lru_cache(maxsize=64)
def public_holidays(profile: str, year: int, language: str = "zh-hant") -> dict[date, str]:
    """Return a year's public holidays with their names; weekend days are none unless a holiday falls on them.

    For Taiwan these are the days of the government's office calendar (checked for 2026 and 2027 by a test).

    >>> public_holidays("TW", 2026)[date(2026, 2, 17)]
    '春節'
    """
    country = COUNTRIES.get(profile)
    if country is None:
        return {}
    import holidays  # 9 MB that a web process never needs: sessions are planned by the worker

    words = LANGUAGES[country].get(language, "en_US")
    return dict(holidays.country_holidays(country, years=year, language=words))


def closed_days(*, first: date, last: date, location_id: object = None) -> dict[date, str]:
    """Return the days from `first` to `last` on which the clinic is closed, with the reason's name.

    The clinic's own word on a day counts more than the calendar, and a branch's own more than the clinic's.
    """
    profile = sql.value("select legal_profile from tenancy_organization")
    language = translation.get_language() or "zh-hant"
    found = {
        day: name for year in range(first.year, last.year + 1)
        for day, name in public_holidays(profile, year, language).items() if first <= day <= last
    }  # fmt: skip
    own = sql.rows(
        """select on_date, is_open, name from scheduling_day_exception
            where on_date between %s and %s and (location_id is null or location_id = %s) order by location_id nulls first""",
        [first, last, location_id],
    )
    for row in own:
        if row["is_open"]:
            found.pop(row["on_date"], None)
        else:
            found[row["on_date"]] = row["name"]
    return dict(sorted(found.items()))


def days_between(first: date, last: date) -> list[date]:
    """Return every day from `first` to `last`."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
