"""Write two chunks at once, on two connections: one would leave half of a small machine idle.

Chunks are committed in their order, each in its own transaction with the number of chunks done: whatever ends an import leaves the
first so many chunks whole and nothing of the others, as if one had been written after the other. Two are written at once only where neither
can meet what the other writes: new records of one kind with different ids (`ids_apart`). Whether a chunk was written on a true picture
is decided at its turn; if not, it is rolled back and written again alone (`pipeline`).
"""

import threading
from collections import deque
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass

from django.db import connection

from careloop.integrations.imports.rows import PATIENT, RowChunk, column
from careloop.integrations.imports.staging import forget_tables
from careloop.integrations.imports.targets import TARGETS

#: rows below which a chunk is not worth a second connection
WORTH = 500
#: seconds a written chunk waits for its turn. Then it lets go of its locks and is written again: somebody else (a migration, an
#: undo) may stand between the two, waiting for this one while the earlier one waits for them, and PostgreSQL cannot see that.
PATIENCE = 20.0
PENS = 2


class WriteAlone(Exception):
    """The chunk cannot be written beside another: what it speaks of is here already, or somebody else wrote meanwhile."""


class Abandoned(Exception):
    """A chunk before this one was not written, so this one is not either."""


class Turns:
    """Whose turn it is to commit."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[int] = deque()
        self._broken = False
        self._hurried = -1

    def queue(self, number: int) -> None:
        self._waiting.append(number)

    def wait(self, number: int, patience: float | None = None) -> bool:
        """Return whether it is the chunk's turn: at last, when patience is over, or when a chunk before it asks to let go.

        Raises:
            Abandoned: a chunk before it failed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._broken or self._waiting[0] == number or (patience is not None and number <= self._hurried)
                ),
                patience,
            )
            if self._broken:
                raise Abandoned
            return self._waiting[0] == number

    def let_go(self) -> None:
        """Have the chunks that wait with patience give up: one before them is to be written alone, and may wait for somebody whom they hold up."""
        with self._changed:
            self._hurried = self._waiting[-1]
            self._changed.notify_all()

    def done(self) -> None:
        with self._changed:
            self._waiting.popleft()
            self._changed.notify_all()

    def give_up(self) -> None:
        with self._changed:
            self._broken = True
            self._changed.notify_all()


@dataclass(slots=True)
class _Flight:
    kind: str
    ids: set[object]
    future: "Future[None]"


class Pairs:
    """Two threads with a connection each, which write chunks given in order."""

    def __init__(self, write: Callable[[int, RowChunk], None], turns: Turns, *, not_for: Container[str] = ()) -> None:
        """Write with `write(number, chunk)`, which waits for its turn; kinds in `not_for` are not taken."""
        self._write, self._turns, self._not_for = write, turns, not_for
        self._pens: dict[int, ThreadPoolExecutor] = {}
        self._flights: deque[_Flight] = deque()

    def take(self, number: int, chunk: RowChunk) -> bool:
        """Begin to write a chunk if it may be written beside the one before it.

        Raises:
            Exception: whatever an earlier chunk ended with.
        """
        name = chunk.kind.name
        if len(chunk.rows) < WORTH or name in self._not_for or connection.in_atomic_block:
            return False
        ids = ids_apart(chunk)
        if ids is None:
            return False
        self._land(PENS - 1)
        if any(one.kind != name or not ids.isdisjoint(one.ids) for one in self._flights):
            return False
        pen = self._pens.setdefault(number % PENS, ThreadPoolExecutor(1, thread_name_prefix="import-writer"))
        self._turns.queue(number)
        self._flights.append(_Flight(name, ids, pen.submit(copy_context().run, self._write, number, chunk)))
        return True

    def finish(self) -> None:
        """Wait until everything begun is committed; raises whatever it ended with."""
        self._land(0)

    def close(self) -> None:
        """End the threads; what has not been committed is rolled back."""
        self._turns.give_up()
        for pen in self._pens.values():
            pen.submit(_give_back).result()
            pen.shutdown()

    def _land(self, most: int) -> None:
        while len(self._flights) > most:
            # who was abandoned comes behind whoever failed, and that was raised
            with suppress(Abandoned):
                self._flights.popleft().future.result()


def _give_back() -> None:
    """Give this thread's connection back; `connection` means another one in every thread, so it is looked up here."""
    forget_tables()
    connection.close()


_REFERENCES = [PATIENT.index[name] for name in ("external_id", "chart_number")]
_MORE = [PATIENT.index[name] for name in ("national_id", "identifiers", "tags")]


def ids_apart(chunk: RowChunk) -> set[object] | None:
    """Return the ids that tell a chunk's records from those of another, or None if they may meet in another way.

    Patients are told apart by id and chart number (one that is the id of another costs time, no more); identifiers and tags are shared
    between patients. Records of one import without an id never meet each other.
    """
    rows = chunk.rows
    if chunk.kind is PATIENT:
        if any(any(column(rows, at)) for at in _MORE):
            return None
        return set().union(*(filter(None, column(rows, at)) for at in _REFERENCES))
    if chunk.kind.name in TARGETS and chunk.kind.name != "other":
        return set(filter(None, column(rows, chunk.kind.index["external_id"])))
    return None
