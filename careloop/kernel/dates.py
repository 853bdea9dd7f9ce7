"""Dates as Taiwanese clinics type them, the ROC (Minguo) calendar, and ages.

Dates are stored as Gregorian calendar dates; ROC years exist only here, at the edges.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Literal

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError

ROC_OFFSET = 1911  # ROC year 1 is 1912

Epoch = Literal[1900, 1904]
PartOrder = Literal["MDY", "DMY"]


class DateRefused(DomainError, ValueError):
    """What was typed is not a date. The typed text is never part of the message."""

    code: ClassVar[str] = "date.refused"
    status: ClassVar[int] = 422


class DateUnreadable(DateRefused):
    code = "date.unreadable"
    message = _("This is not written like a date; write it as 1990-03-05 or 79/3/5.")


class DateImpossible(DateRefused):
    code = "date.impossible"
    message = _("There is no such day: year %(year)d, month %(month)d, day %(day)d.")


class DateTooLate(DateRefused):
    code = "date.too_late"
    message = _("The date lies after %(latest)s.")


class SerialImpossible(DateRefused):
    code = "date.serial"
    message = _("The number %(serial)d is not a spreadsheet date.")


@dataclass(frozen=True, slots=True)
class ReadDate:
    """A date that was read, how it was written, and what else it could have meant.

    `form` is one of ISO, YMD, COMPACT, ROC, ROC_COMPACT, WORDS, MDY, DMY, MONTH_NAME, SERIAL, NATIVE.
    `others` holds the other days the same writing could stand for; empty means there is no doubt.
    """

    value: date
    form: str
    others: tuple[date, ...] = ()

    @property
    def ambiguous(self) -> bool:
        return bool(self.others)


CHINESE_DIGITS = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {
    "零": 0,
    "○": 0,
    "元": 1,
    "兩": 2,
}
CHINESE_NUMBER = "[〇零○元一二三四五六七八九十百0-9]+"

ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
ROC_PLAIN = re.compile(r"([0-9]{3})/([0-9]{2})/([0-9]{2})")
WITH_TIME = re.compile(
    r"(.*\d)[T ]\s*(?:[上下]午\s*)?\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\s*(?:[AaPp][Mm])?\s*(?:Z|[+-]\d\d:?\d\d)?"
)
WORDS = re.compile(
    rf"(?:(西元|公元)|(?:中華)?(民國前|民前|民國))?\s*({CHINESE_NUMBER})\s*年\s*({CHINESE_NUMBER})\s*月\s*({CHINESE_NUMBER})\s*[日號号]?"
)
ROC_PREFIX = re.compile(r"(?:中華)?民國\s*|R\.?O\.?C\.?\s*", re.IGNORECASE)
PARTS = re.compile(r"(\d{1,4})\s*([-/.\s])\s*(\d{1,2})\s*\2\s*(\d{1,4})")
DIGITS = re.compile(r"\d{5,8}")
SERIAL_WITH_TIME = re.compile(r"(\d{5})\.\d+")
ZERO_FRACTION = re.compile(r"(\d+)\.0*")
DAY_MONTH_NAME = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[\s-]*([A-Za-z]{3,9})\.?,?[\s-]*(\d{4})")
MONTH_NAME_DAY = re.compile(r"([A-Za-z]{3,9})\.?\s*(\d{1,2})(?:st|nd|rd|th)?,?\s*(\d{4})")
YEAR_MONTH_NAME = re.compile(r"(\d{4})[\s-]*([A-Za-z]{3,9})[\s-]*(\d{1,2})")
MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}


def read_date(
    typed: str | int | float | date,
    *,
    order: PartOrder = "MDY",
    epoch: Epoch = 1900,
    latest: date | None = None,
) -> ReadDate:
    """Read a date in any form a Taiwanese clinic types, and say whether it could mean another day.

    A year of one to three digits in front is an ROC year. Five digits are a spreadsheet serial. Six digits
    are an ROC date that lost its first zero. When only the order of day and month is open, `order` decides.

    Args:
        typed: text, a number from a spreadsheet cell, or a date.
        order: which comes first when a four-digit year stands at the end and both readings exist.
        epoch: the spreadsheet's date system; 1904 in files from old Macintosh versions.
        latest: readings after this day are not accepted (for a birth date: today).

    Raises:
        DateUnreadable: not written like a date. DateImpossible: no such day (79/2/29).
        DateTooLate: every reading lies after `latest`. SerialImpossible: outside the spreadsheet's range.

    >>> read_date("0790305").value, read_date("民國79年3月5日").value
    (datetime.date(1990, 3, 5), datetime.date(1990, 3, 5))
    >>> read_date("11/7/1988").others
    (datetime.date(1988, 7, 11),)
    """
    if isinstance(typed, datetime):
        readings = [ReadDate(typed.date(), "NATIVE")]
    elif isinstance(typed, date):
        readings = [ReadDate(typed, "NATIVE")]
    else:
        readings = _readings(str(typed), order=order, epoch=epoch)
    return _first_acceptable(readings, latest)


def _first_acceptable(readings: list[ReadDate], latest: date | None) -> ReadDate:
    """Return the first reading not after `latest`, with the remaining ones as its alternatives."""
    accepted = [reading for reading in readings if latest is None or reading.value <= latest]
    if not accepted:
        raise DateTooLate(latest=latest.isoformat() if latest else "")
    first = accepted[0]
    others = tuple(dict.fromkeys(reading.value for reading in accepted[1:] if reading.value != first.value))
    return ReadDate(first.value, first.form, others)


def _readings(typed: str, *, order: PartOrder, epoch: Epoch) -> list[ReadDate]:
    """Return every reading of the text, the likeliest first; never empty."""
    # The form that machines write, first: an import reads millions of these.
    if len(typed) == 10 and (found := ISO.fullmatch(typed)):
        return [ReadDate(_day(int(found[1]), int(found[2]), int(found[3])), "ISO")]
    if len(typed) == 9 and (found := ROC_PLAIN.fullmatch(typed)):
        return _parts(found[1], found[2], found[3], order=order, says_roc=False)
    text = unicodedata.normalize("NFKC", typed).replace("\u200b", "").strip().strip("'").strip()
    text = text.replace("−", "-").replace("–", "-").replace("、", "/")
    if found := ZERO_FRACTION.fullmatch(text):
        text = found[1]
    if found := SERIAL_WITH_TIME.fullmatch(text):
        return [ReadDate(from_serial(int(found[1]), epoch=epoch), "SERIAL")]
    if found := WITH_TIME.fullmatch(text):
        text = found[1].strip()
    if found := WORDS.fullmatch(text):
        return [_words(found)]
    says_roc = ROC_PREFIX.match(text)
    if says_roc:
        text = text[says_roc.end() :]
    if DIGITS.fullmatch(text):
        return _digits(text, epoch=epoch, says_roc=bool(says_roc))
    if found := PARTS.fullmatch(text):
        return _parts(found[1], found[3], found[4], order=order, says_roc=bool(says_roc))
    return [_month_name(text)]


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise DateImpossible(year=year, month=month, day=day) from None


def _roc_day(year: int, month: int, day: int) -> date:
    if year == 0:
        raise DateImpossible(year=year, month=month, day=day)
    return _day(roc_year_to_gregorian(year), month, day)


def _try_day(year: int, month: int, day: int) -> list[date]:
    try:
        return [date(year, month, day)]
    except ValueError:
        return []


def _chinese_number(text: str) -> int:
    """Read 79, 七九, 七十九, 一百一十三, 元 (one)."""
    if text.isdecimal():
        return int(text)
    if not set(text) & set("十百"):
        return int("".join(str(CHINESE_DIGITS.get(char, char)) for char in text))
    total = current = 0
    for char in text:
        if char in "十百":
            total += (current or 1) * (10 if char == "十" else 100)
            current = 0
        else:
            current = CHINESE_DIGITS[char] if char in CHINESE_DIGITS else int(char)
    return total + current


def _words(found: re.Match[str]) -> ReadDate:
    year, month, day = (_chinese_number(found[group]) for group in (3, 4, 5))
    if found[2] and found[2].endswith("前"):
        return ReadDate(_roc_day(-year, month, day), "WORDS")
    # 79年3月5日 without an era is an ROC year; 1990年3月5日 says itself that it is not.
    is_roc = bool(found[2]) or (not found[1] and year < 1000)
    return ReadDate(_roc_day(year, month, day) if is_roc else _day(year, month, day), "WORDS")


def _digits(text: str, *, epoch: Epoch, says_roc: bool) -> list[ReadDate]:
    size = len(text)
    if size == 8 and not text.startswith("0") and not says_roc:
        return [ReadDate(_day(int(text[:4]), int(text[4:6]), int(text[6:])), "COMPACT")]
    year, month, day = int(text[:-4]), int(text[-4:-2]), int(text[-2:])
    if size >= 7 or says_roc:
        return [ReadDate(_roc_day(year, month, day), "ROC_COMPACT")]
    if size == 6:
        roc = ReadDate(_roc_day(year, month, day), "ROC_COMPACT")
        western = [
            ReadDate(value, "COMPACT") for century in (1900, 2000) for value in _try_day(century + year, month, day)
        ]
        return [roc, *western]
    # Five digits: a serial, or an ROC year below ten whose two zeros a spreadsheet took.
    serial = ReadDate(from_serial(int(text), epoch=epoch), "SERIAL")
    return [
        serial,
        *(ReadDate(value, "ROC_COMPACT") for value in _try_day(year + ROC_OFFSET, month, day) if year),
    ]


def _parts(first: str, second: str, third: str, *, order: PartOrder, says_roc: bool) -> list[ReadDate]:
    a, b, c = int(first), int(second), int(third)
    if len(first) == 4:
        is_roc = says_roc or a < 1000
        return [ReadDate(_roc_day(a, b, c) if is_roc else _day(a, b, c), "YMD")]
    if len(third) == 4:
        if says_roc or len(first) > 2:
            raise DateUnreadable
        readings = [ReadDate(value, "MDY") for value in _try_day(c, a, b)]
        readings += [ReadDate(value, "DMY") for value in _try_day(c, b, a)]
        if not readings:
            raise DateImpossible(year=c, month=a, day=b)
        return sorted(readings, key=lambda reading: reading.form != order)
    if len(third) == 3:
        raise DateUnreadable
    roc = [ReadDate(value, "ROC") for value in _try_day(a + ROC_OFFSET, b, c) if a]
    western: list[ReadDate] = []
    if len(third) == 2 and len(first) < 3 and not says_roc:
        # 6/3/16 may be ROC 6 or 3 June 2016; 079/03/05 and 79/3/5 cannot.
        western = [ReadDate(value, "MDY") for century in (2000, 1900) for value in _try_day(century + c, a, b)]
    if not roc:
        # 5/23/68 can only be month/day/year, but of which century is not said: better asked than guessed.
        raise DateImpossible(year=a, month=b, day=c)
    return [*roc, *western]


def _month_name(text: str) -> ReadDate:
    for pattern, (day, month, year) in (
        (DAY_MONTH_NAME, (1, 2, 3)),
        (MONTH_NAME_DAY, (2, 1, 3)),
        (YEAR_MONTH_NAME, (3, 2, 1)),
    ):
        found = pattern.fullmatch(text)
        if found and (number := MONTHS.get(found[month][:3].lower())):
            return ReadDate(_day(int(found[year]), number, int(found[day])), "MONTH_NAME")
    raise DateUnreadable


def from_serial(serial: int, *, epoch: Epoch = 1900) -> date:
    """Return the day of a spreadsheet's serial number.

    In the 1900 system day 1 is 1900-01-01 and day 60 is 1900-02-29, a day that never was; in the 1904 system
    day 0 is 1904-01-01.

    Raises:
        SerialImpossible: day 60 of the 1900 system, or outside 1900/1904 to 9999.

    >>> from_serial(38078), from_serial(36616, epoch=1904)
    (datetime.date(2004, 4, 1), datetime.date(2004, 4, 1))
    """
    if epoch == 1904:
        first, start = 0, date(1904, 1, 1)
    elif serial < 60:
        first, start = 1, date(1899, 12, 31)
    else:
        first, start = 61, date(1899, 12, 30)
    if serial < first:
        raise SerialImpossible(serial=serial)
    try:
        return start + timedelta(days=serial)
    except OverflowError:
        raise SerialImpossible(serial=serial) from None


def roc_year_to_gregorian(year: int) -> int:
    """Return the Gregorian year; a negative year counts back from the Republic (-5 is 民前5年, 1907).

    >>> roc_year_to_gregorian(115), roc_year_to_gregorian(1), roc_year_to_gregorian(-1)
    (2026, 1912, 1911)
    """
    if year == 0:
        raise ValueError("there is no ROC year 0")
    return year + ROC_OFFSET if year > 0 else year + ROC_OFFSET + 1


def roc_year(day: date) -> int:
    """Return the ROC year of a day; negative before 1912, never 0."""
    year = day.year - ROC_OFFSET
    return year if year > 0 else year - 1


def format_roc(day: date, *, style: Literal["words", "slashes", "compact"] = "words") -> str:
    """Return a date in the ROC calendar: as words to read, or in the forms that systems exchange.

    Days before 1912 have words only.

    >>> format_roc(date(1990, 3, 5)), format_roc(date(1990, 3, 5), style="slashes")
    ('民國79年3月5日', '079/03/05')
    >>> format_roc(date(1990, 3, 5), style="compact"), format_roc(date(1907, 3, 1))
    ('0790305', '民前5年3月1日')
    """
    year = roc_year(day)
    if year < 0:
        if style != "words":
            raise ValueError("days before 1912 have no short ROC form")
        return f"民前{-year}年{day.month}月{day.day}日"
    if style == "words":
        return f"民國{year}年{day.month}月{day.day}日"
    separator = "/" if style == "slashes" else ""
    return f"{year:03d}{separator}{day.month:02d}{separator}{day.day:02d}"


def age_in_years(born: date, *, on: date) -> int:
    """Return the completed years of age on a day.

    Somebody born on 29 February completes a year at the end of 28 February when the year has no 29th, and so
    is a year older from 1 March on. Source: Civil Code (民法) articles 121 and 124.

    Raises:
        ValueError: `on` lies before `born`.

    >>> [age_in_years(date(2000, 2, 29), on=day) for day in (date(2001, 2, 28), date(2001, 3, 1))]
    [0, 1]
    """
    if on < born:
        raise ValueError("the day lies before the birth")
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def age_in_months(born: date, *, on: date) -> int:
    """Return the completed months of age on a day, for children's rules; same counting as `age_in_years`.

    >>> [age_in_months(date(2026, 1, 31), on=day) for day in (date(2026, 2, 28), date(2026, 3, 1))]
    [0, 1]
    """
    if on < born:
        raise ValueError("the day lies before the birth")
    return (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)


def age_by_birth_year(born: date, *, on: date) -> int:
    """Return current year minus birth year: how Taiwan's cancer screening programmes count age.

    >>> age_by_birth_year(date(1981, 12, 31), on=date(2026, 1, 1))
    45
    """
    return on.year - born.year
