"""Reads FHIR R4 in JSON from wherever it lies: file, folder, tar, zip, gz, NDJSON; one document at a time.

`read(path)` yields documents and, between them, what could not be read. Memory depends on the largest
document, not on the
source. Nothing is unpacked to disk under a name from the archive, so no name can do harm.

Order: documents come so that what others refer to comes first (organizations and practitioners, then
patients, then
encounters, then the rest), as far as the beginning of each document tells. Inside an archive that cannot
be read in any
order (tar) this takes one pass per step, and one pass only if the order is right already.
"""

import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson

from careloop.integrations.fhir.documents import Document, parse, parse_lines
from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.limits import MIB, Limits
from careloop.integrations.fhir.streams import Counted, Guarded, Meter, is_tar, spooled, unpacked
from careloop.integrations.imports.rows import Refused, Warned

PEEK = 4096
RESOURCE_TYPE = re.compile(rb'"resourceType"\s*:\s*"(\w{1,64})"')

#: What must be known before the rest; a Bundle counts as what its first entry is.
ORDER = {
    "Organization": 0,
    "Location": 1,
    "Practitioner": 2,
    "PractitionerRole": 3,
    "Medication": 3,
    "Patient": 4,
    "RelatedPerson": 5,
    "Bundle": 6,
    "Encounter": 7,
    "ExplanationOfBenefit": 9,
}
REST = 8

#: Files that lie about in archives and folders and are nobody's data.
LITTER = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)

#: What a damaged packed file raises, depending on who unpacks it.
BROKEN = (
    OSError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
)

Read = Document | Refused | Warned


