"""The web server: loads the application once, then shares it with the processes that answer.

`python -m careloop.config.server --host HOST --port PORT --workers N`. Where processes are forked (Linux before Python 3.14) the
pages of memory that hold code, forms, addresses and translations are there once instead of once a process; elsewhere each process
loads its own, as granian does by itself.
"""

import argparse
import gc
import multiprocessing
import os
import threading
from collections.abc import Sequence

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from careloop.config import parenthood
from careloop.kernel import open_files

TARGET = "careloop.config.wsgi:application"
BLOCKING_THREADS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    options = _parser().parse_args(arguments)
    server = Granian(
        TARGET, address=options.host, port=options.port, interface=Interfaces.WSGI, workers=options.workers,
        blocking_threads=BLOCKING_THREADS, backlog=open_files.CONNECTIONS, backpressure=open_files.CONNECTIONS, websockets=False,
        log_level=LogLevels(options.log_level), respawn_failed_workers=True,
    )  # fmt: skip
    if multiprocessing.get_start_method() == "fork":
        load()
        os.register_at_fork(after_in_child=parenthood.end_with_server)
    server.serve()


def load() -> None:
    """Load the application before there are other processes, down to the last address, and keep the garbage collector off it.

    Raises:
        RuntimeError: loading began a thread or opened a connection to the database, which processes cannot share.
    """
    from django.db import connections
    from django.urls import get_resolver

    from careloop.config import wsgi  # noqa: F401

    get_resolver()._populate()
    if threading.active_count() > 1 or any(one.connection for one in connections.all(initialized_only=True)):
        raise RuntimeError(
            "loading the application began a thread or opened a connection; processes cannot share those"
        )
    gc.collect()
    gc.freeze()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="careloop.config.server", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log-level", default="warning")
    return parser


if __name__ == "__main__":
    main()
