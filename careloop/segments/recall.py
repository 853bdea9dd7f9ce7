"""Recall rules: who is due for what, as dated data in `data/recall.toml`, and the arithmetic of ages and intervals.

Nothing here knows the database or the clock; `catalogue` asks the same questions of all patients in SQL, and tests hold
the two together.
"""

import calendar
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from django.utils.translation import get_language

from careloop.kernel.dates import age_by_birth_year, age_in_months, age_in_years

AgeBasis = Literal["birth_year", "years", "months"]
OLDEST = 130


@dataclass(frozen=True)
class Who:
    """One way of being among those a rule is for; the ways of a rule are alternatives.

    `basis` says how age is counted: by year of birth (screening programmes), in completed years, or in completed
    months (children). `ages` are single ages instead of a range. `notes` are codes of the health background, `conditions`
    codes of diagnoses; one of each that is named must be there.
    """

    basis: AgeBasis
    from_age: int
    to_age: int
    sex: str = ""
    notes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def birth_range(self, today: date) -> tuple[date, date]:
        """Return the first and the last day of birth of people who are of this age today."""
        if self.basis == "birth_year":
            return date(today.year - self.to_age, 1, 1), date(today.year - self.from_age, 12, 31)
        if self.basis == "months":
            return latest_birth(today, months=self.to_age + 1) + timedelta(days=1), latest_birth(
                today, months=self.from_age
            )
        return latest_birth(today, months=12 * (self.to_age + 1)) + timedelta(days=1), latest_birth(
            today, months=12 * self.from_age
        )

    def is_of_age(self, born: date, today: date) -> bool:
        """Whether somebody is of this age today, counted from birth; `birth_range` says the same for all at once."""
        if born > today:
            return False
        if self.basis == "birth_year":
            age = age_by_birth_year(born, on=today)
        elif self.basis == "months":
            age = age_in_months(born, on=today)
        else:
            age = age_in_years(born, on=today)
        return self.from_age <= age <= self.to_age


@dataclass(frozen=True)
class RecallRule:
    """One recall rule in one period of validity.

    Due again `every_months` after the last time; once in life (`once`); once per calendar year in which the age is
    reached (`each_year`); or once per season (`season`: first and last month-and-day).
    """

    id: str
    valid_from: date
    valid_to: date | None
    name: Mapping[str, str]
    source: str
    who: tuple[Who, ...]
    done: Mapping[str, tuple[str, ...]]
    every_months: int = 0
    once: bool = False
    each_year: bool = False
    season: tuple[str, str] | None = None
    note: str = ""

    @property
    def label(self) -> str:
        return in_language(self.name)

    def is_in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def season_start(self, today: date) -> date | None:
        """Return the day on which the running season began, or None outside it.

        >>> rule = RecallRule("FLU", date(2025, 1, 1), None, {}, "", (), {}, season=("10-01", "06-30"))
        >>> rule.season_start(date(2026, 2, 1)), rule.season_start(date(2026, 8, 1))
        (datetime.date(2025, 10, 1), None)
        """
        assert self.season is not None
        first, last = self.season
        for year in (today.year, today.year - 1):
            start = date.fromisoformat(f"{year}-{first}")
            end = date.fromisoformat(f"{year + (last < first)}-{last}")
            if start <= today <= end:
                return start
        return None

    def covered_from(self, today: date) -> date | None:
        """Return the first day on which having had the service means not being due today; None: none covers.

        Outside a season nobody is due, so any day covers (`date.min`).
        """
        if self.season:
            return self.season_start(today) or date.min
        if self.once:
            return date.min
        if self.each_year:
            return date(today.year, 1, 1)
        return last_day_due_again(today, months=self.every_months) + timedelta(days=1)

    def is_open(self, today: date) -> bool:
        """Whether anybody can be due today: always, except outside a season."""
        return self.season is None or self.season_start(today) is not None

    def is_due(self, *, last_done: date | None, today: date) -> bool:
        """Whether somebody the rule is for is due today."""
        if not self.is_open(today):
            return False
        covered = self.covered_from(today)
        return last_done is None or covered is None or last_done < covered

    def next_due(self, last_done: date) -> date | None:
        """Return when the service is due again after it was done; None: never, or not known before the next season."""
        if self.once or self.each_year or self.season:
            return None
        return add_months(last_done, self.every_months)


