"""Telephone numbers as people in Taiwan type them, on top of libphonenumber (`phonenumbers`).

Stored is E.164. What libphonenumber alone does not read, we read when there is only one meaning (a zero
lost in a spreadsheet, a label, 分機), and refuse when digits are lost for good (9.12346E+08).
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import phonenumbers
from django.utils.translation import gettext_lazy as _
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from careloop.kernel.errors import DomainError

DEFAULT_REGION = "TW"


class PhoneRefused(DomainError, ValueError):
    """What was typed is not one telephone number. The typed text is never part of the message."""

    code: ClassVar[str] = "phone.refused"
    status: ClassVar[int] = 422


class PhoneMissing(PhoneRefused):
    code = "phone.missing"
    message = _("There is no telephone number in it.")


class PhoneInvalid(PhoneRefused):
    code = "phone.invalid"
    message = _("This is no telephone number in use: digits are missing, too many, or the area code is not there.")


class PhoneDigitsLost(PhoneRefused):
    code = "phone.digits_lost"
    message = _("A spreadsheet has shortened this number (scientific notation); its last digits are lost.")


class PhoneSeveral(PhoneRefused):
    code = "phone.several"
    message = _("There are %(count)d telephone numbers in one field.")


class PhoneKind(StrEnum):
    MOBILE = "MOBILE"
    FIXED = "FIXED"
    FIXED_OR_MOBILE = "FIXED_OR_MOBILE"
    TOLL_FREE = "TOLL_FREE"
    VOIP = "VOIP"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Phone:
    """One telephone number.

    `e164` is what is stored and compared; `extension` is kept beside it. `remark` is what else stood in the
    field (媽媽, 公司). `doubtful` marks numbers typed to fill a field, like 0900000000.
    """

    e164: str
    kind: PhoneKind
    extension: str = ""
    region: str = DEFAULT_REGION
    remark: str = ""
    doubtful: bool = False

    @property
    def national(self) -> str:
        """The number as it is written at home: 0912 345 678, 02 2345 6789#123."""
        if self.region == DEFAULT_REGION and TAIWAN_MOBILE_E164.fullmatch(self.e164):
            number = self.e164[4:]
            return f"0{number[:3]} {number[3:6]} {number[6:]}"
        parsed = phonenumbers.parse(self.e164)
        parsed.extension = self.extension or None
        return phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)

    @property
    def can_receive_sms(self) -> bool:
        return self.kind in (PhoneKind.MOBILE, PhoneKind.FIXED_OR_MOBILE)


KINDS = {
    PhoneNumberType.MOBILE: PhoneKind.MOBILE,
    PhoneNumberType.FIXED_LINE: PhoneKind.FIXED,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneKind.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: PhoneKind.TOLL_FREE,
    PhoneNumberType.VOIP: PhoneKind.VOIP,
}

# All of 09 is mobile today; libphonenumber still calls 099 a personal number.
TAIWAN_MOBILE = re.compile("09[0-9]{8}")
TAIWAN_MOBILE_E164 = re.compile(r"\+8869[0-9]{8}")
TAIWAN_MOBILE_SPACED = re.compile("09[0-9]{2}[- ][0-9]{3}[- ]?[0-9]{3}")
TAIWAN_MOBILE_PLAIN = re.compile(f"{TAIWAN_MOBILE.pattern}|{TAIWAN_MOBILE_SPACED.pattern}")

SCIENTIFIC = re.compile(r"[0-9][.,]?[0-9]*[eE]\+?[0-9]{1,3}")
FLOAT = re.compile(r"([0-9]{8,15})[.]0+")
# What separates two numbers in one cell; a slash or comma with nothing dialled behind it is decoration.
SEPARATORS = re.compile(r"[\n\r、，,;；/／|]|\s(?:or|或|及|and)\s|或")
EXTENSION = re.compile(r"\s*(?:分機|內線|轉|转|ext\.?|extension|#|~|x)\s*[:：]?\s*([0-9]{1,6})", re.IGNORECASE)
# A run that could be dialled: begins with + ( or a digit, holds digits and what people put between them.
DIALLED = re.compile(r"(?:tel:)?[+(]?[0-9][0-9()\s.\-‐-―−]{4,}[0-9]")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
PUNCTUATION_AROUND = " \t:：()（）[]【】-—,，;；、/.'\""
VANITY = re.compile(r"\+?[0-9][0-9A-Za-z\- ]{7,16}")
# Labels such as 手機: or TEL. say nothing that the kind does not say
LABEL = re.compile(
    r"^(?:手機|行動電話|行動|電話|市話|家裡電話|聯絡電話|tel|phone|mobile|cell|號碼|號)\s*[:：.]?\s*",
    re.IGNORECASE,
)


def taiwan_mobile(text: str) -> str | None:
    """Return E.164 for a Taiwanese mobile number written plainly, else None; cheap, for every imported row.

    >>> taiwan_mobile("0912345678"), taiwan_mobile("02-2345-6789")
    ('+886912345678', None)
    """
    if TAIWAN_MOBILE.fullmatch(text):
        return "+886" + text[1:]
    if TAIWAN_MOBILE_SPACED.fullmatch(text):
        return "+886" + text[1:].replace("-", "").replace(" ", "")
    return None


