"""Web addresses and telephone numbers inside a text message (rule M1)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from careloop.kernel.phones import PhoneRefused, read_phone

# With a scheme or www anything goes; bare names only under endings that people and shorteners use.
ENDINGS = (
    "com|net|org|tw|cn|hk|jp|sg|io|me|cc|ly|gl|gg|co|app|page|link|site|online|shop|info|biz|tv|to|im|la|ink|xyz|top|"
    "health|clinic|dental|care|edu|gov|asia|vip|club|ee|be|gd|eu|us|uk|de|fr|kr"
)
URL = re.compile(
    r"(?:https?://|www\.)[^\s\u3000-\u303f\u4e00-\u9fff\uff00-\uffef<>\"']+"
    rf"|(?<![a-z0-9@.\-])(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+(?:{ENDINGS})(?![a-z0-9\-])"
    r"(?::[0-9]{2,5})?(?:/[^\s\u3000-\u303f\u4e00-\u9fff\uff00-\uffef<>\"']*)?",
    re.IGNORECASE,
)
PHONE = re.compile(
    r"(?<![0-9\-/.#])(?:\+?886[\s\-]?\(?0?\)?[\s\-]?[2-9]|\(0[2-9][0-9]{0,2}\)|0[2-9])[0-9\s\-()]{5,12}[0-9](?![0-9\-/.])"
    r"|(?<![0-9\-/.])412-?[0-9]{4}(?![0-9])"
)
TRAILING = ".,;:!?)]}>、。，"


@dataclass(frozen=True, slots=True)
class Contact:
    """A web address or number found in a text, and the form in which it is compared."""

    kind: str  # "url" or "phone"
    start: int
    end: int
    text: str
    value: str


def url_key(url: str) -> str:
    """Return a web address for comparison: without scheme, user, port of the scheme, www and final slash.

    >>> url_key("HTTPS://www.Clinic.tw/p/"), url_key("https://clinic.tw@evil.cc/p")
    ('clinic.tw/p', 'evil.cc/p')
    """
    rest = re.sub(r"^[a-z]+://", "", url.strip(), flags=re.IGNORECASE)
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2].split("?")[0].split("#")[0].lower()
    host = re.sub(r":(?:80|443)$", "", host).removeprefix("www.")
    return (host + slash + path).rstrip("/")


def phone_key(number: str) -> str:
    """Return a number for comparison: E.164 where it is one, else its digits (412-8345)."""
    try:
        return read_phone(number).e164
    except PhoneRefused:
        return re.sub("[^0-9]", "", number)


def contact_key(value: str) -> str:
    """Return the comparison form of what an organization registered."""
    return url_key(value) if re.search("[a-z]", value, re.IGNORECASE) else phone_key(value)


def contacts_in(text: str) -> list[Contact]:
    """Return every web address and telephone number in the text, in order."""
    found: list[Contact] = []
    for match in URL.finditer(text):
        shown = match[0].rstrip(TRAILING)
        found.append(Contact("url", match.start(), match.start() + len(shown), shown, url_key(shown)))
    for match in PHONE.finditer(text):
        if not any(one.start < match.end() and match.start() < one.end for one in found):
            found.append(Contact("phone", match.start(), match.end(), match[0], phone_key(match[0])))
    return sorted(found, key=lambda one: one.start)


def is_registered(contact: Contact, registered: Iterable[str]) -> bool:
    """Return whether a registered address covers the contact: itself, or a page below it.

    `registered` holds comparison forms (`contact_key`).
    """
    if contact.kind == "phone":
        return contact.value in registered
    return any(
        contact.value == one or (contact.value.startswith(one) and contact.value[len(one)] in "/?#")
        for one in registered
    )
