"""Recording what was seen and done."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from careloop.kernel import sql
from careloop.tenancy import context


@dataclass(frozen=True)
class Actor:
    """Who acts: a staff user, a patient, an API token, a reader, a job or a command."""

    kind: str
    id: UUID | None = None
    name: str = ""
    via: str = ""
    address: str = ""


SYSTEM = Actor("system", via="worker")
_actor: ContextVar[Actor] = ContextVar("careloop_audit_actor", default=SYSTEM)


@dataclass
class Note:
    """One action, waiting to be written at the end of the transaction."""

    action: str
    patients: list[UUID | str]
    target: tuple[str, str]
    reason: str
    details: dict[str, Any]
    actor: Actor
    at: datetime = field(default_factory=timezone.now)

    def row(self) -> dict[str, Any]:
        return {
            "recorded_at": self.at.isoformat(), "action": self.action, "actor_kind": self.actor.kind,
            "actor_id": str(self.actor.id) if self.actor.id else None, "actor_name": self.actor.name,
            "via": self.actor.via, "address": self.actor.address,
            "patients": list(dict.fromkeys(map(str, filter(None, self.patients)))),
            "target_kind": self.target[0], "target_id": self.target[1], "reason": self.reason,
            "details": self.details,
        }  # fmt: skip


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Let `actor` be the one who acts inside the block."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def current_actor() -> Actor:
    return _actor.get()


def record(
    action: str,
    *,
    patients: Iterable[UUID | str] = (),
    target: tuple[str, object] = ("", ""),
    reason: str = "",
    details: dict[str, Any] | None = None,
    actor: Actor | None = None,
    now: datetime | None = None,
) -> None:
    """Note one action; it is written with the running transaction, or not at all if that fails.

    Args:
        action: dotted past tense, `patient.viewed`.
        patients: whose data were seen or changed; a list page gives all of its rows in one note.
        target: kind and id of what was acted on, when it is not a patient.
        reason: what the person gave as a reason.
        details: small facts; never identifiers or clinical text.
    """
    scope = context.current_scope()
    if scope is None:
        raise context.NoOrganization("audit.record needs an organization")
    scope.notes.append(
        Note(
            action, list(patients), (target[0], str(target[1])), reason, details or {}, actor or _actor.get(),
            now or timezone.now(),
        )
    )  # fmt: skip
    context.before_commit(write_notes)


def waiting_notes() -> int:
    """Return how many notes wait to be written; hand it to `forget_since` when what follows was rolled back."""
    scope = context.current_scope()
    return len(scope.notes) if scope else 0


def forget_since(mark: int) -> None:
    """Drop the notes about what a rolled-back part of the transaction did."""
    scope = context.current_scope()
    if scope is not None:
        del scope.notes[mark:]


def write_notes() -> None:
    """Append the waiting notes to the chain: one statement, one short lock on the organization's head.

    The lock is held until the commit, and everybody else who reads in this organization waits for it: so the commit travels
    with the statement.
    """
    scope = context.current_scope()
    if scope is None or not scope.notes:
        return
    rows = [note.row() for note in scope.notes]
    scope.notes.clear()
    run = sql.finish if scope.is_last_step else sql.execute
    run("select audit_append(%s::jsonb)", [orjson.dumps(rows).decode()])
