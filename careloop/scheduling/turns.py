"""Two who each hold what the other wants: the database refuses one of them, who then tries again."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import psycopg
from django.db import OperationalError, transaction

from careloop.audit import services as audit
from careloop.kernel.errors import DomainError

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 5


def in_turn(service: Callable[P, R]) -> Callable[P, R]:
    """Run a service in a transaction of its own, again after a deadlock; whoever waited goes first.

    Locks are taken in the order session, then appointment, so a deadlock is left only to those who want each other's place.
    """

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES + 1):
            notes = audit.waiting_notes()
            try:
                with transaction.atomic():
                    return service(*args, **kwargs)
            except DomainError:
                audit.forget_since(notes)
                raise
            except OperationalError as error:
                audit.forget_since(notes)
                if attempt == TRIES or not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                    raise
        raise AssertionError("unreachable")

    return run
