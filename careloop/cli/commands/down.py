"""`careloop down`: stop what `careloop up` started."""

import argparse
import os
import signal
import time
from typing import Any

from careloop.cli.output import CommandFailed, Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("down", parents=[shared], help="stop a running CareLoop and its database")
    command.set_defaults(run=run, needs_database=False, needs_django=False)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.cli.processes import running_pid
    from careloop.config.database import database

    pid = running_pid()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 90
        while running_pid() is not None:
            if time.monotonic() > deadline:
                raise CommandFailed(f"process {pid} does not stop; look at it with: ps {pid}")
            time.sleep(0.1)
    cluster = database().cluster
    if cluster is not None:
        cluster.stop()
    output.answer({"stopped": pid is not None}, "CareLoop is stopped." if pid else "CareLoop was not running.")
    return 0
