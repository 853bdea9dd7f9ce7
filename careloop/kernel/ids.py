"""Identifiers: UUIDv7 for rows that appear in a URL, random tokens for secrets in links."""

import hashlib
import os
import secrets
import time
from struct import Struct
from uuid import UUID


def uuid7() -> UUID:
    """Return a new UUID version 7 (RFC 9562): ordered by time, so indexes grow at one end.

    It is an address, not a secret: use `new_token` for links that open something.

    >>> uuid7().version
    7
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def rising_uuid7s(count: int) -> tuple[list[str], list[bytes]]:
    """Return many new UUIDs version 7, as text and as bytes, each greater than the one before it.

    For sets of rows: random bytes are drawn once, and rows that come in the order of their ids go to the end of every index
    that begins with the id, several times cheaper than into its middle. Up to 65,536 share a time and 26 random bits; 16 bits
    count, and 32 random ones are each one's own (RFC 9562, 6.2, a counter of fixed length).

    >>> texts, raws = rising_uuid7s(2)
    >>> [UUID(text).version for text in texts], [UUID(bytes=raw) for raw in raws] == [UUID(text) for text in texts]
    ([7, 7], True)
    """
    texts: list[str] = []
    raws: list[bytes] = []
    for begun in range(0, count, _MOST_COUNTED):
        head, tails = _counted(min(count - begun, _MOST_COUNTED), at=begun // _MOST_COUNTED)
        shared = f"{head[:4].hex()}-{head[4:6].hex()}-{head[6:8].hex()}-{head[8:].hex()}-"
        texts += [shared + tail for tail in tails.hex(" ", 6).split(" ")]
        raws += [head + tail for tail in cut(tails, 6)]
    return texts, raws


_MOST_COUNTED = 1 << 16
#: the two bytes of a counter, one after the other
_UPPER = bytes(number >> 8 for number in range(_MOST_COUNTED))
_LOWER = bytes(range(256)) * 256


def _counted(count: int, *, at: int) -> tuple[bytes, bytes]:
    """Return the ten bytes that `count` ids share, and six more of each; sets drawn for one list rise with `at`."""
    stamp = (time.time_ns() // 1_000_000 + at).to_bytes(6, "big")
    first, second = os.urandom(2), os.urandom(2)
    head = stamp + bytes([0x70 | first[0] & 0x0F, first[1], 0x80 | second[0] & 0x3F, second[1]])
    tails = bytearray(os.urandom(6 * count))
    tails[0::6], tails[1::6] = _UPPER[:count], _LOWER[:count]
    return head, bytes(tails)


def drawn(size: int, count: int) -> list[bytes]:
    """Return `count` random values of `size` bytes, drawn from the system at once: a call for each costs more than using it.

    >>> [len(value) for value in drawn(12, 3)]
    [12, 12, 12]
    """
    return cut(os.urandom(size * count), size)


def cut(pool: bytes, size: int) -> list[bytes]:
    """Return bytes in pieces of one size.

    >>> cut(b"abcd", 2)
    [b'ab', b'cd']
    """
    return list(Struct(f"{size}s" * (len(pool) // size)).unpack(pool))


def new_token() -> str:
    """Return 256 random bits for a link. Store only `token_hash` of it."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is stored of a link's token; a copy of the table opens no door."""
    return hashlib.sha256(token.encode()).digest()
