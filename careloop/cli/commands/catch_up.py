"""`careloop catch-up`: do the waiting background work now, in this process."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser(
        "catch-up", parents=[shared], help="do waiting background work once, without a worker"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.worker.catch_up import catch_up

    done = catch_up()
    output.answer({"done": done}, f"{done} pieces of work done.")
    return 0