def taiwan_mobiles(texts: Iterable[str]) -> dict[str, str]:
    """Return those texts that are Taiwanese mobile numbers written plainly with their E.164: `taiwan_mobile` of a whole column.

    >>> taiwan_mobiles(["0912-345678", "02-2345-6789"])
    {'0912-345678': '+886912345678'}
    """
    plain = list(filter(TAIWAN_MOBILE_PLAIN.fullmatch, texts))
    digits = "\n".join(plain).replace("-", "").replace(" ", "").split("\n") if plain else []
    return dict(zip(plain, ["+886" + one[1:] for one in digits], strict=True))


def _is_filler(e164: str) -> bool:
    """Return whether the number repeats one digit seven times: typed because the field had to be filled."""
    return len(set(e164[-7:])) == 1


def read_phone(text: str, *, region: str = DEFAULT_REGION) -> Phone:
    """Read the one telephone number in a field.

    Raises:
        PhoneMissing, PhoneInvalid, PhoneDigitsLost: nothing to dial, not in use, shortened by a spreadsheet.
        PhoneSeveral: more than one number; `read_phones` gives them all.

    >>> read_phone("0223456789 分機 123").extension
    '123'
    >>> read_phone("912345678.0").e164
    '+886912345678'
    """
    found = read_phones(text, region=region)
    if len(found) > 1:
        raise PhoneSeveral(count=len(found))
    return found[0]


def read_phones(text: str, *, region: str = DEFAULT_REGION) -> list[Phone]:
    """Read every telephone number in a field, in order, each once.

    A separator without a second number behind it is part of the remark. Raises as `read_phone` does, for the
    first part that cannot be read; one good number does not excuse a broken one.

    >>> [phone.e164 for phone in read_phones("0912345678、0987654321")]
    ['+886912345678', '+886987654321']
    """
    if e164 := taiwan_mobile(text):
        return [Phone(e164, PhoneKind.MOBILE, doubtful=_is_filler(e164))]
    plain = INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip().strip("'").strip()
    if SCIENTIFIC.fullmatch(plain):
        raise PhoneDigitsLost
    if found := FLOAT.fullmatch(plain):
        plain = found[1]
    parts = [part for part in SEPARATORS.split(plain) if sum(map(str.isdigit, part)) >= 3]
    if len(parts) < 2:
        parts = [plain]
    parts = [one for part in parts for one in _between_dialled(part)]
    phones: dict[tuple[str, str], Phone] = {}
    for part in parts:
        phone = _read_one(part, region)
        phones.setdefault((phone.e164, phone.extension), phone)
    return list(phones.values())


def _between_dialled(text: str) -> list[str]:
    """Cut before every run that could be dialled but the first: 家02-2345-6789 手機0912345678 has no separator.

    >>> _between_dialled("02-2345-6789 轉 12 手機0912345678")
    ['02-2345-6789 轉 12 手機', '0912345678']
    """
    starts = [run.start() for run in DIALLED.finditer(text)][1:]
    return [text[a:b] for a, b in itertools.pairwise([0, *starts, len(text)])]


def _read_one(text: str, region: str) -> Phone:
    """Read a field that holds one number: as libphonenumber does, then without what stands around it."""
    if e164 := taiwan_mobile(text):
        return Phone(e164, PhoneKind.MOBILE, doubtful=_is_filler(e164))
    if not any(map(str.isdigit, text)):
        raise PhoneMissing
    text, extension = _take_extension(text)
    dialled = list(DIALLED.finditer(text))
    if len(dialled) > 1:
        raise PhoneSeveral(count=len(dialled))
    if dialled and (phone := _parse(dialled[0][0], region)):
        around = text[: dialled[0].start()] + " " + text[dialled[0].end() :]
        return replace(phone, extension=extension or phone.extension, remark=_remark(around))
    # letters on the keys (0912-ABC-678), or a form we do not know
    if VANITY.fullmatch(text) and (phone := _parse(text, region)):
        return replace(phone, extension=extension or phone.extension)
    raise PhoneInvalid


def _take_extension(text: str) -> tuple[str, str]:
    """Cut the extension off: only behind at least six digits, so that 轉帳 and 1#2 stay what they are."""
    found = EXTENSION.search(text)
    if not found or sum(map(str.isdigit, text[: found.start()])) < 6:
        return text, ""
    return text[: found.start()] + " " + text[found.end() :], found[1]


def _remark(around: str) -> str:
    remark = around.strip(PUNCTUATION_AROUND)
    remark = LABEL.sub("", remark).strip(PUNCTUATION_AROUND)
    return re.sub(r"\s+", " ", remark)


def _parse(text: str, region: str) -> Phone | None:
    """Ask libphonenumber; None when it says the number is not in use."""
    text = text.removeprefix("tel:").strip()
    digits = re.sub(r"[^0-9]", "", text)
    if digits.startswith("00886") and region == DEFAULT_REGION:
        # 00 is what one dials elsewhere; from Taiwan it is 002, so the library does not know it
        text = "+" + digits[2:]
    elif region == DEFAULT_REGION and re.fullmatch("9[0-9]{8}", digits) and not text.startswith("+"):
        text = "0" + digits
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if TAIWAN_MOBILE_E164.fullmatch(e164):
        return Phone(e164, PhoneKind.MOBILE, doubtful=_is_filler(e164))
    return Phone(
        e164,
        KINDS.get(phonenumbers.number_type(parsed), PhoneKind.OTHER),
        extension=parsed.extension or "",
        region=phonenumbers.region_code_for_number(parsed) or "",
        doubtful=_is_filler(e164),
    )
