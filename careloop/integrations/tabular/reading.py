"""Read a text table in blocks of about 20,000 rows, whatever its size, and lose no row in silence.

Python's own CSV parser does the work in C on whole blocks. Only a block that is not plain (a quoted line
break, an open quote, a row of another length, a byte that cannot be read) is gone through row by row.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from careloop.integrations.imports.rows import Refused, Warned
from careloop.integrations.tabular.encodings import error_handler

BLOCK_ROWS = 20_000

#: A cell longer than this is no cell: a quote was opened and never closed, or the file is something else.
LONGEST_CELL = 1 << 20
csv.field_size_limit(LONGEST_CELL)

#: How many of the lines behind an open quote are kept one by one, to be mended and imported again.
KEPT_LINES = 1_000

_TOTAL = re.compile(
    r"(?:合計|總計|小計|共計|總數|總筆數|總和|合计|总计|小计|共计|总数|(?:grand\s+|sub\s*)?total\b|sum\b)",
    re.IGNORECASE,
)
_TOTAL_FIRST = frozenset("合總小共总TtSsGg \t　")
_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(slots=True)
class Layout:
    """How the rows of a text table are found: what inspection learned, or what a person answered."""

    encoding: str = "utf-8"
    bom: int = 0
    delimiter: str = ","
    lines_before_data: int = 1
    columns: int = 0
    skip_initial_space: bool = False
    repair: str = ""
    check_bytes: bool = False
    cut_off: bool = False
    other_encoding: str = ""
    allow_short_rows: bool = False


@dataclass(slots=True)
class Block:
    """Rows that all have the same number of cells, with their line numbers and what was not taken."""

    rows: list[list[str]]
    lines: Sequence[int]
    refused: list[Refused] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    position: int = 0


@dataclass(slots=True)
class _Source:
    """The lines of the file, remembering those of the current block."""

    text: io.TextIOWrapper
    layout: Layout
    part: str
    kept: list[str] = field(default_factory=list)
    base: int = 0
    warned: list[Warned] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        kept, repair = self.kept, self.layout.repair
        for line in self.text:
            if "\0" in line:
                line = line.replace("\0", "")
                self.warned.append(Warned(self.part, self.base + len(kept) + 1, "", "tabular.nul_removed"))
            if repair:
                line = line.encode(repair, "replace").decode("utf-8", "replace")
            kept.append(line)
            yield line

    def next_block(self) -> None:
        self.base += len(self.kept)
        self.kept.clear()


def read_blocks(
    path: Path, layout: Layout, *, part: str = "", size: int = BLOCK_ROWS, first: int = 0, limit: int = 0
) -> Iterator[Block]:
    """Yield the data rows of a text table.

    Args:
        layout: encoding, delimiter, where the data begins, how many cells a row has.
        part: the name under which rows are reported (the file inside an archive).
        size: rows in a block.
        first: rows in the first block, where the first and the last should be shorter: each block is twice the one before, up to
            `size`, and at most a quarter of what seems to be left.
        limit: stop after about so many rows (a preview); 0 reads everything.
    """
    with path.open("rb") as raw:
        raw.seek(layout.bom)
        text = io.TextIOWrapper(raw, encoding=layout.encoding, errors=error_handler(layout.encoding), newline=None)
        source = _Source(text, layout, part)
        for _line in islice(text, layout.lines_before_data):
            source.base += 1
        lines = source.lines()
        reader = _reader(lines, layout)
        seen = 0
        ended = False
        fewest = wanted = min(first or size, size)
        begun, end = raw.tell(), path.stat().st_size
        while not ended:
            source.next_block()
            started = reader.line_num
            broken = False
            rows: list[list[str]] = []
            try:
                rows = list(islice(reader, wanted))
            except csv.Error:
                broken = True
            ended = broken or len(rows) < wanted
            told = max(reader.line_num, 1)
            left = (end - raw.tell()) * told // max(raw.tell() - begun, 1)
            wanted = min(wanted * 2, size, max(left // 4, fewest * 2))
            if not source.kept:
                return
            plain = not broken and reader.line_num - started == len(rows)
            if plain and ended and source.kept[-1].count('"') % 2:
                plain = False
            if plain:
                block = Block(rows, range(source.base + 1, source.base + len(rows) + 1))
            else:
                block, ended = _row_by_row(source, lines, ended=ended, broken=broken)
            _keep_whole_rows(block, source, last=ended)
            block.warned += source.warned
            source.warned = []
            block.position = raw.tell()
            seen += len(block.rows)
            yield block
            if limit and seen >= limit:
                return


def _reader(lines: Iterator[str], layout: Layout, *, strict: bool = False) -> "csv._reader":  # type: ignore[name-defined]
    return csv.reader(lines, delimiter=layout.delimiter, skipinitialspace=layout.skip_initial_space, strict=strict)


def _row_by_row(source: _Source, lines: Iterator[str], *, ended: bool, broken: bool) -> tuple[Block, bool]:
    """Read the lines of a block again, one row at a time, to know on which line each row begins.

    Returns the block and whether the file is at its end, which it is behind a quote that was never closed.
    """
    block = Block([], [])
    numbers: list[int] = []
    reader = _reader(iter(source.kept), source.layout)
    done = passed = 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            if '"' not in (line := source.kept[done]):
                at, limit = source.base + done + 1, LONGEST_CELL
                block.refused.append(
                    Refused(source.part, at, "", "tabular.cell_too_long", {"limit": limit}, line.rstrip("\n"))
                )
                done = passed = done + 1
                reader = _reader(iter(source.kept[done:]), source.layout)
                ended = ended and not broken
                continue
            _refuse_open_quote(block, source, lines, done)
            block.lines = numbers
            return block, True
        if row is None:
            break
        upto = passed + reader.line_num
        span = upto - done
        raw = source.kept[done:upto]
        at_end = ended and upto == len(source.kept)
        if at_end and '"' in "".join(raw) and _is_open("".join(raw), source.layout):
            _refuse_open_quote(block, source, lines, done)
            block.lines = numbers
            return block, True
        if span > 2 and _holds_rows(raw, source.layout):
            block.refused.append(
                Refused(
                    source.part, source.base + done + 1, "", "tabular.quote_holds_rows", {"lines": span}, "".join(raw)
                )
            )
        else:
            block.rows.append(row)
            numbers.append(source.base + done + 1)
        done = upto
    block.lines = numbers
    return block, ended


def _is_open(raw: str, layout: Layout) -> bool:
    """Return whether a record ends inside quotes."""
    try:
        list(_reader(iter(raw.splitlines(keepends=True)), layout, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error) or "field larger" in str(error)
    return False


def _holds_rows(raw: list[str], layout: Layout) -> bool:
    """Return whether a quoted cell seems to have swallowed whole rows: inner lines with as many delimiters as a row."""
    wanted = layout.columns - 1
    if wanted < 3:
        return False
    return sum(1 for line in raw[1:-1] if line.count(layout.delimiter) >= wanted) >= 2


def _refuse_open_quote(block: Block, source: _Source, lines: Iterator[str], done: int) -> None:
    """Refuse the row whose quote is never closed and every line behind it; they could be anything."""
    first = source.base + done + 1
    rest = [*source.kept[done:]]
    for line in lines:
        rest.append(line) if len(rest) <= KEPT_LINES else None
    last = source.base + len(source.kept)
    block.refused.append(Refused(source.part, first, "", "tabular.open_quote", {"last": last}, rest[0].rstrip("\n")))
    for offset, line in enumerate(rest[1 : KEPT_LINES + 1], start=1):
        if line.strip():
            block.refused.append(
                Refused(
                    source.part, first + offset, "", "tabular.behind_open_quote", {"first": first}, line.rstrip("\n")
                )
            )


def _keep_whole_rows(block: Block, source: _Source, *, last: bool) -> None:
    """Take out blank rows and totals; refuse rows of another length and rows with bytes that cannot be read."""
    layout, part = source.layout, source.part
    wanted = layout.columns
    bad = layout.check_bytes and _has_escaped("".join(source.kept))
    rows = block.rows
    if not bad and set(map(len, rows)) <= {wanted} and not any(not row[0] or row[0][0] in _TOTAL_FIRST for row in rows):
        return
    kept: list[list[str]] = []
    numbers: list[int] = []
    for place, (row, line) in enumerate(zip(rows, block.lines, strict=True)):
        if not any(row) or (len(row) == 1 and not row[0].strip()):
            continue
        if bad and _has_escaped("".join(row)):
            at_end = last and layout.cut_off and place == len(rows) - 1
            code = "tabular.cut_off" if at_end else "tabular.bad_bytes"
            block.refused.append(Refused(part, line, "", code, {}, _readable(row, layout)))
            continue
        if is_total(row):
            block.warned.append(Warned(part, line, "", "tabular.total_line"))
            continue
        if len(row) > wanted and not any(row[wanted:]):
            row = row[:wanted]
        if len(row) != wanted:
            if len(row) < wanted and layout.allow_short_rows:
                row = row + [""] * (wanted - len(row))
            else:
                code = "tabular.too_few_cells" if len(row) < wanted else "tabular.too_many_cells"
                block.refused.append(Refused(part, line, "", code, {"cells": len(row), "columns": wanted}, row))
                continue
        kept.append(row)
        numbers.append(line)
    block.rows, block.lines = kept, numbers


def is_total(row: Sequence[object]) -> bool:
    """Return whether a row is a sum under the table: it says so in its first filled cell and is mostly empty.

    >>> is_total(["合計", "30 人", "", "", ""]), is_total(["0100001", "合計", "男", "1990-01-01", ""])
    (True, False)
    """
    if row and row[0] and str(row[0])[0] not in _TOTAL_FIRST:
        return False
    filled = [str(cell).strip() for cell in row if cell is not None and str(cell).strip()]
    if not filled or len(row) < 3 or len(filled) > len(row) / 2:
        return False
    return bool(_TOTAL.match(filled[0])) and str(row[0] or filled[0]).strip() == filled[0]


def _has_escaped(text: str) -> bool:
    return not text.isascii() and _ESCAPED.search(text) is not None


def _readable(row: list[str], layout: Layout) -> list[str]:
    """Return the row as the other encoding reads its bytes, so that the list of refusals can be mended by a person."""
    if not layout.other_encoding:
        return [_ESCAPED.sub("\ufffd", cell) for cell in row]
    fixed = []
    for cell in row:
        data = cell.encode(layout.encoding, "surrogateescape")
        fixed.append(data.decode(layout.other_encoding, "replace"))
    return fixed
