"""Entering an organization: one transaction, set by the database's own means, gone at its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from careloop.kernel import sql


class NoOrganization(RuntimeError):
    """Tenant data were asked for outside `in_organization`: a mistake in the program."""


@dataclass
class Scope:
    """The organization the running code works in, and what must happen before its transaction commits."""

    organization_id: UUID
    before_commit: list[Callable[[], None]] = field(default_factory=list)
    is_last_step: bool = False  # the step that runs now is the last, and the commit follows it
    notes: list[Any] = field(default_factory=list)  # the audit slice keeps its waiting entries here


_scope: ContextVar[Scope | None] = ContextVar("careloop_scope", default=None)


@contextmanager
def in_organization(organization_id: UUID) -> Iterator[Scope]:
    """Run the block inside one transaction that sees and writes one organization only.

    What was handed to `before_commit` runs last, inside the same transaction. Entering the same organization
    again inside the block joins it (a savepoint); entering another one is refused.

    Raises:
        RuntimeError: the block tries to enter another organization.
    """
    outer = _scope.get()
    if outer is not None:
        if outer.organization_id != organization_id:
            raise RuntimeError("one transaction works in one organization")
        with transaction.atomic():
            yield outer
        return
    scope = Scope(organization_id)
    with transaction.atomic():
        set_organization(organization_id)
        token = _scope.set(scope)
        try:
            yield scope
            run_before_commit(scope)
        finally:
            _scope.reset(token)
        if connection.savepoint_ids:  # inside somebody's transaction (a test's): do not leave the setting behind
            set_organization(None)


def enter(organization_id: UUID) -> object:
    """Mark the running transaction, whose organization the database already knows; undo with `leave`."""
    return _scope.set(Scope(organization_id))


def leave(token: object) -> None:
    """Undo `enter`."""
    _scope.reset(token)  # type: ignore[arg-type]
    if connection.savepoint_ids and not connection.needs_rollback:
        outer = _scope.get()
        set_organization(outer.organization_id if outer else None)


def set_organization(organization_id: UUID | None) -> None:
    """Set the organization for the running transaction (`SET LOCAL`), which begins in the same round trip."""
    sql.start("select set_config('careloop.organization', %s, true)", [str(organization_id or "")])


def current_organization_id() -> UUID:
    """Return the organization the running code works in.

    Raises:
        NoOrganization: outside `in_organization`.
    """
    scope = _scope.get()
    if scope is None:
        raise NoOrganization("no organization is set; use tenancy.context.in_organization")
    return scope.organization_id


def current_scope() -> Scope | None:
    return _scope.get()


def before_commit(step: Callable[[], None]) -> None:
    """Run `step` at the end of the organization's transaction, still inside it; equal steps run once."""
    scope = _scope.get()
    if scope is None:
        raise NoOrganization("no organization is set; use tenancy.context.in_organization")
    if step not in scope.before_commit:
        scope.before_commit.append(step)


def run_before_commit(scope: Scope | None = None) -> None:
    """Run and forget the waiting steps; whoever owns the transaction calls this before it ends."""
    scope = scope or _scope.get()
    while scope is not None and scope.before_commit:
        step = scope.before_commit.pop(0)
        scope.is_last_step = not scope.before_commit
        step()
        scope.is_last_step = False
