"""The process that is killed: a parent that has imported everything and forks one sender after the other.

`python -m careloop.messaging.tests.crash_sender MAIL_ORGANIZATION LINE_ORGANIZATION KILLS SEED` prints one JSON line at the end.
The parent never opens a connection, so a forked sender starts in milliseconds. Each sender's clock is six minutes later
than the one before: its dead predecessor's lease has run out.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import datetime, timedelta
from uuid import UUID


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings_test")
    import django

    django.setup()
    from careloop.messaging import dispatch, outgoing

    organizations, kills, dice = [UUID(one) for one in sys.argv[1:3]], int(sys.argv[3]), random.Random(int(sys.argv[4]))
    began = datetime.fromisoformat(sys.argv[5])
    killed_at_work = lives = 0
    while killed_at_work < kills and lives < kills * 3:
        clock = began + timedelta(minutes=6 * lives)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _live(dispatch, outgoing, organizations[lives % 2], clock, writing)
        os.close(writing)
        lives += 1
        said = os.read(reading, 1)  # "s" before the first message is handed over, nothing when it ended before
        if said:
            time.sleep(dice.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        _pid, status = os.waitpid(pid, 0)
        os.close(reading)
        killed_at_work += bool(said) and os.WIFSIGNALED(status)
    for extra in range(8):
        for organization in organizations:
            pid = os.fork()
            if pid == 0:
                _live(dispatch, outgoing, organization, began + timedelta(minutes=6 * lives + 10 * (extra + 1)), -1)
            os.waitpid(pid, 0)
    sys.stdout.write(json.dumps({"killed": killed_at_work, "lives": lives}) + "\n")


def _live(dispatch, outgoing, organization, clock, writing) -> None:  # type: ignore[no-untyped-def]
    """Send what is due, saying so just before the first message leaves."""
    if writing >= 0:
        claim = outgoing.claim

        def said_first(*args, **more):  # type: ignore[no-untyped-def]
            ready = claim(*args, **more)
            if ready:
                os.write(writing, b"s")
            return ready

        outgoing.claim = said_first
    sender = dispatch.Dispatcher(clock=lambda: clock, batch=10 if writing >= 0 else 200, hand_over=3)
    sender.pass_over(organization)
    os._exit(0)


if __name__ == "__main__":
    main()
