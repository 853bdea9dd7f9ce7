"""Signing in with LINE, and connecting a LINE account with a patient.

LINE says which LINE user it is; that is no proof of which patient. A LINE account opens a patient's pages only after somebody
proved, once, with a code to an address in the record and the birth date, that the patient is theirs.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.cache import cache

from careloop.audit import services as audit
from careloop.integrations.channels.line import login as line_login
from careloop.integrations.channels.line.login import LineLoginError, LoginChannel
from careloop.kernel.ids import new_token, token_hash
from careloop.patients import services as patients
from careloop.patients.models import ContactPoint
from careloop.portal import errors

WAITS_SECONDS = 600


def port() -> line_login.Login:
    """Return who asks LINE; tests put their own here."""
    return line_login.LineLogin(settings.CARELOOP_LINE_API)


def channel() -> LoginChannel | None:
    """Return the clinic's LINE Login channel, if it has set one up."""
    return line_login.channel()


def is_ready() -> bool:
    return channel() is not None


@dataclass(frozen=True)
class Errand:
    """A browser on its way to LINE and back; `invitation` is the code it opened at the desk, if it came from there."""

    nonce: str
    verifier: str
    next: str
    invitation: str = ""


def _key(organization_id: UUID, what: str, secret: bytes) -> str:
    return f"portal-line:{what}:{organization_id}:{hashlib.sha256(secret).hexdigest()}"


def send_away(found: LoginChannel, *, organization_id: UUID, browser_hash: bytes, redirect: str, next_url: str, language: str, invitation: str = "") -> str:  # fmt: skip
    """Return LINE's address for this browser; state, nonce and verifier are good once and for ten minutes."""
    state, nonce, verifier = new_token(), new_token(), new_token()
    cache.set(
        _key(organization_id, "state", state.encode() + browser_hash),
        [nonce, verifier, next_url, invitation],
        WAITS_SECONDS,
    )
    challenge = base64.urlsafe_b64encode(token_hash(verifier)).decode().rstrip("=")
    return line_login.authorize_url(
        found, redirect=redirect, state=state, nonce=nonce, challenge=challenge, language=language, asks_friend=bool(invitation),
    )  # fmt: skip


def come_back(*, organization_id: UUID, browser_hash: bytes, state: str) -> Errand:
    """Return the errand this state belongs to, in this browser, once.

    Raises:
        LineRefused: there is none.
    """
    key = _key(organization_id, "state", state.encode() + browser_hash)
    kept = cache.get(key)
    if not kept or not cache.delete(key):
        raise errors.LineRefused
    return Errand(*kept)


def user_behind(found: LoginChannel, *, id_token: str, nonce: str, now: datetime) -> str:
    """Return the LINE user an ID token proves, by LINE's own word; a token is good once.

    Raises:
        LineRefused.
    """
    if not 20 < len(id_token) <= line_login.LONGEST_TOKEN or not id_token.isascii():
        raise errors.LineRefused
    try:
        claims = port().claims_of(found, id_token=id_token, nonce=nonce)
        user = line_login.user_of(claims, channel=found, nonce=nonce, now=now)
    except LineLoginError:
        raise errors.LineRefused from None
    lives = max(60, int(claims["exp"] - now.timestamp()) + 2 * line_login.LEEWAY_SECONDS)
    if not cache.add("portal-line:used:" + hashlib.sha256(id_token.encode()).hexdigest(), 1, lives):
        raise errors.LineRefused
    return user


def keep_waiting(*, organization_id: UUID, browser_hash: bytes, user: str) -> None:
    """Remember for ten minutes which LINE user this browser is, while its owner proves which patient."""
    cache.set(_key(organization_id, "user", browser_hash), user, WAITS_SECONDS)


def who_waits(*, organization_id: UUID, browser_hash: bytes) -> str:
    """Return the LINE user of this browser, or nothing."""
    return str(cache.get(_key(organization_id, "user", browser_hash)) or "")


def bind(*, patient_id: UUID, user_id: str, now: datetime, invited_by: UUID | None = None) -> None:
    """Connect a LINE account with a patient who was proved: by a code and the birth date, or by a colleague at the desk."""
    if not user_id:
        return
    row = patients.add_contact_point(
        patient_id=patient_id, system="line", text=user_id, verified=True, now=now, by=None
    )
    audit.record("portal.line_bound", patients=[patient_id], target=("contact_point", row.pk), now=now,
                 details={"invited_by": str(invited_by)} if invited_by else {})  # fmt: skip


def unbind(*, patient_id: UUID, now: datetime) -> None:
    """Take every LINE account off a patient: nothing is sent there any more, and it opens nothing."""
    for row in ContactPoint.objects.filter(patient_id=patient_id, system="line"):
        patients.remove_contact_point(contact_point_id=row.pk, now=now, by=None)
        audit.record("portal.line_unbound", patients=[patient_id], target=("contact_point", row.pk), now=now)
