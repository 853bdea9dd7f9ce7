"""One-time codes that prove themselves: sixteen characters in four groups, for a QR or to be typed.

A code says what it is for, until which day it is good, and which one it is, under a signature that this installation can check
without asking the database. The last character finds typing mistakes: every single wrong character and every two that changed
places. Whether a code was used already only the database knows.

75 bits: 1 kind, 13 last day (days since 2026-01-01), 32 serial, 29 signature (HMAC-SHA-256, cut). A guess is right once in 500
million, and the pages that take codes count the tries.

Letters are Crockford's: without I, L, O and U; whoever types them anyway is understood.
"""

import hmac
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from careloop.kernel import sql, vault
from careloop.loyalty.reward.errors import CodeMistyped, CodeNotOurs

Kind = Literal["REWARD", "COUPON"]
KINDS: tuple[Kind, Kind] = ("REWARD", "COUPON")
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
VALUES = {letter: value for value, letter in enumerate(LETTERS)} | {"O": 0, "I": 1, "L": 1}
LENGTH, GROUP = 16, 4
EPOCH = date(2026, 1, 1)
DAY_BITS, SERIAL_BITS, MAC_BITS = 13, 32, 29
LAST_DAY = EPOCH + timedelta(days=2**DAY_BITS - 1)
COLUMN = "loyalty.code"


@dataclass(frozen=True)
class Read:
    """What a genuine code says."""

    kind: Kind
    good_until: date
    serial: int


def code_of(organization_id: UUID, kind: Kind, *, serial: int, good_until: date) -> str:
    """Return the code, as it is shown.

    Raises:
        ValueError: the day is before 2026 or after June 2048, or the serial has more than 32 bits.
    """
    if not (EPOCH <= good_until <= LAST_DAY and 0 <= serial < 2**SERIAL_BITS):
        raise ValueError("out of range for a code")
    body = (KINDS.index(kind) << DAY_BITS | (good_until - EPOCH).days) << SERIAL_BITS | serial
    whole = body << MAC_BITS | _signature(organization_id, body)
    digits = [whole >> (5 * place) & 31 for place in reversed(range(LENGTH - 1))]
    text = "".join(LETTERS[digit] for digit in (*digits, _check(digits)))
    return "-".join(text[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def read(organization_id: UUID, text: str) -> Read:
    """Return what a code says, as scanned or typed. Asks nothing of the database.

    Raises:
        CodeMistyped: not sixteen characters of a code, or the last one does not fit. CodeNotOurs: the signature is not this clinic's.
    """
    digits = _digits(text)
    if digits is None:
        raise CodeMistyped
    whole = 0
    for digit in digits[:-1]:
        whole = whole << 5 | digit
    body, signature = whole >> MAC_BITS, whole & (2**MAC_BITS - 1)
    if not hmac.compare_digest(signature.to_bytes(4, "big"), _signature(organization_id, body).to_bytes(4, "big")):
        raise CodeNotOurs
    head = body >> SERIAL_BITS
    day = EPOCH + timedelta(days=head & (2**DAY_BITS - 1))
    return Read(KINDS[head >> DAY_BITS], day, body & (2**SERIAL_BITS - 1))


def looks_like_a_code(text: str) -> bool:
    """Whether it is a well-formed code, genuine or not: to tell it from a member's number.

    >>> looks_like_a_code("M0001234"), looks_like_a_code("0000-0000-0000-0000")
    (False, True)
    """
    return _digits(text) is not None


def new_serials(organization_id: UUID, count: int) -> list[int]:
    """Return serials that nobody had before, in an order that tells nobody how many there are."""
    found = sql.rows("select nextval('loyalty_code_serial') as n from generate_series(1, %s)", [count])
    key = vault.keyring().index_key(organization_id, COLUMN)
    return [_shuffled(key, row["n"] % 2**SERIAL_BITS) for row in found]


def _digits(text: str) -> list[int] | None:
    plain = unicodedata.normalize("NFKC", text).upper()
    letters = [letter for letter in plain if letter not in " -‐–—−\t\r\n"]
    if len(letters) != LENGTH or any(letter not in VALUES for letter in letters):
        return None
    digits = [VALUES[letter] for letter in letters]
    return digits if _check(digits[:-1]) == digits[-1] else None


def _signature(organization_id: UUID, body: int) -> int:
    key = vault.keyring().index_key(organization_id, COLUMN)
    proof = vault.keyed_hash(key)(b"sign|" + body.to_bytes(6, "big"))
    return int.from_bytes(proof[:4], "big") >> (32 - MAC_BITS)


def _shuffled(key: bytes, number: int) -> int:
    """A Feistel network of four rounds: every number of 32 bits becomes another one, and no two the same."""
    left, right = number >> 16, number & 0xFFFF
    for turn in range(4):
        mixed = hmac.digest(key, b"shuffle|" + bytes([turn]) + right.to_bytes(2, "big"), "sha256")
        left, right = right, left ^ int.from_bytes(mixed[:2], "big")
    return left << 16 | right


def _check(digits: Sequence[int]) -> int:
    """The last character: each one weighted by another power of a primitive element of the field of 32 (x⁵ + x² + 1)."""
    total = 0
    for digit in digits:
        total = _doubled(total ^ digit)
    return total


def _doubled(value: int) -> int:
    value <<= 1
    return value ^ 0b100101 if value & 32 else value
