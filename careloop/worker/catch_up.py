"""Do what waits, once, in this process: for commands and tests."""

from django.utils import timezone

from careloop.events.readers import run_all
from careloop.tenancy.loops import LOOPS, run_due_dailies
from careloop.tenancy.services import organization_ids


def catch_up() -> int:
    """Run queued jobs, readers, rounds and daily work until nothing is left; return how much was done."""
    from procrastinate.contrib.django import app

    total = 0
    while True:
        did = 0
        with app.replace_connector(app.connector.get_worker_connector().get_sync_connector()).open() as queue:
            queue.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)
        for organization, _slug in organization_ids():
            did += run_all(organization, now=timezone.now())
            did += run_due_dailies(organization, now=timezone.now())
            for entry in LOOPS.values():
                while done := entry.run(organization, now=timezone.now()):
                    did += done
        total += did
        if not did:
            return total
