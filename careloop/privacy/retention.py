"""Until when records must be kept: the periods of the law, and the day they end for one person. No database here."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Period:
    """How long a legal profile asks for records to be kept; `minors_until_age` 0: no rule of their own."""

    profile: str
    years: int
    minors_until_age: int
    legal_base: str
    source: str


@cache
def periods() -> dict[str, Period]:
    """Return the periods by legal profile, read once."""
    text = (files("careloop.privacy") / "data" / "retention.toml").read_text(encoding="utf-8")
    return {one["profile"]: Period(**one) for one in tomllib.loads(text)["period"]}


def keep_until(period: Period | None, *, last_record_on: date | None, born: date | None) -> date | None:
    """Return the last day on which the records must be kept, or None when nothing asks for it.

    Seven years after 2019-05-02 the day itself still counts. Somebody whose birth date is not known may have been a minor at the
    time: the years from the latest record alone do not cover that, so the longer period from it is taken.

    >>> tw = Period("TW", 7, 25, "", "")
    >>> keep_until(tw, last_record_on=date(2019, 5, 2), born=date(1960, 1, 1))
    datetime.date(2026, 5, 2)
    >>> keep_until(tw, last_record_on=date(2019, 5, 2), born=date(2012, 2, 29))
    datetime.date(2037, 3, 1)
    >>> keep_until(tw, last_record_on=None, born=None) is None
    True
    """
    if period is None or last_record_on is None:
        return None
    until = years_after(last_record_on, period.years)
    if period.minors_until_age and born is not None:
        until = max(until, years_after(born, period.minors_until_age))
    elif period.minors_until_age:
        until = max(until, years_after(last_record_on, period.minors_until_age))
    return until


def years_after(day: date, years: int) -> date:
    """Return the same day so many years later; 29 February becomes 1 March, the later of its neighbours."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
