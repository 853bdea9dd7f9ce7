"""The doors of a message: one 256-bit token per message, made from a key, kept only as a hash.

A token is made anew from the message's id whenever it is needed (a retry says the same words), so nothing that opens a
door is ever stored. Taps carry the message's id with a short proof.
"""

import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from careloop.kernel import vault
from careloop.messaging.rendering import Doors

VALID_FOR = timedelta(days=60)


class Doorkeeper:
    """Makes the doors of one organization's messages: for a batch, its keys are looked up and hashed once."""

    def __init__(self, organization_id: UUID) -> None:
        ring = vault.keyring()
        self._link = vault.keyed_hash(ring.index_key(organization_id, "messaging.link"))
        self._tap = vault.keyed_hash(ring.index_key(organization_id, "messaging.tap"))

    def token(self, message_id: UUID) -> str:
        """Return the token in a message's links: 256 bits, not guessable without the installation's index secret."""
        return urlsafe_b64encode(self._link(message_id.bytes)).decode("ascii").rstrip("=")

    def tap(self, message_id: UUID) -> str:
        """Return what a tap carries back: which message it answers, and a proof that we wrote it."""
        return f"m={message_id.hex}.{self._tap(message_id.bytes).hex()[:20]}"


def token_of(organization_id: UUID, message_id: UUID) -> str:
    """Return one message's token; see `Doorkeeper`."""
    return Doorkeeper(organization_id).token(message_id)


def tap_of(organization_id: UUID, message_id: UUID) -> str:
    """Return what a tap on one message carries back; see `Doorkeeper`.

    >>> tap_of(UUID(int=1), UUID(int=2)).startswith("m=00000000000000000000000000000002.")
    True
    """
    return Doorkeeper(organization_id).tap(message_id)


def read_tap(organization_id: UUID, data: str) -> tuple[UUID | None, str]:
    """Return the message and the answer code in a tap's data; (None, "") when we did not write it."""
    bound, _amp, answer = data.partition("&a=")
    name, _dot, _proof = bound.removeprefix("m=").partition(".")
    try:
        message_id = UUID(hex=name)
    except ValueError:
        return None, ""
    if not bound.startswith("m=") or not hmac.compare_digest(
        bound.encode(), tap_of(organization_id, message_id).encode()
    ):
        return None, ""
    return message_id, answer[:40]


def base_url() -> str:
    """Return the address under which patients reach this installation."""
    return str(getattr(settings, "CARELOOP_PUBLIC_URL", "") or "http://127.0.0.1:8400").rstrip("/")


def doors_at(base: str, *, token: str, tap: str) -> Doors:
    """Return the doors of the message with this token and tap."""
    return Doors(
        answer=f"{base}/p/m/{token}/",
        unsubscribe=f"{base}/p/u/{token}/",
        preferences=f"{base}/p/c/{token}/",
        tap=tap,
        visit=f"{base}/p/a/{token}/",
        number=f"{base}/p/n/{token}/",
    )


def doors(organization_id: UUID, message_id: UUID) -> Doors:
    """Return all doors of one message."""
    keeper = Doorkeeper(organization_id)
    return doors_at(base_url(), token=keeper.token(message_id), tap=keeper.tap(message_id))