@dataclass(frozen=True)
class Dose:
    """One dose of the children's schedule: due from this age in months."""

    vaccine: str
    number: int
    from_months: int


@dataclass(frozen=True)
class Schedule:
    """The children's vaccination schedule in one period, with the codes each vaccine is recorded under."""

    valid_from: date
    valid_to: date | None
    source: str
    until_months: int
    doses: tuple[Dose, ...]
    codes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Refill:
    """When the next fill of a refillable prescription may be fetched, and the holidays that open it earlier."""

    valid_from: date
    valid_to: date | None
    source: str
    days_before: int
    late_days: int
    holidays: tuple[tuple[date, date, date], ...]

    def opens_on(self, supply_ends: date) -> date:
        """Return the first day on which the next fill may be fetched.

        >>> refill_on(date(2026, 1, 5)).opens_on(date(2026, 1, 23))
        datetime.date(2026, 1, 13)
        >>> refill_on(date(2026, 2, 1)).opens_on(date(2026, 2, 22))
        datetime.date(2026, 1, 31)

        Source: 全民健康保險醫療辦法 art. 24; yearly announcement for the Lunar New Year.
        """
        usual = supply_ends - timedelta(days=self.days_before)
        for first, last, opens in self.holidays:
            if first <= supply_ends <= last:
                return min(usual, opens)
        return usual


