"""Do what waits, once, in this process: for commands and tests."""

import asyncio

from django.utils import timezone

from careloop.events.readers import run_all
from careloop.tenancy.loops import LOOPS, run_due_dailies
from careloop.tenancy.services import organization_ids
from careloop.worker.run import job_queue


def catch_up() -> int:
    """Run queued jobs, readers, rounds and daily work until nothing is left; return how much was done."""
    total = 0
    while True:
        did = 0
        asyncio.run(_run_waiting_jobs())
        for organization, _slug in organization_ids():
            did += run_all(organization, now=timezone.now())
            did += run_due_dailies(organization, now=timezone.now())
            for entry in LOOPS.values():
                while done := entry.run(organization, now=timezone.now()):
                    did += done
        total += did
        if not did:
            return total


async def _run_waiting_jobs() -> None:
    async with job_queue().open_async() as queue:
        await queue.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
