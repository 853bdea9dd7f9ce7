"""Plain SQL where a page or a set-based step is one statement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

Params = Sequence[Any] | Mapping[str, Any] | None
JSON_TYPES = (114, 3802)
IDLE = TransactionStatus.IDLE


def rows(statement: str, params: Params = None, *, planned: bool = False) -> list[dict[str, Any]]:
    """Run `statement` and return its rows as dicts, in order; JSON columns arrive parsed.

    Args:
        planned: keep its plan on the connection, for a long statement that a hot page asks again and again with other values
            (working out the plan of a patient's page costs four times as much as running it). Names its columns itself: a plan
            does not outlive a change of what `*` means.
    """
    with _cursor(planned) as cursor:
        cursor.execute(statement, params)
        return list(_dicts(cursor, cursor.fetchall()))


def row(statement: str, params: Params = None, *, planned: bool = False) -> dict[str, Any] | None:
    """Run `statement` and return its first row, or None. `planned` as for `rows`."""
    with _cursor(planned) as cursor:
        cursor.execute(statement, params)
        return next(iter(_dicts(cursor, cursor.fetchmany(1))), None)


def value(statement: str, params: Params = None) -> Any:
    """Run `statement` and return the first column of its first row, or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        values = cursor.fetchone()
        return None if values is None else values[0]


def execute(statement: str, params: Params = None) -> int:
    """Run `statement` and return how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def one_at_a_time(key: UUID) -> None:
    """Let whoever comes with the same key wait until this transaction is over: a double click arrives as two requests at once.

    What is looked up after this sees what the first one made.
    """
    value("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"key {key}"])


def start(statement: str, params: Params = None) -> dict[str, Any] | None:
    """Run the first statement of a transaction and return its first row; the transaction begins in the same round trip.

    Inside another transaction, or when something was asked already, only run it.
    """
    connection.ensure_connection()
    raw: Any = connection.connection
    begins_here = connection.in_atomic_block and raw.pgconn.transaction_status == IDLE
    with connection.cursor() as cursor:
        if begins_here:
            # the driver would begin by itself, a round trip before the statement; it ends what we begin
            raw._autocommit = True
            try:
                cursor.execute(f"begin; {statement}", params)
            finally:
                raw._autocommit = False
            cursor.nextset()
        else:
            cursor.execute(statement, params)
        return next(iter(_dicts(cursor, cursor.fetchmany(1))), None)


def finish(statement: str, params: Params = None) -> None:
    """Run the last statement of a transaction and commit it, in one round trip; inside another transaction only run it.

    Nothing may follow but the end of the block: what is asked of the database after this is a transaction of its own.
    Where a rollback is due Django refuses the statement.
    """
    ends_here = connection.in_atomic_block and not connection.savepoint_ids
    with connection.cursor() as cursor:
        # the driver's own commit, which follows, finds nothing left to do
        cursor.execute(f"{statement}; commit" if ends_here else statement, params)


def batch(statement: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run `statement` with its values sent beside it and its rows in binary: for batches of hundreds of values.

    `rows` and `execute` write values into the statement, so that lists of addresses or sealed texts are quoted here and
    parsed there: half the time of a batch. Arrays are given by `uuid_array`, `text_array`,
    `bytes_array` and `time_array`, which cost a fifth of what the driver needs for a list; JSON is selected as text.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection, row_factory=dict_row) as cursor:
        cursor.execute(statement, params, binary=True, prepare=False)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def uuid_array(ids: Iterable[UUID]) -> str:
    """Return ids as an array for `batch`.

    >>> uuid_array([UUID(int=1), UUID(int=2)])
    '{00000000000000000000000000000001,00000000000000000000000000000002}'
    """
    return "{" + ",".join([one.hex for one in ids]) + "}"


def text_array(texts: Sequence[str]) -> str:
    r"""Return texts as an array for `batch`.

    >>> text_array(["a", "", 'say "no"', "back\\slash"])
    '{"a","","say \\"no\\"","back\\\\slash"}'
    """
    return '{"' + '","'.join([one.replace("\\", "\\\\").replace('"', '\\"') for one in texts]) + '"}' if texts else "{}"


def bytes_array(values: Iterable[bytes]) -> str:
    r"""Return bytes as an array for `batch`.

    >>> print(bytes_array([b"", b"\xc2\xb5"]))
    {"\\x","\\xc2b5"}
    """
    return "{" + ",".join([f'"\\\\x{one.hex()}"' for one in values]) + "}"


def time_array(moments: Iterable[datetime]) -> str:
    """Return moments as an array for `batch`.

    >>> from datetime import UTC
    >>> time_array([datetime(2026, 3, 1, 9, tzinfo=UTC)])
    '{2026-03-01T09:00:00+00:00}'
    """
    return "{" + ",".join([one.isoformat() for one in moments]) + "}"


class _Planning(psycopg.Cursor[Any]):
    """Sends values beside the statement and lets the server keep its plan; Django's own cursors write values into it."""

    def _send_query_prepared(self, name: bytes, pgq: Any, **options: Any) -> None:
        # Django's log of statements looks here, and the driver leaves it empty for a kept plan
        self._query = pgq
        super()._send_query_prepared(name, pgq, **options)


def _cursor(planned: bool) -> Any:
    if not planned:
        return connection.cursor()
    connection.ensure_connection()
    # as Django wraps its own: counted, logged and translated the same
    return connection._prepare_cursor(_Planning(connection.connection))  # type: ignore[attr-defined]


def _dicts(cursor: Any, found: Iterable[Sequence[Any]]) -> Iterable[dict[str, Any]]:
    # the driver's `description` makes an object for every column, a tenth of a page's time
    result = cursor.pgresult
    places = range(result.nfields)
    names = [result.fname(place).decode() for place in places]
    readers: list[tuple[int, Callable[[str], Any]]] = [
        (place, orjson.loads) for place in places if result.ftype(place) in JSON_TYPES
    ]
    for values in found:
        if readers:
            values = list(values)
            for place, read in readers:
                # Django leaves JSON as text on its cursors
                if isinstance(values[place], str | bytes):
                    values[place] = read(values[place])
        yield dict(zip(names, values, strict=True))
