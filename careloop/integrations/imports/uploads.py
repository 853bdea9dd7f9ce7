"""Uploaded files: what may come in, where it waits, and when it goes."""

import secrets
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from careloop.integrations.imports.errors import UploadRefused
from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.tabular import loader

LARGEST = 4 * 1024**3
KEPT_FOR = timedelta(days=7)
# the folder is every organization's and the batches are only ours: a file this old is nobody's any more
LONGEST_IN_USE = timedelta(days=30)

TABLES = frozenset({".csv", ".txt", ".tsv", ".tab", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".xz", ".txz", ".bz2", ".tbz2"})
RESOURCES = frozenset({".json", ".ndjson"})

#: what a file of a kind begins with
_MAGIC = {
    ".xlsx": b"PK", ".xlsm": b"PK", ".xlsb": b"PK", ".ods": b"PK", ".zip": b"PK", ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b",
    ".xz": b"\xfd7zXZ", ".txz": b"\xfd7zXZ", ".bz2": b"BZh", ".tbz2": b"BZh", ".xls": b"\xd0\xcf\x11\xe0",
}  # fmt: skip


class Upload(Protocol):
    """What we need of an uploaded file."""

    name: str | None
    size: int | None

    def chunks(self) -> Iterable[bytes]: ...


def folder() -> Path:
    """Return the folder where uploads wait; only our own user can enter it."""
    path = Path(settings.CARELOOP_FILES) / "imports"
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def stored_path(batch: ImportBatch) -> Path:
    """Return where a batch's file is."""
    return folder() / batch.stored_as


def save(upload: Upload) -> tuple[str, str]:
    """Keep an uploaded file under a name of ours; return that name and the name it was uploaded under.

    Raises:
        UploadRefused: too large, empty, of a kind that cannot be imported, or not what its name says.
    """
    name = Path((upload.name or "").replace("\\", "/")).name[:255]
    suffix = Path(name).suffix.lower()
    if suffix not in TABLES | ARCHIVES | RESOURCES:
        raise UploadRefused(
            reason=_("Files of this kind cannot be imported. Upload CSV, Excel, JSON, NDJSON or an archive of them.")
        )
    if not upload.size:
        raise UploadRefused(
            reason=_("The file is empty (0 bytes). Export it again and look at it before you upload it.")
        )
    if upload.size > LARGEST:
        raise UploadRefused(
            reason=_(
                "The file is larger than %(limit)d MB. Import it in parts, or on the server with “careloop import”."
            )
            % {"limit": LARGEST >> 20}
        )
    stored = secrets.token_hex(16) + suffix
    target = folder() / stored
    try:
        with target.open("xb") as file:
            target.chmod(0o600)
            for number, block in enumerate(upload.chunks()):
                if not number and suffix in _MAGIC and not block.startswith(_MAGIC[suffix]):
                    raise UploadRefused(
                        reason=_(
                            "The file is named %(suffix)s and does not begin like one. Save it again in the program it came from."
                        )
                        % {"suffix": suffix}
                    )
                file.write(block)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return stored, name


def kind_of(path: Path, name: str) -> str:
    """Return csv or fhir, by the name and, for an archive, by what is inside."""
    suffix = Path(name).suffix.lower()
    if suffix in RESOURCES:
        return ImportBatch.Kind.FHIR
    if suffix in TABLES:
        return ImportBatch.Kind.CSV
    names: list[str] = []
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()[:200]
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                for _at in range(20):
                    member = archive.next()
                    if member is None:
                        break
                    names.append(member.name)
        elif Path(Path(name).stem).suffix.lower() in RESOURCES:
            return ImportBatch.Kind.FHIR
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError):
        return ImportBatch.Kind.CSV
    resources = sum(1 for one in names if Path(one).suffix.lower() in RESOURCES)
    tables = sum(1 for one in names if Path(one).suffix.lower() in TABLES)
    return ImportBatch.Kind.FHIR if resources > tables else ImportBatch.Kind.CSV


def remove(batch: ImportBatch) -> None:
    """Delete a batch's file, unless another batch (its dry run) still needs it."""
    if not batch.stored_as:
        return
    others = ImportBatch.objects.filter(stored_as=batch.stored_as).exclude(id=batch.id)
    if not any(other.running for other in others):
        stored_path(batch).unlink(missing_ok=True)
        ImportBatch.objects.filter(stored_as=batch.stored_as).update(stored_as="")
        batch.stored_as = ""


def remove_old(*, now: datetime) -> int:
    """Delete the files of uploads that nobody went on with."""
    removed = 0
    old = ImportBatch.objects.filter(created_at__lt=now - KEPT_FOR).exclude(stored_as="")
    for batch in old.exclude(state__in=[ImportBatch.State.QUEUED, ImportBatch.State.RUNNING]):
        remove(batch)
        removed += 1
    return removed + _remove_forgotten(folder().iterdir(), before=now - LONGEST_IN_USE)


def remove_left_over(*, now: datetime) -> int:
    """Delete what a process that was killed had unpacked in the system's temporary folder: nothing else would, for months."""
    unpacked = Path(tempfile.gettempdir()).glob(f"{loader.SCRATCH}*")
    return _remove_forgotten(unpacked, before=now - KEPT_FOR)


def _remove_forgotten(paths: Iterable[Path], *, before: datetime) -> int:
    """Delete what nobody speaks of: the process was killed, or the database went, between file and batch."""
    removed = 0
    for path in paths:
        # gone meanwhile, or another user's
        with suppress(OSError):
            if path.stat().st_mtime < before.timestamp():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
    return removed
