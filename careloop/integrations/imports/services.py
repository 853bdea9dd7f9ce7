"""What people and commands do with imports: start, stop, go on, take back."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.integrations.fhir import loading as fhir
from careloop.integrations.imports import pipeline
from careloop.integrations.imports.ahead import ahead, prepared
from careloop.integrations.imports.errors import BatchBusy, BatchUnknown, NoSuchFile
from careloop.integrations.imports.models import ImportBatch, ImportClaim, ImportFinding, ImportSource
from careloop.integrations.imports.rows import RowChunk
from careloop.integrations.tabular import loader
from careloop.integrations.tabular import mapping as mappings
from careloop.kernel import vault
from careloop.kernel.ids import uuid7
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


def source_for(code: str, *, now: datetime) -> ImportSource:
    """Return the source of this name, made when it is first used."""
    found, _made = ImportSource.objects.get_or_create(
        code=code, defaults={"name": code, "created_at": now, "updated_at": now}
    )
    return found


def fingerprint(headers: list[str]) -> str:
    """Return what a header line is remembered by, whatever the order of its columns.

    >>> fingerprint(["b", "a"]) == fingerprint(["a", "b"])
    True
    """
    return hashlib.sha256("\x1f".join(sorted(headers)).encode()).hexdigest()[:32]


def file_hash(path: Path) -> str:
    """Return the hash by which a file (or the list of a folder's files) is known again."""
    digest = hashlib.sha256()
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file():
                digest.update(f"{inner.relative_to(path)}|{inner.stat().st_size}|{inner.stat().st_mtime_ns}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def create_batch(
    *,
    kind: str,
    path: Path,
    name: str,
    source: str,
    document: Mapping[str, Any] | None,
    dry_run: bool,
    by: UUID | None,
    now: datetime,
    stored_as: str = "",
    state: str = ImportBatch.State.UPLOADED,
) -> ImportBatch:
    """Note that a file is to be imported. Call inside the organization."""
    batch_id = uuid7()
    size = (
        path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    )
    batch = ImportBatch.objects.create(
        id=batch_id,
        source=source_for(source, now=now),
        kind=kind,
        file_name=Path(name).name[:255],
        file_size=size,
        file_hash=file_hash(path),
        stored_as=stored_as,
        mapping={"document": dict(document)} if document else {},
        dry_run=dry_run,
        state=state,
        key_wrapped=vault.keyring().wrap(vault.new_data_key(), owner=batch_id.bytes),
        created_by_id=by,
        created_at=now,
    )
    audit.record("import.created", target=("import", batch.id), details={"kind": kind, "dry_run": dry_run}, now=now)
    return batch


def unfinished(*, path: Path, kind: str, source: str) -> ImportBatch | None:
    """Return the batch of the same file that was cut off (a crash, a power cut) and can go on, if there is one."""
    cut_off = ImportBatch.objects.filter(kind=kind, source__code=source, dry_run=False, state=ImportBatch.State.RUNNING)
    # usually there is none, and a large file need not be read to know it
    return cut_off.filter(file_hash=file_hash(path)).order_by("-created_at").first() if cut_off.exists() else None


def get_batch(batch_id: UUID | str) -> ImportBatch:
    """Return a batch of the running organization.

    Raises:
        BatchUnknown: there is none of this id here.
    """
    try:
        return ImportBatch.objects.select_related("source").get(id=UUID(str(batch_id)))
    except (ImportBatch.DoesNotExist, ValueError) as error:
        raise BatchUnknown from error


@dataclass(slots=True)
class Opened:
    """A source that can be read: its chunks, its size for the progress bar, and what was noticed about it."""

    chunks: Iterator[RowChunk]
    size: int
    notices: list[dict[str, Any]]
    tables: dict[str, Any]


@contextmanager
def opened(batch: ImportBatch, path: Path, *, organization_id: UUID, now: datetime) -> Iterator[Opened]:
    """Open a batch's file with the loader of its kind. Called outside any transaction.

    Raises:
        QuestionsOpen, SourceRefused, MappingRefused: with a sentence that says what to do.
    """
    with in_organization(organization_id):
        organization = Organization.objects.get(id=organization_id)
        zone = ZoneInfo(organization.time_zone)
        saved = ImportSource.objects.values_list("mappings", flat=True).get(id=batch.source_id)
    if batch.kind == ImportBatch.Kind.FHIR:
        stream = fhir.rows(path, zone=zone, now=now, name=batch.file_name)
        with closing(ahead(prepared(stream, organization_id, zone, organization.currency))) as chunks:
            yield Opened(chunks, batch.file_size, [], {})
        return
    document = (batch.mapping or {}).get("document")
    with loader.open_source(path, name=batch.file_name, document=document) as source:
        for table in source.tables:
            known = saved.get(fingerprint(table.report.headers))
            if known and not document:
                table.mapping = mappings.from_json(known, headers=table.report.headers)
        notices = [{"code": one.code, "values": one.values, "line": one.line} for one in source.notices]
        tables = {
            table.name: {"headers": table.report.headers, "mapping": table.mapping.as_json()} for table in source.tables
        }
        today = now.astimezone(zone).date()
        stream = loader.stream(source, zone=zone, today=today)
        with closing(ahead(prepared(stream, organization_id, zone, organization.currency))) as chunks:
            yield Opened(chunks, source.size, notices, tables)


def start(batch: ImportBatch, *, now: datetime) -> None:
    """Mark a batch as running. Call inside the organization.

    Raises:
        BatchBusy: it is done already, or undone.
    """
    moved = ImportBatch.objects.filter(
        id=batch.id, state__in=[ImportBatch.State.UPLOADED, ImportBatch.State.QUEUED, ImportBatch.State.RUNNING, ImportBatch.State.STOPPED, ImportBatch.State.FAILED]
    ).update(state=ImportBatch.State.RUNNING, stop_requested=False, error="")  # fmt: skip
    if not moved:
        raise BatchBusy
    ImportBatch.objects.filter(id=batch.id, started_at=None).update(started_at=now)
    batch.refresh_from_db()


def run_batch(
    batch: ImportBatch,
    path: Path,
    *,
    organization_id: UUID,
    clock: Clock,
    actor: audit.Actor | None = None,
    progress: pipeline.Progress = lambda _tally: None,
) -> ImportBatch:
    """Import a batch's file, from where it stands, and say how it ended. Called outside any transaction.

    Raises:
        DomainError: the file cannot be imported as it is; the batch is FAILED with the same sentence.
    """
    if not path.exists():
        raise NoSuchFile(path=path.name)
    actor = actor or audit.current_actor()
    with in_organization(organization_id), audit.acting_as(actor):
        start(batch, now=clock())

    def finish(state: str, error: str = "") -> None:
        with in_organization(organization_id), audit.acting_as(actor):
            _finish(batch, state, error, now=clock())

    def import_once() -> None:
        with opened(batch, path, organization_id=organization_id, now=clock()) as source:
            with in_organization(organization_id):
                mapping = {**(batch.mapping or {}), "tables": source.tables}
                ImportBatch.objects.filter(id=batch.id).update(
                    notices=source.notices, mapping=mapping, file_size=source.size
                )
            pipeline.run(
                batch, source.chunks, organization_id=organization_id, now=clock, actor=actor, progress=progress
            )
            _remember_mappings(batch, source, organization_id, clock())

    try:
        try:
            import_once()
        except pipeline.CutOtherwise:
            with in_organization(organization_id), audit.acting_as(actor):
                _begin_again(batch, now=clock())
            import_once()
    except pipeline._Stopped:
        finish(ImportBatch.State.STOPPED)
    except BatchBusy:
        # whoever runs it says how it ends
        raise
    except Exception as problem:
        finish(ImportBatch.State.FAILED, _in_words(problem))
        raise
    except BaseException:
        # broken off at the keyboard
        finish(ImportBatch.State.STOPPED)
        raise
    else:
        finish(ImportBatch.State.DONE)
    return batch


def _begin_again(batch: ImportBatch, *, now: datetime) -> None:
    """Set a batch back to its first chunk: what it wrote stays and is met again as `rows.py` says, its report is made anew.

    Raises:
        BatchBusy: somebody else goes on with it.
    """
    held = ImportBatch.objects.select_for_update().get(id=batch.id)
    if held.state != ImportBatch.State.RUNNING or held.chunks_done != batch.chunks_done:
        raise BatchBusy
    ImportFinding.objects.filter(batch_id=batch.id).delete()
    # what its rows were matched to is asked again
    ImportClaim.objects.filter(batch_id=batch.id).delete()
    ImportBatch.objects.filter(id=batch.id).update(
        chunks_done=0, position=0, rows_read=0, counts={}, refused=0, warnings=0, begun_again_at=now
    )
    batch.refresh_from_db()
    log.warning("import.begun_again", batch=str(batch.id))


def _in_words(problem: Exception) -> str:
    """Return what went wrong without anything from the rows: a refusal's sentence, or the kind of failure."""
    from careloop.kernel.errors import DomainError

    if isinstance(problem, DomainError):
        return str(problem)
    sentence = _(
        "The program failed (%(name)s); its log says more. What was imported stays: import the file again, and the rest follows."
    )
    return sentence % {"name": type(problem).__name__}


def _finish(batch: ImportBatch, state: str, error: str, *, now: datetime) -> None:
    ImportBatch.objects.filter(id=batch.id, state=ImportBatch.State.RUNNING).update(
        state=state, error=error, finished_at=now
    )
    batch.refresh_from_db()
    audit.record(
        "import.finished",
        target=("import", batch.id),
        details={"state": state, "refused": batch.refused, "rows": batch.rows_read},
        now=now,
    )


def _remember_mappings(batch: ImportBatch, source: Opened, organization_id: UUID, now: datetime) -> None:
    """Keep the mapping of each table for the next file with the same headers from this source."""
    if batch.dry_run or not source.tables or not (batch.mapping or {}).get("document"):
        return
    with in_organization(organization_id):
        stored = ImportSource.objects.select_for_update().get(id=batch.source_id)
        for table in source.tables.values():
            stored.mappings[fingerprint(table["headers"])] = table["mapping"]
        stored.updated_at = now
        stored.save(update_fields=["mappings", "updated_at"])


def request_stop(*, batch_id: UUID, by: Any, now: datetime) -> ImportBatch:
    """Ask a running import to stop behind the chunk it is writing. Call inside the organization."""
    batch = get_batch(batch_id)
    if batch.running:
        batch.stop_requested = True
        if batch.state == ImportBatch.State.QUEUED:
            batch.state, batch.finished_at = ImportBatch.State.STOPPED, now
        batch.save(update_fields=["stop_requested", "state", "finished_at"])
        audit.record("import.stop_requested", target=("import", batch.id), now=now)
    return batch
