"""`careloop facts rebuild`: recompute every patient's roll-up from the records."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("facts", help="the per-patient roll-ups")
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    rebuild = actions.add_parser("rebuild", parents=[shared], help="recompute them exactly from records and events")
    rebuild.set_defaults(run=run_rebuild)


def run_rebuild(options: argparse.Namespace, output: Output) -> int:
    from django.utils import timezone

    from careloop.facts import services
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import find_organization

    with in_organization(find_organization(options.organization)):
        rebuilt = services.rebuild(now=timezone.now())
    output.answer({"patients": rebuilt}, f"Rebuilt the facts of {rebuilt} patients.")
    return 0
