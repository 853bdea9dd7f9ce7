"""Read ahead: the loader makes the next chunk while the database writes this one.

A loader only computes and the writer mostly waits for the database, so one thread beside the writer hides most
of the reading. Order and content stay the same; at most `chunks` with `MOST_ROWS` rows wait, so memory stays bounded.
"""

import threading
from collections.abc import Generator, Iterable, Iterator
from datetime import tzinfo
from queue import Empty, Full, Queue
from uuid import UUID

from django.utils import translation

from careloop.integrations.imports.columns import prepare_records
from careloop.integrations.imports.long_ids import refuse_long_ids
from careloop.integrations.imports.preparing import Preparer, prepare_patients
from careloop.integrations.imports.rows import RowChunk
from careloop.integrations.imports.targets import TARGETS

_END = object()
#: rows that may wait at once, with all that was made of them: what bounds the memory of an import
MOST_ROWS = 30_000


def ahead(source: Iterable[RowChunk], *, chunks: int = 16) -> Generator[RowChunk, None, None]:
    """Yield the chunks of a source that is read in a thread of its own.

    Raises whatever the source raises. When the caller stops early, the source is closed and the thread ends.

    Args:
        source: a loader's stream; it must not touch the database.
        chunks: how many finished chunks may wait.

    >>> list(ahead(range(3)))
    [0, 1, 2]
    """
    waiting: Queue[object] = Queue(maxsize=chunks)
    stopped = threading.Event()
    room = threading.Condition()
    held = 0

    def put(found: object) -> bool:
        nonlocal held
        with room:
            while held and held + _rows_of(found) > MOST_ROWS and not stopped.is_set():
                room.wait(0.2)
            held += _rows_of(found)
        while not stopped.is_set():
            try:
                waiting.put(found, timeout=0.2)
            except Full:
                continue
            return True
        return False

    language = translation.get_language()

    def read() -> None:
        stream = iter(source)
        try:
            # a thread begins in the default language; what the source refuses is read by the caller
            with translation.override(language):
                for chunk in stream:
                    if not put(chunk):
                        return
                put(_END)
        except BaseException as error:  # handed to the caller, who raises it
            put(error)
        finally:
            if hasattr(stream, "close"):
                stream.close()

    thread = threading.Thread(target=read, name="import-reader", daemon=True)
    thread.start()
    try:
        while True:
            found = waiting.get()
            with room:
                held -= _rows_of(found)
                room.notify()
            if found is _END:
                return
            if isinstance(found, BaseException):
                raise found
            yield found  # type: ignore[misc]
    finally:
        stopped.set()
        _drain(waiting)
        thread.join()


def _rows_of(found: object) -> int:
    return len(found.rows) if isinstance(found, RowChunk) else 0


def prepared(chunks: Iterable[RowChunk], organization_id: UUID, zone: tzinfo, currency: str) -> Iterator[RowChunk]:
    """Pass chunks on with all that can be made of them without the database: read, sealed, turned into text for COPY."""
    preparer = Preparer(organization_id, zone)
    for chunk in chunks:
        refuse_long_ids(chunk)
        if chunk.rows and chunk.kind.name == "patient":
            chunk.prepared = prepare_patients(preparer, chunk.rows)
        elif chunk.rows and chunk.kind.name in TARGETS:
            chunk.prepared = prepare_records(chunk.kind, chunk.rows, zone=zone, currency=currency)
        yield chunk


def _drain(waiting: "Queue[object]") -> None:
    try:
        while True:
            waiting.get_nowait()
    except Empty:
        return