@dataclass(slots=True)
class Source:
    """One source being read."""

    path: Path
    limits: Limits = field(default_factory=Limits)
    meter: Meter = field(default_factory=Meter)
    #: what a single file is called in reports, if it is stored under another name
    name: str = ""

    def read(self) -> Iterator[Read]:
        """Yield documents, refusals and warnings; never raises for what is in the source."""
        if not self.path.exists():
            yield Refused(self.name or self.path.name, 0, "", "fhir.no_such_file")
            return
        files = _files(self.path)
        self.meter.size = sum(file.stat().st_size for file in files)
        ranked = sorted(
            ((_rank_of_file(file), place, file) for place, file in enumerate(files)),
            key=lambda found: found[:2],
        )
        before = 0
        for _rank, _place, file in ranked:
            name = file.relative_to(self.path).as_posix() if self.path.is_dir() else self.name or file.name
            if LITTER.search(name):
                continue
            try:
                yield from self._file(file, name, before)
            except FhirRefusal as refusal:
                yield Refused(name, 0, refusal.path, refusal.reason, refusal.values)
            except PermissionError as error:
                yield Refused(name, 0, "", "fhir.unreadable", {"what": type(error).__name__})
            except BROKEN as error:
                yield Refused(name, 0, "", "fhir.not_an_archive", {"what": type(error).__name__})
            before += file.stat().st_size
            self.meter.position = before

    def _file(self, file: Path, name: str, before: int) -> Iterator[Read]:
        with ExitStack() as stack:
            packed = stack.enter_context(file.open("rb"))
            head = packed.read(PEEK)
            packed.seek(0)
            if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                yield from self._zip(file, name, before)
                return
            counted = Counted(packed, self.meter, before)
            stream = stack.enter_context(closing(unpacked(counted, head)))
            guarded = Guarded(stream, self.meter, self.limits, packed=file.stat().st_size, rewindable=True)
            start = guarded.peek(PEEK)
            if is_tar(start):
                yield from self._tar(file, name, before)
                return
            inner = name.removesuffix(".gz").removesuffix(".xz").removesuffix(".bz2")
            yield from self._member(guarded, name, inner)

    # archives

    def _zip(self, file: Path, name: str, before: int) -> Iterator[Read]:
        size = file.stat().st_size
        with zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and not LITTER.search(info.filename)]
            if len(members) > self.limits.members:
                raise FhirRefusal("fhir.too_many_members", limit=self.limits.members)
            ranked = sorted(
                ((_rank_of_zipped(archive, info), place, info) for place, info in enumerate(members)),
                key=lambda f: f[:2],
            )
            done = 0
            for _rank, _place, info in ranked:
                part = _part(name, info.filename)
                if info.flag_bits & 0x1:
                    yield Refused(part, 0, "", "fhir.encrypted")
                    continue
                try:
                    with archive.open(info) as stream:
                        guarded = Guarded(
                            cast(IO[bytes], stream), self.meter, self.limits, packed=size, rewindable=True
                        )
                        yield from self._packed_member(guarded, part, info.file_size)
                except FhirRefusal as refusal:
                    if refusal.reason in FATAL:
                        raise
                    yield Refused(part, 0, refusal.path, refusal.reason, refusal.values)
                except (*BROKEN, RuntimeError) as error:
                    yield Refused(part, 0, "", "fhir.not_an_archive", {"what": type(error).__name__})
                done += info.compress_size
                self.meter.position = before + min(done, size)

    def _tar(self, file: Path, name: str, before: int) -> Iterator[Read]:
        ranks: list[int] = []
        with self._open_tar(file, before, count=False) as archive:
            for member in archive:
                if len(ranks) >= self.limits.members:
                    raise FhirRefusal("fhir.too_many_members", limit=self.limits.members)
                stream = archive.extractfile(member) if member.isfile() else None
                ranks.append(_rank(stream.read(PEEK) if stream else b""))
        in_order = ranks == sorted(ranks)
        for step in [None] if in_order else sorted(set(ranks)):
            with self._open_tar(file, before, count=step in (None, max(ranks, default=0))) as archive:
                for place, member in enumerate(archive):
                    if step is not None and ranks[place] != step:
                        continue
                    yield from self._tarred(archive, member, _part(name, member.name))

    def _tarred(self, archive: tarfile.TarFile, member: tarfile.TarInfo, part: str) -> Iterator[Read]:
        if member.isdir() or LITTER.search(member.name):
            return
        stream = archive.extractfile(member) if member.isfile() else None
        if stream is None:
            yield Warned(part, 0, "", "fhir.not_read", {"what": "link"})
            return
        try:
            # The guard sits below the tar reader, where skipped members count too.
            guarded = Guarded(stream, Meter(), self.limits, packed=None)
            yield from self._packed_member(guarded, part, member.size)
        except FhirRefusal as refusal:
            if refusal.reason in FATAL:
                raise
            yield Refused(part, 0, refusal.path, refusal.reason, refusal.values)
        except (gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            yield Refused(part, 0, "", "fhir.not_an_archive", {"what": type(error).__name__})

    def _open_tar(self, file: Path, before: int, *, count: bool) -> Any:
        packed = file.open("rb")
        head = packed.read(PEEK)
        packed.seek(0)
        meter = self.meter if count else Meter()
        stream = unpacked(Counted(packed, meter, before), head)
        return _OpenTar(packed, Guarded(stream, meter, self.limits, packed=file.stat().st_size))

    # members

    def _packed_member(self, stream: "Guarded", part: str, size: int) -> Iterator[Read]:
        start = stream.peek(PEEK)
        if start.startswith((b"PK\x03\x04", b"\xfd7zXZ\x00", b"BZh")) or is_tar(start):
            yield Refused(part, 0, "", "fhir.archive_in_archive")
            return
        if start.startswith(b"\x1f\x8b"):
            unpacked = gzip.GzipFile(fileobj=cast(Any, stream))
            inner = Guarded(cast(IO[bytes], unpacked), Meter(), self.limits, packed=size)
            yield from self._member(inner, part, part.removesuffix(".gz"))
            return
        yield from self._member(stream, part, part)

    def _member(self, stream: "Guarded", part: str, name: str) -> Iterator[Read]:
        """One file that is packed in nothing any more: JSON, NDJSON or something else."""
        self.meter.members += 1
        start = stream.peek(PEEK).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not start:
            yield Refused(part, 0, "", "fhir.empty")
        elif start.startswith(b"<"):
            yield (
                Refused(part, 1, "", "fhir.xml")
                if _is_fhir_xml(start)
                else Warned(part, 0, "", "fhir.not_read", {"what": "XML"})
            )
        elif _looks_like_lines(stream, name):
            yield from self._lines(stream, part)
        elif start.startswith((b"{", b"[", b"\xff\xfe", b"\xfe\xff")) or name.lower().endswith(".json"):
            content = stream.read_all()
            yield from parse(content, part, self.limits)
        else:
            yield Warned(part, 0, "", "fhir.not_read", {"what": Path(name).suffix.lstrip(".") or "binary"})

    def _lines(self, stream: "Guarded", part: str) -> Iterator[Read]:
        """NDJSON, what others refer to first; several passes only if it is not in that order already."""
        with stream if stream.rewindable else spooled(stream) as lines:
            for step in _steps(lines):
                lines.rewind()
                yield from parse_lines(lines, part, self.limits, wanted=step, rank_of_line=_rank)


#: These end the whole source, not only one member of it.
FATAL = frozenset({"fhir.total_too_large", "fhir.suspicious_ratio", "fhir.too_many_members"})


class _OpenTar:
    """A tar stream together with the file below it, closed together; a damaged one is a refusal."""

    def __init__(self, packed: IO[bytes], stream: "Guarded") -> None:
        self.packed = packed
        self.stream = stream

    def __enter__(self) -> tarfile.TarFile:
        self.archive = tarfile.open(fileobj=cast(Any, self.stream), mode="r|", bufsize=MIB)
        return self.archive

    def __exit__(self, *_error: object) -> None:
        self.archive.close()
        self.packed.close()


def _files(path: Path) -> list[Path]:
    """Every file below a folder, in a stable order; links are not followed."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def _part(archive: str, member: str) -> str:
    """Name a member for people: `archive.zip!folder/file.json`, without control characters."""
    shown = member.encode("utf-8", "replace").decode()
    return f"{archive}!{''.join(sign if sign.isprintable() else '�' for sign in shown)[:200]}"


def _is_fhir_xml(start: bytes) -> bool:
    return b"http://hl7.org/fhir" in start


def _looks_like_lines(stream: Guarded, name: str) -> bool:
    """NDJSON by its name, or because the first line is a whole object and another one follows."""
    if name.lower().endswith((".ndjson", ".jsonl")):
        return True
    first, newline, rest = stream.peek(MIB).lstrip(b"\xef\xbb\xbf").partition(b"\n")
    if not newline or not first.rstrip().endswith(b"}") or not rest.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def _rank(start: bytes) -> int:
    """Return when a document is due, from its first bytes: organizations first, most things last."""
    types = RESOURCE_TYPE.findall(start)
    if not types:
        return REST
    first = types[0].decode()
    if first == "Bundle":
        inner = types[1].decode() if len(types) > 1 else ""
        return min(ORDER.get(inner, ORDER["Bundle"]), ORDER["Bundle"])
    return ORDER.get(first, REST)


def _rank_of_file(file: Path) -> int:
    try:
        with file.open("rb") as stream:
            start = stream.read(PEEK)
            if start.startswith(b"\x1f\x8b"):
                stream.seek(0)
                start = gzip.GzipFile(fileobj=stream).read(PEEK)
    except BROKEN:
        return REST
    # An archive in a folder is most likely a set of patients with everything about them.
    return ORDER["Patient"] if start.startswith((b"PK", b"\xfd7zXZ", b"BZh")) or is_tar(start) else _rank(start)


def _rank_of_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    try:
        with archive.open(info) as stream:
            start = stream.read(PEEK)
            if start.startswith(b"\x1f\x8b"):
                start = zlib.decompressobj(31).decompress(start, PEEK)
    except (*BROKEN, RuntimeError):
        return REST
    return _rank(start)


def _steps(lines: Any) -> list[int | None]:
    """Return the passes that NDJSON needs: one (None) if its lines are in order, else one per rank."""
    ranks: set[int] = set()
    last = -1
    in_order = True
    while line := lines.readline(PEEK):
        # Of a long line only its beginning is looked at; the rest of it is passed over.
        rank = _rank(line)
        while line and not line.endswith(b"\n"):
            line = lines.readline(MIB)
        in_order = in_order and rank >= last
        last = rank
        ranks.add(rank)
    return [None] if in_order else [*sorted(ranks)]


def read(path: Path, *, limits: Limits | None = None, meter: Meter | None = None, name: str = "") -> Iterator[Read]:
    """Yield the documents of a source in the order in which they can be imported, with problems between.

    Args:
        path: a JSON or NDJSON file, a folder of them, or a tar(.gz, .xz, .bz2) or zip archive of them.
        limits: guards; the defaults keep an import under 500 MB of memory.
        meter: is told how much has been read.
        name: what a single file is called in reports, if it is stored under another name.
    """
    return Source(path, limits or Limits(), meter or Meter(), name).read()
