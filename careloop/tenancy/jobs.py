"""Background work: queued in PostgreSQL in the same transaction as the change that wants it.

A job is one batch, never one patient (a queue of a million rows helps nobody), and its arguments are ids only, because
they are stored in clear.
"""

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from careloop.tenancy.context import in_organization

DEFAULT_RETRY = RetryStrategy(max_attempts=5, exponential_wait=3)


def job(
    *, name: str, queue: str = "default", retry: Any = DEFAULT_RETRY, transaction: bool = True, pass_context: bool = False
) -> Callable[[Callable[..., None]], Any]:
    """Declare a background job whose first argument is the organization.

    With `transaction=True` the whole job is one transaction inside the organization; a job that commits in steps sets
    it False and enters the organization itself.

    >>> @job(name="example.doctest_greet")
    ... def greet(organization_id: UUID, times: int) -> None: ...
    """

    def declare(work: Callable[..., None]) -> Any:
        @functools.wraps(work)
        def run(*args: Any, organization_id: str, **arguments: Any) -> None:
            organization = UUID(organization_id)
            if not transaction:
                work(*args, organization, **arguments)
                return
            with in_organization(organization):
                work(*args, organization, **arguments)

        return app.task(name=name, queue=queue, retry=retry, pass_context=pass_context)(run)

    return declare


def defer(task: Any, organization_id: UUID, /, *, lock: str | None = None, queueing_lock: str | None = None, **arguments: Any) -> None:
    """Queue `task` for one organization, in the running transaction.

    With `queueing_lock`, a job that already waits under the same lock makes this a no-op.
    """
    from django.db import transaction
    from procrastinate.exceptions import AlreadyEnqueued

    try:
        with transaction.atomic():
            task.configure(lock=lock, queueing_lock=queueing_lock).defer(
                organization_id=str(organization_id), **arguments
            )
    except AlreadyEnqueued:
        pass
