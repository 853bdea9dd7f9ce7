"""`careloop count`: how many records of each kind an organization holds."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("count", parents=[shared], help="count records by kind (FHIR names)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.records.selectors import counts
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import find_organization

    with in_organization(find_organization(options.organization)):
        output.answer(counts())
    return 0
