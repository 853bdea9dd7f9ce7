"""Making, finding and revoking tokens, and telling a retry from another request under the same key."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from careloop.api.errors import KeyUsed, TokenNameTaken, UnknownScope
from careloop.api.models import ApiToken, UsedKey
from careloop.api.scopes import SCOPES
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.ids import new_token, token_hash
from careloop.kernel.text import clean
from careloop.patients.sealing import load_keys


@transaction.atomic
def create_token(
    *, name: str, scopes: Sequence[str], by: Any, now: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token and return it with its secret, which is shown once and never again.

    Raises:
        TokenNameTaken, UnknownScope.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise UnknownScope(scope=scope)
    name = clean(name)[:80]
    if not name or ApiToken.objects.filter(name=name, revoked_at=None).exists():
        raise TokenNameTaken(name=name)
    secret = "clt_" + new_token()
    token = ApiToken.objects.create(
        name=name,
        token_hash=token_hash(secret),
        scopes=sorted(set(scopes)),
        created_at=now,
        created_by=by,
        expires_at=expires_at,
    )
    audit.record("api_token.created", target=("api_token", token.pk), details={"scopes": token.scopes}, now=now)
    return token, secret


@transaction.atomic
def revoke_token(*, token_id: UUID, by: Any, now: datetime) -> None:
    """End a token at once. Revoking again changes nothing."""
    if ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=now):
        audit.record("api_token.revoked", target=("api_token", token_id), now=now)


def enter_with(secret: str, *, now: datetime) -> dict[str, Any] | None:
    """Set the organization that `secret` belongs to for the running transaction, and return the token's facts.

    None for an unknown, expired or revoked token. One statement, which looks across organizations because none is known yet.
    """
    return sql.start("select * from api_enter(%s, %s)", [token_hash(secret), now])


def keep_or_compare(key: UUID, sent: Mapping[str, Any], *, is_new: bool, now: datetime) -> None:
    """Remember what was sent with `key` when it made the patient; a later request with the key must have sent the same.

    Raises:
        KeyUsed: the key made a patient from something else, or stands for a patient made in another way.
    """
    data_key = load_keys([key]).get(key)
    if data_key is None:
        raise KeyUsed
    mark = hmac.digest(data_key, b"api.used_key|" + orjson.dumps(sent, option=orjson.OPT_SORT_KEYS), "sha256")
    if is_new:
        UsedKey.objects.create(key=key, fingerprint=mark, used_at=now)
        return
    known = UsedKey.objects.filter(key=key).values_list("fingerprint", flat=True).first()
    if known is None or not hmac.compare_digest(bytes(known), mark):
        raise KeyUsed
