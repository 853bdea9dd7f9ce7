"""`careloop …`: reads the command line and runs one command."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from careloop import __version__
from careloop.cli.output import CommandFailed, Output, in_own_words

if TYPE_CHECKING:
    from pydantic import ValidationError

COMMANDS = (
    "up", "down", "demo", "organization", "user", "migrate", "import_", "count", "worker", "audit", "loyalty", "keys", "facts", "doctor",
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
    # each command has a copy of the flags; where it is not given, SUPPRESS lets the one before the command stand
    shared = _flags(json=argparse.SUPPRESS, organization=argparse.SUPPRESS)
    top = argparse.ArgumentParser(
        prog="careloop", description="CareLoop 常伴", parents=[_flags(json=False, organization=None)]
    )
    top.add_argument("--version", action="version", version=f"careloop {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"careloop.cli.commands.{name}").register(commands, shared)
    return top


def _flags(**defaults: Any) -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(add_help=False)
    flags.add_argument("--json", action="store_true", default=defaults["json"], help="print one JSON object on stdout")
    flags.add_argument("--organization", metavar="SLUG", default=defaults["organization"], help="which organization")
    return flags


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
    import psycopg
    from django.core.exceptions import ImproperlyConfigured
    from django.db.migrations.exceptions import InconsistentMigrationHistory
    from django.db.utils import OperationalError, ProgrammingError
    from pydantic import ValidationError

    from careloop.kernel.errors import DomainError
    from careloop.kernel.postgres.cluster import ClusterError
    from careloop.kernel.vault import VaultError

    if isinstance(error, DomainError):
        with in_own_words():
            return str(error)
    if isinstance(error, CommandFailed | ClusterError | VaultError | ImproperlyConfigured):
        return str(error)
    if isinstance(error, ValidationError):
        return wrong_settings(error)
    if isinstance(error, OperationalError | psycopg.OperationalError):
        return f"the database does not answer ({_first_line(error)}); run: careloop doctor"
    if isinstance(error, InconsistentMigrationHistory):
        return f"the database was not made by this version of CareLoop ({error}); install the version that made it, or restore a backup"
    if isinstance(error, ProgrammingError) and "does not exist" in str(error):
        return "the database is not at this version; run: careloop migrate"
    if isinstance(
        error, FileNotFoundError | FileExistsError | PermissionError | IsADirectoryError | NotADirectoryError
    ):
        return str(error)
    return None


def wrong_settings(error: "ValidationError") -> str:
    """Return which settings are wrong, by the names they are set with."""
    return "a setting is wrong: " + "; ".join(f"{_variable(one['loc'])}: {one['msg']}" for one in error.errors())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _variable(place: tuple[int | str, ...]) -> str:
    name = str(place[0]) if place else ""
    return name if name == "DATABASE_URL" else f"CARELOOP_{name.upper()}"
