"""Turn a file, a folder or an archive of tables into the canonical row streams of the import.

One table gives one kind of rows. An archive (the zip of an export) is unpacked file by file into a scratch folder and its tables are
read in the order of the kinds, so that patients are there before their visits.
"""

import bz2
import gzip
import lzma
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as ReadOnly
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, tzinfo
from itertools import compress
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

import orjson
from django.utils.translation import gettext_lazy as _

from careloop.integrations.imports import rows as canonical
from careloop.integrations.imports.rows import Refused, RowChunk, RowStream, Warned
from careloop.integrations.tabular import known_tables, sheets, validators
from careloop.integrations.tabular import mapping as mappings
from careloop.integrations.tabular.findings import Notice, Question, Report, Verdict
from careloop.integrations.tabular.inspection import inspect
from careloop.integrations.tabular.mapping import Mapping
from careloop.integrations.tabular.reading import BLOCK_ROWS, Block, read_blocks
from careloop.kernel import dates
from careloop.kernel.errors import DomainError

SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".tab", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})

#: Limits against archives made to fill a disk.
MOST_MEMBERS = 10_000
LARGEST_UNPACKED = 20 * 1024**3
LARGEST_RATIO = 200
SMALL = 10 * 1024 * 1024

#: a patient is a hundred times the work of a visit: smaller chunks let sealing and writing overlap
PATIENT_ROWS = 5_000
#: the first chunk is smaller, because the database waits for it
FIRST_PATIENT_ROWS = 625
FIRST_ROWS = 2_500

#: How the folders begin in which archives are unpacked.
SCRATCH = "careloop-import-"
#: What an archive with broken insides raises, depending on who unpacks it.
BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)
#: How one packed table (`patients.csv.gz`) is opened, by the end of its name.
PACKED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


class SourceRefused(DomainError):
    """The file cannot be imported as it is; the text says why and what to do."""

    code: ClassVar[str] = "imports.source"
    message = _("%(reason)s")
    status: ClassVar[int] = 422


class QuestionsOpen(DomainError):
    """Something must be answered first: with a mapping file, or on the screen."""

    code: ClassVar[str] = "imports.questions"
    message = _("Before this can be imported: %(questions)s")
    status: ClassVar[int] = 422


class ArchiveRefused(DomainError):
    """The archive is damaged, holds too much, or names files outside itself."""

    code: ClassVar[str] = "imports.archive"
    message = _("The archive cannot be unpacked: %(reason)s")
    status: ClassVar[int] = 422


@dataclass(slots=True)
class Table:
    """One table of a source with its inspection and the mapping that will be used."""

    path: Path
    name: str
    report: Report
    mapping: Mapping

    @property
    def questions(self) -> list[Question]:
        return mappings.open_questions(self.report, self.mapping)


@dataclass(slots=True)
class Source:
    """All tables of a file, folder or archive, in the order in which they are imported."""

    tables: list[Table] = field(default_factory=list)
    left_out: list[Notice] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(table.report.size for table in self.tables)

    @property
    def notices(self) -> list[Notice]:
        return [*self.left_out, *(notice for table in self.tables for notice in table.report.warnings)]


@contextmanager
def open_source(
    path: Path, *, name: str = "", document: ReadOnly[str, Any] | None = None, scratch: Path | None = None
) -> Iterator[Source]:
    """Unpack what has to be unpacked, inspect every table and choose its mapping; clean up at the end.

    Args:
        name: the name under which it was uploaded, where `path` is a temporary file.
        document: a mapping, or `{"tables": {name: mapping}}`; what it does not say is suggested.
        scratch: where to unpack; a temporary folder by default.

    Raises:
        SourceRefused, ArchiveRefused, mapping.MappingRefused: with a sentence that says what to do.
    """
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=scratch) as folder:
        source = Source()
        for member, member_name in _members(path, name or path.name, Path(folder)):
            _add(source, member, member_name, document or {})
        if not source.tables:
            if source.left_out:
                raise SourceRefused(reason=" ".join(notice.text for notice in source.left_out[:5]))
            raise SourceRefused(
                reason=_("No table was found: a CSV file, a workbook, or an archive of them is wanted.")
            )
        order = {kind.name: place for place, kind in enumerate(canonical.KINDS)}
        source.tables.sort(key=lambda table: (order[table.mapping.kind], table.name))
        yield source


