"""`careloop worker`: background work, until told to stop."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("worker", parents=[shared], help="run background work (start as many as needed)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.worker.run import run_worker

    run_worker(ready=lambda: output.say("worker ready"))
    output.answer({"stopped": True}, "worker stopped")
    return 0
