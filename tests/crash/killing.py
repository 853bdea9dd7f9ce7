"""Starting real workers by forking this process, which has everything imported, and killing them."""

import logging
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress

from django.db import connections

STALLED_AFTER = 0.6  # seconds; a real installation waits thirty


def close_connections() -> None:
    """A connection must not be shared with a child: both would speak on it."""
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].close_pool()


def start_worker() -> int:
    """Fork a worker, with readers, jobs and rounds, and return its process id."""
    from careloop.worker.run import run_worker

    return start(lambda: run_worker(stalled_after=STALLED_AFTER))


def start(work: Callable[[], None]) -> int:
    """Fork a process that does `work` and ends."""
    close_connections()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno() if hasattr(sys.__stdout__, "fileno") else 1)
        logging.getLogger("psycopg.pool").addHandler(logging.StreamHandler())  # why no connection came
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def kill_after(pid: int, seconds: float) -> None:
    """Let it work for a while, then kill it without a word."""
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def kill_each(workers: Iterable[tuple[int, float]]) -> None:
    """Kill several at once, each after its own seconds from now."""
    begun = time.monotonic()
    for pid, seconds in sorted(workers, key=lambda one: one[1]):
        kill_after(pid, max(0.0, begun + seconds - time.monotonic()))


def work_until(done: Callable[[], bool], *, timeout: float = 90) -> None:
    """Let an undisturbed worker run until `done`, then stop it in good order."""
    pid = start_worker()
    try:
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError("the worker did not finish what was left")
            time.sleep(0.2)
    finally:
        close_connections()
        os.kill(pid, signal.SIGTERM)
        kill_after(pid, 0.5)


def some_time(dice: random.Random, *, most: float = 0.6) -> float:
    """A random moment of a worker's first moments: while starting, claiming, working, committing."""
    return dice.uniform(0.02, most)
