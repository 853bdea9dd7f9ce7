"""`careloop demo`: the demo clinic, the same every time."""

import argparse
from typing import Any

from careloop.cli.arguments import number
from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("demo", parents=[shared], help="make the demo clinic (once)")
    command.add_argument("--patients", type=number(1, 1_000_000), default=1200, help="how many patients (default 1200)")
    command.add_argument("--seed", type=number(0, 2**31), default=20260316, help="same seed, same clinic")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.cli.processes import ensure_demo, sign_ins
    from careloop.config.installation import prepare_database

    prepare_database(lambda step: output.say(f"preparing: {step}"))
    demo = ensure_demo(output, patients=options.patients, seed=options.seed)
    output.answer(demo, "\n".join(sign_ins(demo)))
    return 0
