"""`careloop import csv|fhir|ical PATH`: real records in."""

import argparse
from typing import Any

from careloop.cli.output import CommandFailed, Output, in_own_words


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("import", help="bring records in, or take a batch back")
    kinds = command.add_subparsers(title="kinds", required=True, metavar="KIND")
    for kind, words in (
        ("csv", "CSV or Excel files, a folder or a zip of them"),
        ("fhir", "FHIR R4: JSON, NDJSON, folders, tar and zip archives"),
    ):
        one = kinds.add_parser(kind, parents=[shared], help=words)
        one.add_argument("path", help="file, folder or archive")
        one.add_argument("--map", metavar="FILE", help="column mapping (JSON); without it the mapping is suggested")
        one.add_argument("--source", help="name of the system the records come from")
        one.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
        one.set_defaults(run=run, kind=kind)
    ical = kinds.add_parser("ical", parents=[shared], help="a practitioner's leave from a calendar (.ics)")
    ical.add_argument("path", help="the calendar, an .ics file of at most 1 MB")
    ical.add_argument("--practitioner", metavar="NAME", required=True, help="whose leave it is: name or id")
    ical.add_argument("--all-day", choices=["busy", "always", "never"], default="busy",
                      help="whole days count when shown as busy (default), always or never")  # fmt: skip
    ical.add_argument(
        "--keep", action="store_true", help="keep what an earlier import brought and the calendar no longer has"
    )
    ical.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    ical.set_defaults(run=run_ical)
    undo = kinds.add_parser("undo", parents=[shared], help="take a whole batch back")
    undo.add_argument("batch", help="the batch's id, as the import printed it")
    undo.set_defaults(run=run_undo)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.integrations.imports import commands
    from careloop.tenancy.services import find_organization

    with in_own_words():
        answer = commands.run_import(
            options.kind, options.path, map_file=options.map, source=options.source, dry_run=options.dry_run,
            organization=find_organization(options.organization), progress=output.progress,
        )  # fmt: skip
        if reason := _why_nothing(answer):
            raise CommandFailed(reason)
        output.answer(answer, "\n".join(commands.in_words(answer)))
    return 0


def _why_nothing(answer: dict[str, Any]) -> str:
    """The first reason, where the source was refused as a whole, as an empty folder is; empty where there was something to import."""
    came_in = any(answer[name] for name in ("created", "updated", "unchanged"))
    refusals = answer["refusals"]
    if came_in or not refusals or any(one["line"] or one["field"] for one in refusals):
        return ""
    return f"{refusals[0]['file']}: {refusals[0]['reason']}"


def run_ical(options: argparse.Namespace, output: Output) -> int:
    from careloop.integrations.icalendar import commands
    from careloop.tenancy.services import find_organization

    with in_own_words():
        answer = commands.run_import(
            options.path, practitioner=options.practitioner, dry_run=options.dry_run, all_day=options.all_day, keep=options.keep,
            organization=find_organization(options.organization),
        )  # fmt: skip
        output.answer(answer, "\n".join(commands.in_words(answer)))
    return 0


def run_undo(options: argparse.Namespace, output: Output) -> int:
    from careloop.integrations.imports import commands
    from careloop.tenancy.services import find_organization

    with in_own_words():
        answer = commands.run_undo(
            options.batch, organization=find_organization(options.organization), progress=output.progress
        )
    output.answer(answer, f"Import {answer['batch']} is taken back.")
    return 0
