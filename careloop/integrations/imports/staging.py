"""What every writer of an import shares: the run, its outcome, staging tables, and what the planner is told."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import DatabaseError, connection

from careloop.integrations.imports.rendering import Rendered, render
from careloop.integrations.imports.rows import Kind, Refused, Row, Warned


@dataclass(slots=True)
class Run:
    """One import while it runs: whose, from where, and what has been learnt on the way."""

    organization_id: UUID
    batch_id: UUID
    source: str
    zone: tzinfo
    currency: str
    now: datetime
    #: when the import was begun again from its first chunk: what it wrote before counts as known
    begun_again_at: datetime | None = None
    actor_kind: str = "system"
    actor_id: UUID | None = None
    #: whether no other chunk is being written: one that is written beside another may only bring new records (see `pairs`)
    alone: bool = True
    #: reference → id, for patients and encounters seen lately; emptied when it grows
    patients: dict[str, str] = field(default_factory=dict)
    encounters: dict[str, str] = field(default_factory=dict)
    #: tables that held rows of other batches when the import began
    had_rows: dict[str, bool] = field(default_factory=dict)
    #: table → rows written since the planner last counted it, and how many it counted then
    grown: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What became of a chunk."""

    resource: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Refused] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    #: ids of the patients whose data were written, for the audit log; one may come more than once
    patients: list[str] = field(default_factory=list)
    #: for kinds whose rows are of several resource types
    created_by: dict[str, int] = field(default_factory=dict)
    #: table → rows that were added, for the planner
    grown: dict[str, int] = field(default_factory=dict)


@cache
def limits(table: str) -> dict[str, int]:
    """Return the longest text each column of a table takes."""
    model = next(model for model in apps.get_models() if model._meta.db_table == table)
    return {str(column.column): column.max_length for column in model._meta.concrete_fields if column.max_length}


def stage(
    table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], *, joined: bool = True
) -> None:
    """Fill a staging table with rows, until the end of the transaction; None and the empty string are NULL."""
    names = [name for name, _kind in columns] if joined else []
    stage_rendered(table, render(columns, rows, without_empty=False), joined=names)


def stage_rendered(table: str, rendered: Rendered, *, joined: Sequence[str]) -> None:
    """Fill a staging table with what was rendered ahead, and tell the planner its size.

    Args:
        joined: the columns on which statements join it to other tables, which the planner should know; a table that is only
            read through needs no statistics.
    """
    names = ", ".join(f'"{name}"' for name, _kind in rendered.columns)
    empty_table(table, ", ".join(f'"{name}" {kind}' for name, kind in rendered.columns))
    with connection.cursor() as cursor:
        form = "with (format binary)" if rendered.binary else ""
        with cursor.copy(f"copy {table} ({names}) from stdin {form}") as copy:
            copy.write(rendered.text)
        if joined:
            cursor.execute(f"analyze {table} ({', '.join(joined)})")


# The session keeps a staging table from chunk to chunk: making one takes as long as writing a thousand rows. What it was made of
# stands in its comment, because only the database knows whether the transaction that made it was rolled back.
_EMPTY_TABLE = """
do $$ declare
    made constant regclass := to_regclass('pg_temp.{table}');
    holds boolean;
begin
    if made is not null and obj_description(made, 'pg_class') = {columns} then
        select exists (select from {table}) into holds;
        if holds then
            truncate {table};
        end if;
    else
        drop table if exists {table};
        create temp table {table} ({kinds}) on commit delete rows;
        comment on table {table} is {columns};
    end if;
end $$
"""


def empty_table(table: str, kinds: str) -> None:
    """Have an empty staging table that lives until the end of the transaction, as far as anybody can see.

    Args:
        kinds: its columns, as in `create table`.
    """
    with connection.cursor() as cursor:
        quoted = "'" + kinds.replace("'", "''") + "'"
        cursor.execute(_EMPTY_TABLE.format(table=table, kinds=kinds, columns=quoted))


def drop(*tables: str) -> None:
    """Remove tables that a statement has made for the one behind it."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"drop table if exists {table}")


def forget_tables() -> None:
    """Remove this thread's staging tables: a session lives for months, and nobody but itself could ever tidy them.

    A session that is lost has none.
    """
    if connection.connection is not None and not connection.needs_rollback:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("discard temp")


def fetch(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def note_growth(run: Run, table: str, rows: int) -> None:
    """Have a table counted again once it is four times what it was: plans made for an empty table are a hundred times slower."""
    run.grown[table] = run.grown.get(table, 0) + rows
    if table not in run.counted:
        run.counted[table] = max(
            0, int(fetch("select reltuples from pg_class where oid = %s::regclass", [table])[0][0])
        )
    if run.grown[table] > max(500, run.counted[table] * 3):
        fetch("select imports_analyze(%s)", [[table]])
        run.counted[table] += run.grown[table]
        run.grown[table] = 0


def refused(row: Row, kind: Kind, name: str, code: str) -> Refused:
    raw = ["" if value is None else str(value) for value in row[2:]]
    return Refused(str(row[0] or ""), int(row[1] or 0), name, code, {}, raw)


def warn(row: Row, name: str, code: str, values: dict[str, Any] | None = None) -> Warned:
    return Warned(str(row[0] or ""), int(row[1] or 0), name, code, values or {})
