"""Run an import: chunk after chunk, a transaction each, until the source ends, somebody stops it, or the machine does.

A chunk is written, counted, audited and published in one transaction with the number of chunks done, so a process that dies leaves
whole chunks behind and the next run goes on after them: loaders cut a source into the same chunks every time. Where they do not (the
program was updated in between), the import begins again from its first chunk (`services`). A dry run is the same work in one
transaction that is rolled back, so its report is exactly what the import would do.
"""

import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import structlog
from django.db import IntegrityError, connection, transaction

from careloop.audit import services as audit
from careloop.events.models import Event  # noqa: F401  (the table every chunk publishes to)
from careloop.events.settled import nothing_comes_of_this
from careloop.integrations.imports.directory import write_directory, write_practitioners
from careloop.integrations.imports.errors import BatchBusy
from careloop.integrations.imports.findings import MOST_WARNINGS_KEPT, in_order, keep_findings
from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.imports.pairs import PATIENCE, Pairs, Turns, WriteAlone
from careloop.integrations.imports.people import write_patients
from careloop.integrations.imports.related import write_related
from careloop.integrations.imports.rows import Refused, RowChunk, column
from careloop.integrations.imports.staging import Outcome, Run, forget_tables, note_growth
from careloop.integrations.imports.writing import is_record, write_records
from careloop.kernel import sql
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization

log = structlog.get_logger(__name__)

#: new objects after which the garbage collector looks while an import runs: many chunks
SELDOM = 1_000_000

#: refused rows a dry run keeps to be looked at; it counts all
MOST_REFUSALS_SHOWN = 20_000

#: seconds the reading thread may keep Python while the writing thread wants it
SWITCH = 0.000_2

#: times a chunk that is written alone is tried when staff change what it meets in that moment
TRIES = 3

Progress = Callable[["Tally"], None]


