"""Background work: queued in PostgreSQL in the same transaction as the change that wants it.

A job is one batch, never one patient (a queue of a million rows helps nobody), and its arguments are ids only, because
they are stored in clear.
"""

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from careloop.kernel import sql
from careloop.tenancy.context import in_organization

DEFAULT_RETRY = RetryStrategy(max_attempts=5, exponential_wait=3)


def job(
    *,
    name: str,
    queue: str = "default",
    retry: Any = DEFAULT_RETRY,
    transaction: bool = True,
    pass_context: bool = False,
) -> Callable[[Callable[..., None]], Any]:
    """Declare a background job whose first argument is the organization.

    With `transaction=True` the whole job is one transaction inside the organization, in which it is also noted as done: a
    worker killed between that commit and telling the queue does not let it run twice. A job that commits in steps sets it
    False, enters the organization itself, and must bear being run again.

    >>> @job(name="example.doctest_greet")
    ... def greet(organization_id: UUID, times: int) -> None: ...
    """

    def declare(work: Callable[..., None]) -> Any:
        @functools.wraps(work)
        def run(*args: Any, organization_id: str, **arguments: Any) -> None:
            organization = UUID(organization_id)
            context = args[0] if args and isinstance(args[0], JobContext) else None
            given = args if pass_context else args[1:] if context else args
            if not transaction:
                work(*given, organization, **arguments)
                return
            with in_organization(organization):
                if context is None or _is_first(context.job.id):
                    work(*given, organization, **arguments)

        return app.task(name=name, queue=queue, retry=retry, pass_context=True)(run)

    return declare


def _is_first(job_id: int | None) -> bool:
    """Note the job as done in the running transaction; False when it was done before (another one doing it is waited for)."""
    return job_id is None or bool(
        sql.execute(
            "insert into tenancy_job_done (job_id, done_at) values (%s, clock_timestamp()) on conflict do nothing",
            [job_id],
        )
    )


def defer(
    task: Any, organization_id: UUID, /, *, lock: str | None = None, queueing_lock: str | None = None, **arguments: Any
) -> None:
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
