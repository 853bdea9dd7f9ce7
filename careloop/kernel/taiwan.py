"""Numbers that Taiwan gives: national id, resident certificate, unified business number.

A wrong check digit is reported, not refused: records hold mistakes, and the patient is real all the same.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

# Letters stand for 10 to 33 in this order, which is the order in which counties got their letter.
LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
LETTER_VALUES = {letter: 10 + place for place, letter in enumerate(LETTERS)}
WEIGHTS = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
BUSINESS_WEIGHTS = (1, 2, 1, 2, 1, 2, 4, 1)
BUSINESS_RULE_CHANGED_ON = date(2023, 4, 1)

WELL_FORMED = re.compile(r"[A-Z](?:[1289]\d|[A-D]\d)\d{7}")
NOT_PART = re.compile("[-‐-―\\s\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


class IdKind(StrEnum):
    """What a number is by its shape; OTHER is neither a national id nor a resident certificate."""

    NATIONAL_ID = "NATIONAL_ID"
    RESIDENT = "RESIDENT"
    RESIDENT_OLD = "RESIDENT_OLD"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class TaiwanId:
    """A number as it is stored, what kind it is, and whether its check digit is right.

    `sex` is "male", "female" (FHIR codes) or "" when the number does not say.
    """

    value: str
    kind: IdKind
    sex: str
    valid: bool


# second character → kind and sex; two-letter numbers were given until 1 January 2021
SECOND = {
    "1": (IdKind.NATIONAL_ID, "male"),
    "2": (IdKind.NATIONAL_ID, "female"),
    "8": (IdKind.RESIDENT, "male"),
    "9": (IdKind.RESIDENT, "female"),
    "A": (IdKind.RESIDENT_OLD, "male"),
    "B": (IdKind.RESIDENT_OLD, "female"),
    "C": (IdKind.RESIDENT_OLD, "male"),
    "D": (IdKind.RESIDENT_OLD, "female"),
}


def normalise_id(text: str) -> str:
    """Return the number as it is stored: NFKC, upper case, without blanks, hyphens and invisible characters.

    >>> normalise_id(" ａ-123456789\u200b")
    'A123456789'
    """
    if text.isascii() and text.isalnum():
        return text.upper()
    return NOT_PART.sub("", unicodedata.normalize("NFKC", text)).upper()


def check_digit_is_right(value: str) -> bool:
    """Return whether a well-formed, normalised number adds up: the weighted sum is divisible by 10.

    The first letter gives two digits, a second letter the last digit of its value.

    Raises:
        ValueError: `value` has not the shape of a national id or resident certificate.
    """
    if not WELL_FORMED.fullmatch(value):
        raise ValueError("not the shape of a Taiwan id")
    tens, ones = divmod(LETTER_VALUES[value[0]], 10)
    second = LETTER_VALUES[value[1]] % 10 if value[1].isalpha() else int(value[1])
    digits = (tens, ones, second, *map(int, value[2:]))
    return sum(digit * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % 10 == 0


def read_id(text: str) -> TaiwanId:
    """Read a national id or resident certificate number as a person typed it; never raises.

    >>> read_id("a123456789")
    TaiwanId(value='A123456789', kind=<IdKind.NATIONAL_ID: 'NATIONAL_ID'>, sex='male', valid=True)
    >>> read_id("A123456788").valid, read_id("無").kind.value
    (False, 'OTHER')
    """
    value = normalise_id(text)
    if not WELL_FORMED.fullmatch(value):
        return TaiwanId(value, IdKind.OTHER, "", valid=False)
    kind, sex = SECOND[value[1]]
    return TaiwanId(value, kind, sex, check_digit_is_right(value))


def is_valid_id(text: str) -> bool:
    """Return whether the text is a national id or resident certificate with a right check digit."""
    return read_id(text).valid


def is_valid_business_number(text: str, *, on: date = BUSINESS_RULE_CHANGED_ON) -> bool:
    """Return whether a unified business number (統一編號) is valid by the rule in force `on` that day.

    Eight digits times 1 2 1 2 1 2 4 1, the digits of the products summed: divisible by 5 since April 2023,
    by 10 before. When the seventh digit is 7 its product 28 counts 10, and that 10 may be taken as 1 or 0.

    >>> is_valid_business_number("69861443"), is_valid_business_number("69861443", on=date(2022, 1, 1))
    (True, False)
    """
    value = normalise_id(text)
    if not re.fullmatch("[0-9]{8}", value):
        return False
    products = (int(digit) * weight for digit, weight in zip(value, BUSINESS_WEIGHTS, strict=True))
    total = sum(sum(divmod(product, 10)) for product in products)
    divisor = 5 if on >= BUSINESS_RULE_CHANGED_ON else 10
    return total % divisor == 0 or (value[6] == "7" and (total - 9) % divisor == 0)