@dataclass(slots=True)
class Tally:
    """What an import has done so far."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    refused: int = 0
    warnings: int = 0
    chunks: int = 0
    position: int = 0

    @classmethod
    def of(cls, batch: ImportBatch) -> "Tally":
        counts = batch.counts or {}
        return cls(
            Counter(counts.get("created", {})), Counter(counts.get("updated", {})), Counter(counts.get("unchanged", {})),
            batch.rows_read, batch.refused, batch.warnings, batch.chunks_done, batch.position,
        )  # fmt: skip

    def add(self, outcome: Outcome, chunk: RowChunk) -> None:
        for resource, count in (outcome.created_by or {outcome.resource: outcome.created}).items():
            if count:
                self.created[resource or "Other"] += count
        for name, count in (("updated", outcome.updated), ("unchanged", outcome.unchanged)):
            if count:
                getattr(self, name)[outcome.resource or "Other"] += count
        self.rows += len(chunk.rows) + len(chunk.refused)
        self.refused += len(outcome.refused)
        self.warnings += len(outcome.warned)

    def counts(self) -> dict[str, dict[str, int]]:
        return {name: dict(sorted(getattr(self, name).items())) for name in ("created", "updated", "unchanged")}


class _Stopped(Exception):
    """Somebody asked the import to stop; what is committed stays."""


class _DryRunOver(Exception):
    """The end of a dry run: everything it wrote is rolled back."""


class CutOtherwise(Exception):
    """The source falls into other chunks than before the interruption: behind which row to go on cannot be told."""


def run(
    batch: ImportBatch,
    chunks: Iterable[RowChunk],
    *,
    organization_id: UUID,
    now: Callable[[], datetime],
    actor: audit.Actor | None = None,
    progress: Progress = lambda _tally: None,
) -> Tally:
    """Write every chunk of a source that the batch has not written yet.

    Called outside any transaction. The batch must be RUNNING (see `services.start`).

    Raises:
        CutOtherwise: what the batch has written is not where a chunk of the source ends.
    """
    actor = actor or audit.current_actor()
    try:
        if batch.dry_run:
            return _dry_run(batch, chunks, organization_id=organization_id, now=now, actor=actor, progress=progress)
        return _import(batch, chunks, organization_id=organization_id, now=now, actor=actor, progress=progress)
    finally:
        forget_tables()


def _import(
    batch: ImportBatch,
    chunks: Iterable[RowChunk],
    *,
    organization_id: UUID,
    now: Callable[[], datetime],
    actor: audit.Actor,
    progress: Progress,
) -> Tally:
    """Write for good what the batch has not written yet."""
    with in_organization(organization_id):
        known = _context(batch, organization_id, actor, now())
    writing = _Writing(batch, known, actor, now, progress, Tally.of(batch))
    with _tuned_for_sets(), closing(Pairs(writing.beside, writing.turns, not_for=writing.met)) as pairs:
        try:
            for number, chunk in _behind(batch, chunks):
                if not pairs.take(number, chunk):
                    pairs.finish()
                    writing.alone(number, chunk)
        finally:
            pairs.finish()
    return writing.tally


def _behind(batch: ImportBatch, chunks: Iterable[RowChunk]) -> Iterator[tuple[int, RowChunk]]:
    """Yield the chunks that the batch has not written yet, with their numbers."""
    done, rows, position, number = batch.chunks_done, 0, 0, -1
    for number, chunk in enumerate(chunks):
        if number < done:
            rows, position = rows + len(chunk.rows) + len(chunk.refused), chunk.position
            continue
        if number == done and done and (rows, position) != (batch.rows_read, batch.position):
            raise CutOtherwise
        yield number, chunk
    if number < done and (number + 1, rows, position) != (done, batch.rows_read, batch.position):
        raise CutOtherwise


@dataclass(slots=True)
class _Writing:
    """One import while it is written: chunk after chunk alone, or two beside each other that end in their order."""

    batch: ImportBatch
    known: Run
    actor: audit.Actor
    now: Callable[[], datetime]
    progress: Progress
    tally: Tally
    turns: Turns = field(default_factory=Turns)
    #: kinds that met what was here already, and are written alone from then on
    met: set[str] = field(default_factory=set)
    _runs: dict[int, Run] = field(default_factory=dict)
    #: thread → what other imports had done when it last looked
    _seen: dict[int, int] = field(default_factory=dict)

    def alone(self, number: int, chunk: RowChunk) -> None:
        """Write a chunk while no other is written."""
        for tries_left in reversed(range(TRIES)):
            try:
                with self._transaction() as run:
                    _lock(self.batch, number)
                    self._look_around(run)
                    after = self._settled(number, chunk, _written(chunk, run), run)
            except IntegrityError:
                # staff made or removed what the chunk was about to meet, between the look and the writing
                if not tries_left:
                    raise
                self._seen.clear()
            else:
                self._done(after)
                return

    def beside(self, number: int, chunk: RowChunk) -> None:
        """Write a chunk while the one before it may still be written; nobody sees it before its turn."""
        try:
            try:
                with self._transaction() as run:
                    run.alone = False
                    others = self._look_around(run)
                    outcomes = _written(chunk, run)
                    # who waits here holds locks on patients already, which an undo that has the turn may be waiting for
                    if not self.turns.wait(number, PATIENCE) or not take_turn(wait=False):
                        raise WriteAlone
                    _lock(self.batch, number)
                    if _others(self.batch) != others:
                        raise WriteAlone
                    after = self._settled(number, chunk, outcomes, run)
            except (WriteAlone, IntegrityError):
                self.met.add(chunk.kind.name)
                self.turns.wait(number)
                self.turns.let_go()
                self.alone(number, chunk)
            else:
                self._done(after)
        except BaseException:
            self.turns.give_up()
            raise
        self.turns.done()

    @contextmanager
    def _transaction(self) -> Iterator[Run]:
        with in_organization(self.known.organization_id), audit.acting_as(self.actor):
            # a chunk lost in a power cut is written again: its number is lost with it. The planner needs a rough idea of
            # what grows; autovacuum gives it a better one soon after.
            sql.execute("set local synchronous_commit = off; set local default_statistics_target = 10")
            yield self._run()

    def _run(self) -> Run:
        """Return what this thread knows: references and tables it has seen; what the planner knows of tables is shared."""
        run = self._runs.setdefault(threading.get_ident(), replace(self.known, patients={}, encounters={}, had_rows={}))
        run.now, run.alone = self.now(), True
        return run

    def _look_around(self, run: Run) -> int:
        """Return what other imports have done, and forget what was learnt before they did it."""
        others, thread = _others(self.batch), threading.get_ident()
        if self._seen.get(thread) != others:
            for learnt in (run.patients, run.encounters, run.had_rows):
                learnt.clear()
            self._seen[thread] = others
        return others

    def _settled(self, number: int, chunk: RowChunk, outcomes: list[Outcome], run: Run) -> Tally:
        """Count, audit and note a chunk that is written; whose turn it is, and holds the batch."""
        after = _copy(self.tally)
        _settle(outcomes, chunk, run, after, self.batch)
        after.chunks, after.position = number + 1, chunk.position
        _note_progress(self.batch, after)
        return after

    def _done(self, after: Tally) -> None:
        # only now is it true
        self.tally = after
        self.progress(after)


@contextmanager
def _tuned_for_sets() -> Iterator[None]:
    """Let the garbage collector look at whole chunks instead of every 700 objects: rows hold no cycles, and looking is a tenth.

    And let the writing thread have Python at once when the database has answered: it needs it briefly and often, the reading
    thread all the time, and a database that waits for the usual 5 ms after every statement is idle for a fifth of an import.
    """
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(max(threshold[0], SELDOM) if threshold[0] else 0, *threshold[1:])
    sys.setswitchinterval(min(interval, SWITCH))
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)


def _copy(tally: Tally) -> Tally:
    return Tally(
        Counter(tally.created), Counter(tally.updated), Counter(tally.unchanged), tally.rows, tally.refused,
        tally.warnings, tally.chunks, tally.position,
    )  # fmt: skip


def _lock(batch: ImportBatch, number: int) -> None:
    """Hold the batch: one import at a time writes in an organization, and none writes a chunk twice."""
    take_turn()
    row = sql.row("select state, stop_requested, chunks_done from imports_batch where id = %s for update", [batch.id])
    if row is None or row["state"] != ImportBatch.State.RUNNING or row["chunks_done"] != number:
        raise BatchBusy
    if row["stop_requested"]:
        raise _Stopped


def take_turn(*, wait: bool = True) -> bool:
    """Let no other import of the organization write until the transaction ends; return whether it is so, at once or when they are done."""
    function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    taken = sql.value(f"select {function}(hashtextextended('imports ' || current_setting('careloop.organization'), 0))")
    return taken is not False


def _others(batch: ImportBatch) -> int:
    """Return how much other imports of the organization have done."""
    return int(
        sql.value(
            "select coalesce(sum(chunks_done), 0) + count(undone_at) from imports_batch where id <> %s", [batch.id]
        )
    )


def _context(batch: ImportBatch, organization_id: UUID, actor: audit.Actor, now: datetime) -> Run:
    organization = Organization.objects.get(id=organization_id)
    return Run(
        organization_id=organization_id,
        batch_id=batch.id,
        source=batch.source.code,
        zone=ZoneInfo(organization.time_zone),
        currency=organization.currency,
        now=now,
        begun_again_at=batch.begun_again_at,
        actor_kind=actor.kind,
        actor_id=actor.id,
    )


def _written(chunk: RowChunk, run: Run) -> list[Outcome]:
    outcomes = []
    for part in _by_writer(chunk):
        outcome = _writer(part)(part, run)
        _show_originals(outcome.refused, chunk)
        outcomes.append(outcome)
    return outcomes


def _settle(outcomes: list[Outcome], chunk: RowChunk, run: Run, tally: Tally, batch: ImportBatch) -> None:
    """Count and audit what was written, keep its findings, and let the planner see what has grown."""
    _count(outcomes, chunk, run, tally)
    # those of new patients rise already, and sorting them costs nothing
    patients = dict.fromkeys(chain.from_iterable(outcome.patients for outcome in outcomes))
    keep_findings(outcomes, batch, warned_before=tally.warnings - sum(len(one.warned) for one in outcomes))
    audit.record(
        "import.chunk_written",
        target=("import", batch.id),
        patients=sorted(patients),
        details={
            "kind": chunk.kind.name, "chunk": tally.chunks + 1,
            "created": sum(one.created for one in outcomes), "updated": sum(one.updated for one in outcomes),
            "refused": sum(len(one.refused) for one in outcomes),
        },
        now=run.now,
    )  # fmt: skip


def _count(outcomes: list[Outcome], chunk: RowChunk, run: Run, tally: Tally) -> None:
    """Count what was written and what the loader found, and let the planner see what has grown."""
    first = outcomes[0]
    first.refused[:0] = chunk.refused
    first.warned[:0] = chunk.warned
    for place, outcome in enumerate(outcomes):
        tally.add(outcome, chunk if place == 0 else RowChunk(chunk.kind, []))
        for table, rows in outcome.grown.items():
            note_growth(run, table, rows)


def _by_writer(chunk: RowChunk) -> list[RowChunk]:
    """Split rows about no patient from the others: they are kept in the directory."""
    if chunk.kind.name != "other":
        return [chunk]
    at = chunk.kind.index["patient_external_id"]
    about = [row for row in chunk.rows if row[at]]
    if len(about) == len(chunk.rows):
        return [chunk]
    rest = [row for row in chunk.rows if not row[at]]
    return [RowChunk(chunk.kind, about), RowChunk(chunk.kind, rest)]


def _writer(chunk: RowChunk) -> Callable[[RowChunk, Run], Outcome]:
    name = chunk.kind.name
    if name == "patient":
        return write_patients
    if name == "related_person":
        return write_related
    if name == "practitioner":
        return write_practitioners
    if name in {"organization", "location"}:
        return write_directory
    if name == "other" and chunk.rows and not chunk.rows[0][chunk.kind.index["patient_external_id"]]:
        return write_directory
    assert is_record(chunk.kind)
    return write_records


def _show_originals(refused: list[Refused], chunk: RowChunk) -> None:
    """Put the row as it stood in the file into refusals that were found after the loader."""
    if not refused or not chunk.originals:
        return
    places = zip(column(chunk.rows, 0), column(chunk.rows, 1), strict=True)
    originals = dict(zip(places, chunk.originals, strict=True))
    for refusal in refused:
        refusal.raw = originals.get((refusal.part, refusal.line), refusal.raw)


def _note_progress(batch: ImportBatch, tally: Tally) -> None:
    sql.execute(
        """update imports_batch set chunks_done = %s, position = %s, rows_read = %s, counts = %s::jsonb, refused = %s,
                  warnings = %s where id = %s""",
        [
            tally.chunks, tally.position, tally.rows, orjson.dumps(tally.counts()).decode(), tally.refused, tally.warnings,
            batch.id,
        ],
    )  # fmt: skip


# --- dry run --------------------------------------------------------------------------------------------------------


def _dry_run(
    batch: ImportBatch,
    chunks: Iterable[RowChunk],
    *,
    organization_id: UUID,
    now: Callable[[], datetime],
    actor: audit.Actor,
    progress: Progress,
) -> Tally:
    """Do everything and take it back; what is kept is the report with its findings."""
    tally = Tally()
    kept: list[Outcome] = []
    room_to_refuse, room_to_warn = MOST_REFUSALS_SHOWN, MOST_WARNINGS_KEPT
    try:
        with in_organization(organization_id) as scope, transaction.atomic():
            nothing_comes_of_this()
            learnt = _context(batch, organization_id, actor, now())
            for chunk in chunks:
                outcomes = _written(chunk, learnt)
                _count(outcomes, chunk, learnt, tally)
                refused, warned = in_order(outcomes)
                kept.append(Outcome("", refused=refused[:room_to_refuse], warned=warned[:room_to_warn]))
                room_to_refuse -= len(kept[-1].refused)
                room_to_warn -= len(kept[-1].warned)
                tally.chunks += 1
                tally.position = chunk.position
                if _in_another_connection(_note_dry_progress, organization_id, batch.id, _copy(tally)):
                    break
                progress(tally)
            scope.notes.clear()
            scope.before_commit.clear()
            raise _DryRunOver
    except _DryRunOver:
        pass
    with in_organization(organization_id), audit.acting_as(actor):
        for outcome in kept:
            keep_findings([outcome], batch, warned_before=0)
        _note_progress(batch, tally)
    return tally


def _note_dry_progress(organization_id: UUID, batch_id: UUID, tally: Tally) -> bool:
    """Show how far a dry run is; return whether somebody asked to stop it."""
    with in_organization(organization_id):
        sql.execute(
            "update imports_batch set position = %s, rows_read = %s where id = %s",
            [tally.position, tally.rows, batch_id],
        )
        return bool(sql.value("select stop_requested from imports_batch where id = %s", [batch_id]))


def _in_another_connection(work: Callable[..., bool], *arguments: Any) -> bool:
    """Run `work` in a thread of its own: the transaction of a dry run must not hold what the screen reads."""
    if connection.savepoint_ids and len(connection.savepoint_ids) > 2:
        return False  # inside a test's transaction, where another connection sees nothing
    answer: list[bool] = []

    def enter() -> None:
        try:
            answer.append(work(*arguments))
        finally:
            connection.close()

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return bool(answer and answer[0])
