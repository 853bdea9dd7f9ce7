"""`careloop loyalty verify`: do the books of points add up?"""

import argparse
from dataclasses import asdict
from typing import Any

from careloop.cli.output import Output, in_own_words


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("loyalty", help="the membership")
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    verify = actions.add_parser(
        "verify", parents=[shared], help="work out balances and lots of points anew and name every difference"
    )
    verify.set_defaults(run=run_verify)


def run_verify(options: argparse.Namespace, output: Output) -> int:
    from careloop.loyalty.points import verify
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import find_organization, organization_ids

    wanted = find_organization(options.organization) if options.organization else None
    found = {}
    for organization_id, slug in organization_ids():
        if wanted in (None, organization_id):
            with in_organization(organization_id):
                found[slug] = verify.check_books()
    add_up = all(books.add_up for books in found.values())
    with in_own_words():
        lines = [f"{slug}: {line}" for slug, books in found.items() for line in verify.sentences(books)]
    reports = {slug: {**asdict(books), "add_up": books.add_up} for slug, books in found.items()}
    output.answer({"add_up": add_up, "organizations": reports}, "\n".join(lines) or "no organizations yet")
    return 0 if add_up else 1
