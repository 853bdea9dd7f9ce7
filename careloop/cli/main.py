"""`careloop …`: reads the command line and runs one command."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from careloop import __version__
from careloop.cli.output import CommandFailed, Output

COMMANDS = (
    "up", "down", "demo", "organization", "user", "migrate", "import_", "count", "worker", "audit", "keys", "facts", "doctor",
    "bench", "catch_up",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    if "run" not in options:
        parser().print_help(sys.stderr)
        return 2
    output = Output(as_json=options.json)
    try:
        _set_up(options)
        return options.run(options, output) or 0
    except KeyboardInterrupt:
        output.say("stopped")
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        reason = _reason(error)
        if reason is None or os.environ.get("CARELOOP_DEBUG"):
            raise
        output.end_line()
        print(f"careloop: {reason}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    # SUPPRESS keeps a flag given before the command when the command's own copy is absent
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object on stdout")
    shared.add_argument("--organization", metavar="SLUG", default=argparse.SUPPRESS, help="which organization")
    top = argparse.ArgumentParser(prog="careloop", description="CareLoop 常伴", parents=[shared])
    top.add_argument("--version", action="version", version=f"careloop {__version__}")
    top.set_defaults(json=False, organization=None)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"careloop.cli.commands.{name}").register(commands, shared)
    return top


def _set_up(options: argparse.Namespace) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings")
    if getattr(options, "needs_database", True):
        from careloop.config.database import database

        database().start()
    if getattr(options, "needs_django", True):
        import django

        django.setup()


def _reason(error: Exception) -> str | None:
    """Return the one line a person needs, or None for a mistake of ours."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db.utils import OperationalError, ProgrammingError

    from careloop.kernel.errors import DomainError
    from careloop.kernel.postgres.cluster import ClusterError
    from careloop.kernel.vault import VaultError

    if isinstance(error, DomainError | CommandFailed | ClusterError | VaultError | ImproperlyConfigured):
        return str(error)
    if isinstance(error, OperationalError):
        return f"the database does not answer ({str(error).splitlines()[0]}); run: careloop doctor"
    if isinstance(error, ProgrammingError) and "does not exist" in str(error):
        return "the database is not at this version; run: careloop migrate"
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return str(error)
    return None
