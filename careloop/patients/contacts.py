"""Reading contact points and identifiers as people type them: what is stored, how it is found, what is odd about it.

Nothing is refused that the person behind it may really use: a number that cannot be verified is kept with a warning.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from careloop.kernel.phones import PhoneRefused, PhoneSeveral, read_phone, taiwan_mobile, taiwan_mobiles
from careloop.kernel.taiwan import IdKind, normalise_id, read_id
from careloop.kernel.text import clean, normalise

EMAIL = re.compile(r"[^@\s,;<>()\"]{1,64}@[^@\s,;<>()\"]{1,250}\.[^@\s.,;<>()\"]{2,}")
#: the usual e-mail address: nothing in it that `clean` or `normalise` would change but its case
PLAIN_EMAIL = re.compile(r"[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z0-9-]{2,9}")
LINE_ID = re.compile(r"U[0-9a-f]{32}")
LONGEST = 254


class ReadContact(NamedTuple):
    """A contact point as it is stored.

    `value` is what is sealed (E.164, with `;ext=` for an extension), `indexed` what its blind index is made of, `warning` a
    code, or empty.
    """

    value: str
    indexed: str
    is_mobile: bool = False
    warning: str = ""


def read_contact(system: str, text: str) -> ReadContact:
    """Read one contact point.

    >>> read_contact("phone", "0912-345-678")
    ReadContact(value='+886912345678', indexed='+886912345678', is_mobile=True, warning='')
    >>> read_contact("phone", "0912-34").warning, read_contact("email", " Amy@Example.com ").indexed
    ('phone.invalid', 'amy@example.com')
    """
    if system == "phone":
        return _read_phone(text)
    if system == "email" and PLAIN_EMAIL.fullmatch(text):
        return ReadContact(text, text.lower(), False, "")
    value = clean(text)[:LONGEST]
    if system == "email":
        indexed = normalise(value).replace(" ", "")
        return ReadContact(value, indexed, warning="" if EMAIL.fullmatch(value) else "email.odd")
    return ReadContact(value, value, warning="" if system != "line" or LINE_ID.fullmatch(value) else "line.odd")


def plain_contacts(system: str, texts: Iterable[str]) -> dict[str, str]:
    """Return those texts of a column that are mobile numbers or e-mail addresses as usual, with what is stored of each.

    For these `read_contact` says no more: a phone is mobile, nothing is odd, and the value is what the blind index is made of.

    >>> plain_contacts("phone", ["0912-345-678", "02-2345-6789", "0900000000"])
    {'0912-345-678': '+886912345678'}
    """
    if system == "phone":
        return {text: e164 for text, e164 in taiwan_mobiles(texts).items() if e164[-7:] not in _FILLERS}
    if system == "email":
        return {text: text for text in filter(PLAIN_EMAIL.fullmatch, texts)}
    return {}


#: the last digits of a number that somebody typed because the field had to be filled
_FILLERS = frozenset(digit * 7 for digit in "0123456789")


def _read_phone(text: str) -> ReadContact:
    if e164 := taiwan_mobile(text):
        return ReadContact(e164, e164, True, _doubt(e164))
    try:
        phone = read_phone(text)
    except PhoneRefused as refused:
        value = clean(text)[:LONGEST]
        digits = "" if isinstance(refused, PhoneSeveral) else "".join(re.findall("[0-9]", normalise(text)))
        return ReadContact(value, digits or normalise(value), False, refused.code)
    value = f"{phone.e164};ext={phone.extension}" if phone.extension else phone.e164
    return ReadContact(value, phone.e164, phone.can_receive_sms, _doubt(phone.e164))


def _doubt(e164: str) -> str:
    return "phone.doubtful" if e164[-7:] in _FILLERS else ""


@dataclass(frozen=True, slots=True)
class ReadIdentifier:
    """An identifier as it is stored; `kind` may have been corrected by the number's own shape."""

    kind: str
    value: str
    sex: str = ""
    warning: str = ""


def read_identifier(kind: str, text: str) -> ReadIdentifier:
    """Read one identifier. A wrong check digit is a warning, never a refusal.

    >>> read_identifier("national_id", "a123456788")
    ReadIdentifier(kind='national_id', value='A123456788', sex='male', warning='identifier.check_digit')
    >>> read_identifier("national_id", "A800000014").kind
    'resident_certificate'
    """
    if kind not in ("national_id", "resident_certificate"):
        return ReadIdentifier(kind, normalise_id(clean(text))[:LONGEST])
    read = read_id(text)
    if read.kind is IdKind.OTHER:
        return ReadIdentifier(kind, clean(read.value)[:LONGEST], warning="identifier.shape")
    kind = "national_id" if read.kind is IdKind.NATIONAL_ID else "resident_certificate"
    return ReadIdentifier(kind, read.value, read.sex, "" if read.valid else "identifier.check_digit")
