"""Bringing an installation's database up to this version of the program."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connections
from django.db.migrations.state import ModelState, ProjectState

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
            with new_models_alone():
                call_command("migrate", database="owner", interactive=False, verbosity=0)
            call_command("createcachetable", database="owner", verbosity=0)
            say("row-level security")
            security.apply("owner")
        finally:
            lock.execute("select pg_advisory_unlock(4242002)")
    connections["owner"].close()


@contextmanager
def new_models_alone() -> Iterator[None]:
    """Let migrations draw a new model alone.

    Django draws every model anew that is related to a new one, and here nearly all are related by their organization: a fresh
    database took three times as long. Nothing can point to a model that is only just made, so nothing else has changed.
    """
    as_django_does = ProjectState.add_model

    def add_model(state: ProjectState, model: ModelState) -> None:
        key = model.app_label, model.name_lower
        state.models[key] = model
        if state._relations is not None:  # type: ignore[attr-defined]
            state.resolve_model_relations(key)
        if "apps" in state.__dict__:  # asking for it would draw everything
            state.apps.render_multiple([model])

    setattr(ProjectState, "add_model", add_model)  # noqa: B010 (a method of Django's, for this while only)
    try:
        yield
    finally:
        setattr(ProjectState, "add_model", as_django_does)  # noqa: B010


def is_current() -> bool:
    """Whether no migration is waiting."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["owner"])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
