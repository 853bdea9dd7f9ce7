"""Secrets of the waiting room: the link to a number, the code shown at the clinic.

A ticket's token is made anew from its id whenever it is needed and kept only as a hash. The code at the clinic is new every
minute, so a photograph of it does not check anybody in from home for long.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from careloop.kernel import vault

CODE_SECONDS = 60
# A code may be opened while it is shown and one minute longer; who opened it has ten minutes to fill in the form.
MAY_OPEN, MAY_SEND = 1, 10
_MAC = 12
_TOKEN = re.compile(r"/p/q/([A-Za-z0-9_-]{43})(?:/|$)|^([A-Za-z0-9_-]{43})$")


def token_of(organization_id: UUID, ticket_id: UUID) -> str:
    """Return the token in the link to a ticket: 256 bits, not guessable without the installation's index secret."""
    key = vault.keyring().index_key(organization_id, "waitingroom.ticket")
    return _text(vault.keyed_hash(key)(ticket_id.bytes))


def base_url() -> str:
    """Return the address under which patients reach this installation."""
    return str(getattr(settings, "CARELOOP_PUBLIC_URL", "") or "http://127.0.0.1:8400").rstrip("/")


def url_of(organization_id: UUID, ticket_id: UUID) -> str:
    """Return the address of a patient's number."""
    return f"{base_url()}/p/q/{token_of(organization_id, ticket_id)}/"


def token_in(scanned: str) -> str:
    """Return the token in what a scanner typed, or nothing: the whole address, or the token alone.

    >>> token_in("https://clinic.example/p/q/" + "a" * 43 + "/") == "a" * 43, token_in("4711234567890")
    (True, '')
    """
    found = _TOKEN.search(scanned.strip())
    return (found[1] or found[2]) if found else ""


@dataclass(frozen=True)
class Code:
    """What a genuine code says: where it was shown, and how many minutes ago."""

    organization_id: UUID
    location_id: UUID
    age: int


def code_for(organization_id: UUID, location_id: UUID, *, now: datetime) -> str:
    """Return the code to show at a clinic in this minute."""
    minute = int(now.timestamp()) // CODE_SECONDS
    body = organization_id.bytes + location_id.bytes + minute.to_bytes(5, "big")
    return _text(body + _mac(organization_id, body))


def code_url(organization_id: UUID, location_id: UUID, *, now: datetime) -> str:
    """Return the address behind the code at the clinic."""
    return f"{base_url()}/p/q/here/{code_for(organization_id, location_id, now=now)}/"


def read_code(code: str, *, now: datetime) -> Code | None:
    """Return what a code says, or None when we did not write it."""
    try:
        raw = urlsafe_b64decode(code + "=" * (-len(code) % 4))
    except ValueError:
        return None
    if len(raw) != 37 + _MAC:
        return None
    body, mac = raw[:-_MAC], raw[-_MAC:]
    organization_id = UUID(bytes=body[:16])
    if not hmac.compare_digest(mac, _mac(organization_id, body)):
        return None
    age = int(now.timestamp()) // CODE_SECONDS - int.from_bytes(body[32:], "big")
    return Code(organization_id, UUID(bytes=body[16:32]), age)


def _mac(organization_id: UUID, body: bytes) -> bytes:
    key = vault.keyring().index_key(organization_id, "waitingroom.code")
    return bytes(vault.keyed_hash(key)(body))[:_MAC]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")
