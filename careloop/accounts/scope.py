"""Which of the organization's locations a member's work is limited to."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from careloop.accounts.models import Membership, MembershipLocation


def location_ids(member: Membership | None) -> frozenset[UUID] | None:
    """Return the locations whose patients `member` sees, or None when there is no limit.

    A limited member sees patients whose home is one of these locations, and nobody else: a patient without a home location
    is seen by members without a limit only.
    """
    if member is None:
        return None
    known: frozenset[UUID] | str | None = getattr(member, "location_limit", "unread")
    if isinstance(known, str):
        found = MembershipLocation.objects.filter(membership_id=member.pk).values_list("location_id", flat=True)
        known = frozenset(found) or None
        member.location_limit = known  # type: ignore[attr-defined]
    return known


_current: ContextVar[frozenset[UUID] | None] = ContextVar("careloop_locations", default=None)


@contextmanager
def limited_to(locations: frozenset[UUID] | None) -> Iterator[None]:
    """Let everything inside the block see patients of these locations only (None: of all)."""
    token = _current.set(locations)
    try:
        yield
    finally:
        _current.reset(token)


def current_location_ids() -> list[UUID] | None:
    """Return the limit of the member the running request belongs to, as a parameter for SQL; None: no limit.

    Jobs, readers and commands have none: what they work out is the organization's.
    """
    limit = _current.get()
    return None if limit is None else sorted(limit)


def at_home(column: str) -> tuple[str, dict[str, Any]]:
    """Return what a statement adds so that it finds patients of these locations only, with its parameter; nothing without a limit.

    Args:
        column: the patient's home location in the statement, as `p.home_location_id`.
    """
    limit = current_location_ids()
    return ("", {}) if limit is None else (f" and {column} = any(%(at_home)s)", {"at_home": limit})
