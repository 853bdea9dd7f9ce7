"""The worker process: job queue, event readers, rounds and daily work."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import connection
from django.utils import timezone
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

from careloop.audit.services import Actor, acting_as
from careloop.events.readers import run_all
from careloop.tenancy.loops import LOOPS, run_due_dailies
from careloop.tenancy.services import organization_ids

log = structlog.get_logger(__name__)

READERS_EVERY = timedelta(milliseconds=500)
# a million events of one clinic's import are minutes of work, and other clinics' reminders wait for nobody that long
READER_TURN = timedelta(milliseconds=200)
DAILIES_EVERY = timedelta(seconds=30)
PAUSE_AFTER_FAILURE = 5.0
STALLED_AFTER = 30.0  # seconds without a sign of life after which a worker's jobs are given to others
JOBS_AT_ONCE = 2

Round = Callable[[UUID], int]


def run_worker(*, ready: Callable[[], None] = lambda: None, stalled_after: float = STALLED_AFTER) -> None:
    """Work until SIGTERM or SIGINT; what is in hand is finished first."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=_repeat, args=(name, every, work, stop), name=name, daemon=True)
        for name, every, work in _rounds()
    ]
    for thread in threads:
        thread.start()
    try:
        asyncio.run(_run_jobs(stop, stalled_after, ready))
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=20)


def _rounds() -> list[tuple[str, timedelta, Round]]:
    found: list[tuple[str, timedelta, Round]] = [
        ("readers", READERS_EVERY, lambda organization: run_all(organization, now=timezone.now(), each=READER_TURN)),
        ("dailies", DAILIES_EVERY, lambda organization: run_due_dailies(organization, now=timezone.now())),
    ]
    for entry in LOOPS.values():
        found.append((entry.name, entry.every, _now(entry.run)))
    return found


def _now(run: Callable[..., int]) -> Round:
    return lambda organization: run(organization, now=timezone.now())


def _repeat(name: str, every: timedelta, work: Round, stop: threading.Event) -> None:
    """Visit every organization again and again; a failing one does not keep the others waiting."""
    with acting_as(Actor("system", name=name, via="worker")):
        while not stop.is_set():
            did = 0
            try:
                for organization, _slug in organization_ids():
                    if stop.is_set():
                        break
                    did += _visit(name, work, organization)
            except Exception:
                log.exception("round.failed", round=name)
                connection.close()
                stop.wait(PAUSE_AFTER_FAILURE)
            if not did:
                connection.close()  # back to the pool while we wait
                stop.wait(every.total_seconds())
        connection.close()


def _visit(name: str, work: Round, organization: UUID) -> int:
    started = time.monotonic()
    try:
        return work(organization)
    except Exception:
        log.exception("round.failed", round=name, organization=str(organization))
        connection.close()
        return 0
    finally:
        took = time.monotonic() - started
        if took > 30:
            log.warning("round.slow", round=name, seconds=round(took))


def job_queue() -> App:
    """Return the job queue with a connection of its own for fetching work.

    Jobs that are queued by code running here still go through Django's connection, in the transaction of the change that wants
    them: the tasks stay bound to Django's app, only the fetching app is another one.
    """
    return app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]


async def _run_jobs(stop: threading.Event, stalled_after: float, ready: Callable[[], None]) -> None:
    """Run the job queue until a signal arrives."""
    loop = asyncio.get_running_loop()
    async with job_queue().open_async() as queue:
        task = asyncio.create_task(
            queue.run_worker_async(
                concurrency=JOBS_AT_ONCE, install_signal_handlers=False, wait=True, listen_notify=True,
                shutdown_graceful_timeout=20, update_heartbeat_interval=stalled_after / 3, stalled_worker_timeout=stalled_after,
            )
        )  # fmt: skip
        rescue = asyncio.create_task(_rescue(queue, stalled_after))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        ready()
        try:
            await task
        except asyncio.CancelledError:
            stop.set()
        finally:
            rescue.cancel()


async def _rescue(queue: App, stalled_after: float) -> None:
    """Put the jobs of workers that were killed back into the queue; a job that had committed notices and does nothing."""
    while True:
        try:
            for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after):
                # another worker may have put it back in the meantime: the queue refuses the second
                with suppress(ConnectorException):
                    await queue.job_manager.retry_job(job)
                    log.warning("job.rescued", job=job.id, task=job.task_name)
        except Exception:
            log.exception("rescue.failed")
        await asyncio.sleep(stalled_after / 2)
