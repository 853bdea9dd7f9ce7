"""`careloop migrate`: bring the database up to this version."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("migrate", parents=[shared], help="bring the database up to this version")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.config.installation import migrate

    migrate(output.say)
    output.answer({"migrated": True}, "The database is up to date.")
    return 0
