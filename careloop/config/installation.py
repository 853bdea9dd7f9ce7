"""Bringing an installation's database up to this version of the program."""

from collections.abc import Callable

from django.core.management import call_command
from django.db import connections

from careloop.config.database import database
from careloop.tenancy import security


def prepare_database(say: Callable[[str], None] = lambda _text: None) -> None:
    """Start the database if it is ours, migrate it, and put every table under its rule. Safe to run again, and at once."""
    say("database")
    database().start()
    migrate(say)


def migrate(say: Callable[[str], None] = lambda _text: None) -> None:
    """Bring the schema up to date; two processes that start together wait for each other."""
    with connections["owner"].cursor() as lock:
        lock.execute("select pg_advisory_lock(4242002)")
        try:
            say("migrations")
            call_command("migrate", database="owner", interactive=False, verbosity=0)
            call_command("createcachetable", database="owner", verbosity=0)
            say("row-level security")
            security.apply("owner")
        finally:
            lock.execute("select pg_advisory_unlock(4242002)")
    connections["owner"].close()


def is_current() -> bool:
    """Whether no migration is waiting."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["owner"])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
