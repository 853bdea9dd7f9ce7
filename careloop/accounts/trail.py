"""How accounts, which stand below the audit chain, have their actions written into it."""

from collections.abc import Callable
from typing import Any, Protocol

from django.http import HttpRequest

from careloop.accounts.models import User
from careloop.kernel import sql
from careloop.tenancy import context


class Writer(Protocol):
    """What `audit.services.record` looks like from here."""

    def __call__(
        self, action: str, *, target: tuple[str, object] = ..., reason: str = ..., details: dict[str, Any] | None = ...,
        actor: Any = ...,
    ) -> None: ...  # fmt: skip


_writer: Writer | None = None
_visitor: Callable[..., Any] | None = None
# what only somebody who has proved to be the user can do; the rest is claimed by a visitor
PROVED = {"signin.succeeded", "signin.ended", "password.reset", "password.changed"}


def write_with(writer: Writer, *, visitor: Callable[..., Any]) -> None:
    """Say who writes; `audit/slots.py` does, once. `visitor(user_id, name, address)` makes the actor;
    without an id it is someone who is not signed in."""
    global _writer, _visitor
    _writer, _visitor = writer, visitor


def note(action: str, *, target: tuple[str, object] = ("", ""), reason: str = "", **details: Any) -> None:
    """Write one action into the running organization's audit chain.

    Raises:
        RuntimeError: nobody writes; nothing may happen unseen.
    """
    if _writer is None:
        raise RuntimeError("accounts.trail has no writer")
    _writer(action, target=target, reason=reason, details=details)


def note_for_user(action: str, user: User, *, request: HttpRequest, **details: Any) -> None:
    """Write what happened to a user's account into the audit chain.

    A signed-in member's goes into the running organization's. Signing in happens before an organization is known, and
    concerns all of the user's.
    """
    if _writer is None or _visitor is None:
        raise RuntimeError("accounts.trail has no writer")
    if getattr(request, "member", None) is not None and context.current_scope() is not None:
        _writer(action, target=("user", user.pk), reason="", details=details)
        return
    actor = _visitor(user.pk if action in PROVED else None, user.name or user.email, address_of(request))
    for row in sql.rows("select organization_id from accounts_organizations(%s)", [user.pk]):
        with context.in_organization(row["organization_id"]):
            _writer(action, target=("user", user.pk), reason="", details=details, actor=actor)


def address_of(request: HttpRequest) -> str:
    """Return the network address of the visitor; behind proxies, what the nearest trusted one saw."""
    from allauth.core.internal.httpkit import get_client_ip

    return get_client_ip(request) or ""