def _add(source: Source, path: Path, name: str, document: ReadOnly[str, Any]) -> None:
    own = document.get("tables", {}).get(name) if "tables" in document else document
    answers = (
        mappings.from_json({key: value for key, value in own.items() if key != "suggest"}).answers()
        if own and own.get("kind")
        else None
    )
    report = inspect(path, name=name, answers=answers)
    if report.rejected:
        source.left_out.append(report.rejected)
        return
    if not own and (table := known_tables.left_out(report.headers)):
        source.left_out.append(Notice("tabular.archive_member", {"member": f"{name} ({table})"}))
        return
    if own and own.get("kind") and not own.get("suggest"):
        chosen = mappings.from_json(own, headers=report.headers)
    else:
        chosen = mappings.suggest(report, kind=str((own or {}).get("kind", "")))
        chosen.options.update((own or {}).get("options", {}))
    source.tables.append(Table(path, name, report, chosen))


# --- archives ---------------------------------------------------------------------------------------------------------


def _members(path: Path, name: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each table of a file, packed or not, folder, zip or tar, unpacked, with the name it is reported under."""
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file() and inner.suffix.lower() in SUFFIXES:
                yield inner, inner.relative_to(path).as_posix()
        return
    suffix = Path(name).suffix.lower()
    if suffix in SUFFIXES:
        yield path, name
    elif zipfile.is_zipfile(path):
        yield from _unzip(path, folder)
    elif _is_tar(path):
        yield from _untar(path, folder)
    elif suffix in {".zip", ".tar", ".tgz", ".txz", ".tbz2"}:
        raise ArchiveRefused(reason=_("it is damaged."))
    elif suffix in PACKED and Path(Path(name).stem).suffix.lower() in SUFFIXES:
        yield _unpacked(path, name, folder), Path(name).stem
    else:
        yield path, name


def _is_tar(path: Path) -> bool:
    """Say whether this is a tar, packed or not; a packed file that is cut off raises before it can be told."""
    try:
        return tarfile.is_tarfile(path)
    except BROKEN as error:
        raise ArchiveRefused(reason=_("it is damaged.")) from error


def _unpacked(path: Path, name: str, folder: Path) -> Path:
    """Return one packed table, unpacked."""
    target = folder / f"00000{Path(Path(name).stem).suffix.lower()}"
    packed = path.stat().st_size
    try:
        with PACKED[Path(name).suffix.lower()](path) as inner, target.open("wb") as out:
            while block := inner.read(1 << 20):
                _check_size(1, out.tell() + len(block), packed)
                out.write(block)
    except BROKEN as error:
        raise ArchiveRefused(reason=_("it is damaged.")) from error
    except OSError as error:
        if error.errno is not None:
            raise
        # bz2 says no more than that it is no valid data
        raise ArchiveRefused(reason=_("it is damaged.")) from error
    return target


def _safe_target(member: str, folder: Path, at: int) -> Path | None:
    """Return where to unpack a member: under a name of ours, so that the archive's names never touch the disk."""
    pure = PurePosixPath(member.replace("\\", "/"))
    if pure.suffix.lower() not in SUFFIXES or pure.name.startswith(".") or "__MACOSX" in pure.parts:
        return None
    return folder / f"{at:05d}{pure.suffix.lower()}"


def _unzip(path: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check_size(len(entries), sum(entry.file_size for entry in entries), path.stat().st_size)
            for at, entry in enumerate(entries):
                if entry.flag_bits & 1:
                    raise ArchiveRefused(reason=_("it is protected by a password."))
                target = _safe_target(entry.filename, folder, at)
                if target is None:
                    continue
                with archive.open(entry) as inner, target.open("wb") as out:
                    _copy(inner, out, entry.file_size)
                yield target, PurePosixPath(entry.filename).name
    except NotImplementedError as error:
        # Deflate64, as Windows uses for large files, and the like: whole, but not for us
        raise ArchiveRefused(
            reason=_("it is compressed in a way that is not supported here; pack it again as an ordinary zip.")
        ) from error
    except BROKEN as error:
        raise ArchiveRefused(reason=_("it is damaged.")) from error


def _untar(path: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    total = 0
    limit = max(SMALL, path.stat().st_size * LARGEST_RATIO)
    try:
        with tarfile.open(path) as archive:
            for at, entry in enumerate(archive):
                if at >= MOST_MEMBERS:
                    raise ArchiveRefused(reason=_("it holds too many files."))
                target = _safe_target(entry.name, folder, at) if entry.isfile() else None
                total += entry.size
                if total > min(limit, LARGEST_UNPACKED):
                    raise ArchiveRefused(reason=_("it would unpack to far more than it is."))
                if target is None:
                    continue
                inner = archive.extractfile(entry)
                if inner is not None:
                    with inner, target.open("wb") as out:
                        _copy(inner, out, entry.size)
                    yield target, PurePosixPath(entry.name).name
    except BROKEN as error:
        raise ArchiveRefused(reason=_("it is damaged.")) from error


def _check_size(members: int, unpacked: int, packed: int) -> None:
    if members > MOST_MEMBERS:
        raise ArchiveRefused(reason=_("it holds too many files."))
    if unpacked > min(max(SMALL, packed * LARGEST_RATIO), LARGEST_UNPACKED):
        raise ArchiveRefused(reason=_("it would unpack to far more than it is."))


def _copy(inner: Any, out: Any, said: int) -> None:
    """Copy a member, and stop if it is longer than the archive's directory says: that is how bombs lie."""
    left = said
    while block := inner.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise ArchiveRefused(reason=_("a file in it is longer than it says."))
        out.write(block)


# --- rows -------------------------------------------------------------------------------------------------------------


def stream(source: Source, *, zone: tzinfo, today: date, size: int = BLOCK_ROWS) -> RowStream:
    """Yield the rows of every table in order, checked column by column.

    Raises:
        QuestionsOpen: a table has a question that nothing answers.
    """
    # what was noticed about a table with open questions comes first: broken text is why its columns are not recognised
    questions = [
        f"{table.name}: {text}"
        for table in source.tables
        if table.questions
        for text in [*(one.text for one in table.report.warnings), *(one.text for one in table.questions)]
    ]
    if questions:
        raise QuestionsOpen(questions=" ".join(questions))
    done = 0
    for table in source.tables:
        for chunk in table_chunks(table, zone=zone, today=today, size=size):
            chunk.position += done
            yield chunk
        done += table.report.size


def table_chunks(
    table: Table, *, zone: tzinfo, today: date, size: int = BLOCK_ROWS, limit: int = 0
) -> Iterator[RowChunk]:
    """Yield the rows of one table in canonical form."""
    convert = converter(table, zone=zone, today=today)
    first = FIRST_ROWS
    if table.mapping.kind == "patient":
        size, first = min(size, PATIENT_ROWS), FIRST_PATIENT_ROWS
    for block in blocks(table, size=size, first=first, limit=limit):
        yield convert(block)


def blocks(table: Table, *, size: int = BLOCK_ROWS, first: int = 0, limit: int = 0) -> Iterator[Block]:
    """Yield the raw rows of a table, CSV or sheet alike."""
    report = table.report
    if report.verdict == Verdict.REJECT:
        return
    if report.format == "csv":
        yield from read_blocks(table.path, report.layout, part=table.name, size=size, first=first, limit=limit)
        return
    try:
        cells, first_row = sheets.read_sheet(sheets.open_workbook(table.path), report.sheet)
    except sheets.SheetRefused as refusal:
        raise SourceRefused(reason=Notice(refusal.code, refusal.values).text) from refusal
    yield from sheets.sheet_blocks(
        cells,
        first_row=first_row,
        lines_before_data=report.layout.lines_before_data,
        columns=report.layout.columns,
        part=table.name,
        size=size,
        limit=limit,
    )


_WIDE = re.compile(r"[\u2e80-\u9fff\U00020000-\U0003ffff]")
_VALUE = re.compile(r"\s*(<=|>=|<|>|≦|≧|＜|＞)?\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*")
_COMPARATORS = {"≦": "<=", "≧": ">=", "＜": "<", "＞": ">"}


def converter(table: Table, *, zone: tzinfo, today: date) -> Callable[[Block], RowChunk]:
    """Return the function that turns blocks of a table into chunks of canonical rows."""
    mapping, report = table.mapping, table.report
    kind = mapping.row_kind
    headers = report.headers
    order = cast(dates.PartOrder, mapping.options.get("date_order") or report.date_order)
    places = {name: [mappings.place_of(header, headers) for header in names] for name, names in mapping.columns.items()}
    readers = {
        name: validators.reader_for(
            name, kind.column(name).type, zone=zone, order=order, today=today, codes=mapping.codes.get(name)
        )
        for name in places
    }
    rules = {
        name: (mappings.place_of(rule["column"], headers), rule.get("filled"), rule.get("empty"))
        for name, rule in mapping.when.items()
    }
    identifiers = {
        name: mappings.place_of(header, headers) for name, header in mapping.identifiers.items() if header in headers
    }
    reactions = [
        [mappings.place_of(header, headers) for header in group if header in headers] for group in mapping.reactions
    ]
    constants = {
        name: validators.reader_for(name, kind.column(name).type, zone=zone, order=order, today=today)(value)
        for name, value in mapping.constants.items()
    }

    #: what cells of earlier blocks were read as: days and codes come again, whole sentences hardly
    known: dict[str, dict[str, validators.Value]] = {
        name: {} for name in places if kind.column(name).type != canonical.Type.TEXT
    }

    def convert(block: Block) -> RowChunk:
        count = len(block.rows)
        chunk = RowChunk(kind, [], block.refused, block.warned, block.position)
        if not count:
            return chunk
        raw = list(zip(*block.rows, strict=True))
        refused: dict[int, tuple[str, validators.Problem]] = {}
        columns: dict[str, Sequence[Any]] = {"part": [table.name] * count, "line": block.lines}
        for name, at in places.items():
            cells = raw[at[0]] if len(at) == 1 else _joined([raw[place] for place in at])
            checked = validators.check_column(cells, readers[name], known.get(name))
            columns[name] = checked.values
            for place, problem in checked.refused.items():
                refused.setdefault(place, (name, problem))
            for place, doubt in checked.doubted.items():
                chunk.warned.append(Warned(table.name, block.lines[place], name, doubt.code, doubt.values))
        for name, (place, filled, empty) in rules.items():
            columns[name] = [filled if cell else empty for cell in raw[place]]
        if identifiers:
            columns["identifiers"] = _identifiers(raw, identifiers, count)
        if reactions:
            columns["reactions"] = [_reactions(row, reactions) for row in block.rows]
        if mapping.split_value and "value_text" in columns:
            _split_values(columns)
        for name, value in constants.items():
            columns.setdefault(name, [value] * count)
        for name in kind.names:
            if kind.column(name).required and name in columns and not all(columns[name]):
                for place, value in enumerate(columns[name]):
                    if value is None or value == "":
                        refused.setdefault(place, (name, validators.Problem("row.required")))
        if refused:
            for place, (name, problem) in sorted(refused.items()):
                chunk.refused.append(
                    Refused(table.name, block.lines[place], name, problem.code, problem.values, block.rows[place])
                )
            kept = [place not in refused for place in range(count)]
            columns = {name: list(compress(values, kept)) for name, values in columns.items()}
            chunk.originals = [row for place, row in enumerate(block.rows) if place not in refused]
        else:
            chunk.originals = block.rows
        nothing = canonical.Nothing((None,) * (count - len(refused)))
        chunk.rows = canonical.ByColumn([columns.get(name, nothing) for name in kind.names])
        return chunk

    return convert


def _joined(parts: list[tuple[str, ...]]) -> list[str]:
    """Join the cells of several columns: Chinese without a blank (王 + 小明), everything else with one."""
    joined = []
    for cells in zip(*parts, strict=True):
        filled = [cell.strip() for cell in cells if cell.strip()]
        wide = all(_WIDE.match(cell) for cell in filled)
        joined.append(("" if wide else " ").join(filled))
    return joined


def _identifiers(raw: list[tuple[str, ...]], places: dict[str, int], count: int) -> list[str | None]:
    found: list[str | None] = []
    for at in range(count):
        values = [{"type": name, "value": raw[place][at]} for name, place in places.items() if raw[place][at]]
        found.append(orjson.dumps(values).decode() if values else None)
    return found


def _reactions(row: list[str], groups: list[list[int]]) -> str | None:
    found = []
    for group in groups:
        code, display, severity = (row[place] for place in group)
        if code or display:
            found.append({"code": code, "display": display, "severity": severity.lower() or None})
    return orjson.dumps(found).decode() if found else None


def _split_values(columns: dict[str, Sequence[Any]]) -> None:
    """Put what is a number into value_number (and `<` into comparator); the rest stays text."""
    numbers: list[Any] = []
    texts: list[Any] = []
    comparators: list[Any] = []
    for value in columns["value_text"]:
        found = _VALUE.fullmatch(value) if value else None
        numbers.append(found[2] if found else None)
        comparators.append(_COMPARATORS.get(found[1], found[1]) if found and found[1] else None)
        texts.append(None if found else value)
    columns["value_number"], columns["value_text"], columns["comparator"] = numbers, texts, comparators
