"""Identifiers: UUIDv7 for rows that appear in a URL, random tokens for secrets in links."""

import hashlib
import os
import secrets
import time
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


def new_token() -> str:
    """Return 256 random bits for a link. Store only `token_hash` of it."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is stored of a link's token; a copy of the table opens no door."""
    return hashlib.sha256(token.encode()).digest()
