"""`careloop audit verify`: is the audit chain whole?"""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("audit", help="the audit chain")
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", parents=[shared], help="find an edit, a deletion, a reorder or a truncation")
    verify.set_defaults(run=run_verify)


def run_verify(options: argparse.Namespace, output: Output) -> int:
    from careloop.audit import verify
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import find_organization, organization_ids

    wanted = {find_organization(options.organization)} if options.organization else {o for o, _ in organization_ids()}
    reports = {}
    for organization_id, slug in organization_ids():
        if organization_id in wanted:
            with in_organization(organization_id):
                reports[slug] = verify.verify_chain(organization_id)
    whole = all(report["whole"] for report in reports.values())
    lines = [
        f"{slug}: {report['entries']} entries, "
        + ("whole" if report["whole"] else "BROKEN: " + "; ".join(report["faults"]))
        for slug, report in reports.items()
    ]
    output.answer({"whole": whole, "organizations": reports}, "\n".join(lines) or "no organizations yet")
    return 0 if whole else 1