# -- months and birthdays -------------------------------------------------------------------------------------


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later (or earlier), the last day of the month where there is none.

    >>> add_months(date(2025, 8, 31), 6), add_months(date(2024, 2, 29), 12)
    (datetime.date(2026, 2, 28), datetime.date(2025, 2, 28))
    """
    month = day.year * 12 + day.month - 1 + months
    year, index = divmod(month, 12)
    return date(year, index + 1, min(day.day, calendar.monthrange(year, index + 1)[1]))


def last_day_due_again(today: date, *, months: int) -> date:
    """Return the latest day on which having had a service makes it due again today.

    It is the latest `d` with `add_months(d, months) <= today`: on the last day of a month, the last days of a longer
    month count too.

    >>> last_day_due_again(date(2026, 2, 28), months=6), last_day_due_again(date(2026, 3, 30), months=1)
    (datetime.date(2025, 8, 31), datetime.date(2026, 2, 28))
    """
    earlier = add_months(today, -months)
    if today.day == calendar.monthrange(today.year, today.month)[1]:
        return earlier.replace(day=calendar.monthrange(earlier.year, earlier.month)[1])
    return earlier


def latest_birth(today: date, *, months: int) -> date:
    """Return the latest day of birth of somebody who has completed so many months of age today.

    A month that lacks the day of birth is complete only after its last day (Civil Code art. 121): who is born on
    29 February is a year older from 1 March on.

    >>> latest_birth(date(2026, 2, 28), months=12 * 18), latest_birth(date(2026, 3, 1), months=12 * 18)
    (datetime.date(2008, 2, 28), datetime.date(2008, 3, 1))
    """
    return add_months(today, -months)


def birthdays_between(first: date, last: date) -> list[int]:
    """Return the birthdays (month × 100 + day) that are celebrated from `first` to `last`, both included.

    Who is born on 29 February is greeted on the 28th in a year that has no 29th.

    >>> birthdays_between(date(2025, 12, 31), date(2026, 1, 1)), birthdays_between(date(2026, 2, 28), date(2026, 2, 28))
    ([101, 1231], [228, 229])
    """
    found: set[int] = set()
    day = first
    while day <= last and len(found) < 366:
        found.add(day.month * 100 + day.day)
        if (day.month, day.day) == (2, 28) and not calendar.isleap(day.year):
            found.add(229)
        day += timedelta(days=1)
    return sorted(found)


# -- reading the data -----------------------------------------------------------------------------------------


def in_language(texts: Mapping[str, str]) -> str:
    """Return the text of the running language; data files carry all three."""
    return texts.get((get_language() or "").lower()) or texts.get("zh-hant") or next(iter(texts.values()), "")


@cache
def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((files("careloop.segments") / "data" / name).read_text(encoding="utf-8"))


@cache
def code_sets() -> dict[str, tuple[str, ...]]:
    """Named sets of codes (`set:diabetes` in a rule): a code, or the beginning of one with `*`."""
    return {one["id"]: tuple(one["codes"]) for one in _file("code_sets.toml")["set"]}


@cache
def code_set_names() -> dict[str, Mapping[str, str]]:
    return {one["id"]: one["name"] for one in _file("code_sets.toml")["set"]}


def expand(codes: Iterable[str]) -> list[str]:
    """Return codes with named sets written out.

    Raises:
        KeyError: no set of that name.
    """
    found: list[str] = []
    for code in codes:
        found += code_sets()[code.removeprefix("set:")] if code.startswith("set:") else [code]
    return list(dict.fromkeys(found))


@cache
def all_rules() -> tuple[RecallRule, ...]:
    """Every recall rule in every period."""
    return tuple(_rule(one) for one in _file("recall.toml")["rule"])


def rules_on(day: date) -> dict[str, RecallRule]:
    """The recall rules in force on a day, by id."""
    return {rule.id: rule for rule in all_rules() if rule.is_in_force(day)}


def schedule_on(day: date) -> Schedule | None:
    """The children's vaccination schedule in force on a day."""
    for one in _file("recall.toml")["schedule"]:
        schedule = Schedule(
            one["valid_from"], one.get("valid_to"), one["source"], one["until_months"],
            tuple(Dose(v["id"], number + 1, months)
                  for v in one["vaccine"] for number, months in enumerate(v["months"])),
            {v["id"]: tuple(v["codes"]) for v in one["vaccine"]},
        )  # fmt: skip
        if schedule.valid_from <= day and (schedule.valid_to is None or day <= schedule.valid_to):
            return schedule
    return None


def refill_on(day: date) -> Refill:
    """The refill rule in force on a day.

    Raises:
        LookupError: none is.
    """
    for one in _file("recall.toml")["refill"]:
        if one["valid_from"] <= day and (one.get("valid_to") is None or day <= one["valid_to"]):
            holidays = tuple((h["run_out_from"], h["run_out_to"], h["opens_on"]) for h in one.get("holiday", []))
            return Refill(
                one["valid_from"], one.get("valid_to"), one["source"], one["days_before"], one["late_days"], holidays
            )
    raise LookupError(f"no refill rule is in force on {day}")


def _rule(one: dict[str, Any]) -> RecallRule:
    who: list[Who] = []
    for way in one["who"]:
        common = {
            "sex": way.get("sex", ""), "notes": tuple(way.get("notes", ())),
            "conditions": tuple(expand(way.get("conditions", ()))),
        }  # fmt: skip
        for first, last in [(age, age) for age in way.get("ages", ())] or [(way.get("from", 0), way.get("to", OLDEST))]:
            who.append(Who(way["basis"], first, last, **common))
    season = one.get("season")
    return RecallRule(
        id=one["id"], valid_from=one["valid_from"], valid_to=one.get("valid_to"), name=one["name"],
        source=one["source"], who=tuple(who),
        done={kind: tuple(expand(codes)) for kind, codes in one["done"].items()},
        every_months=one.get("every_months", 0), once=one.get("once", False), each_year=one.get("each_year", False),
        season=(season["from"], season["to"]) if season else None, note=one.get("note", ""),
    )  # fmt: skip
