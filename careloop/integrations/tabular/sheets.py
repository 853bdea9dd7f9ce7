"""Read Excel sheets (XLSX, XLSM, XLSB, XLS, ODS) as tables of text, as a person sees them.

Spreadsheets change what is typed: a chart number 0100001 becomes the number 100001, a mobile number loses its first
zero, a date becomes a count of days since 1900 or 1904. Dates come out as ISO dates. A number in a column whose other
cells are texts of one length that begin with a zero gets its zeros back; a warning says so.
"""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from careloop.integrations.imports.rows import Warned
from careloop.integrations.tabular.reading import BLOCK_ROWS, Block, is_total

#: A sheet is decoded as a whole by the reader; what would not fit in memory is refused with advice to save it as CSV.
LARGEST_UNPACKED = 300 * 1024 * 1024
LARGEST_RATIO = 400


class SheetRefused(Exception):
    """The workbook cannot be read; `code` is a reason with a translated sentence."""

    def __init__(self, code: str, **values: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


@dataclass(slots=True)
class SheetList:
    """The sheets with cells that a person sees, and the names of the hidden ones, which are left out."""

    visible: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)


def check_package(path: Path) -> None:
    """Refuse a package that would unpack to more than memory allows, before anything unpacks it.

    Raises:
        SheetRefused: too large, or a zip bomb by its own directory.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as package:
        unpacked = sum(entry.file_size for entry in package.infolist())
    if unpacked > LARGEST_UNPACKED or unpacked > max(path.stat().st_size, 1) * LARGEST_RATIO:
        raise SheetRefused("tabular.sheet_too_large", megabytes=unpacked >> 20)


def open_workbook(path: Path) -> CalamineWorkbook:
    """Open a workbook.

    Raises:
        SheetRefused: protected by a password, too large, or not a workbook.
    """
    try:
        check_package(path)
        return CalamineWorkbook.from_path(str(path))
    except PasswordError as error:
        raise SheetRefused("tabular.sheet_password") from error
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise SheetRefused("tabular.not_a_workbook") from error


def list_sheets(workbook: CalamineWorkbook) -> SheetList:
    """Return the sheets that hold cells, visible and hidden apart."""
    found = SheetList()
    for meta in workbook.sheets_metadata:
        if meta.typ != SheetTypeEnum.WorkSheet:
            continue
        if meta.visible != SheetVisibleEnum.Visible:
            found.hidden.append(meta.name)
        elif workbook.get_sheet_by_name(meta.name).height:
            found.visible.append(meta.name)
    return found


def text_of(cell: Any) -> str:
    """Return a cell as text: whole numbers without a point, dates in ISO form.

    >>> text_of(100001.0), text_of(date(1995, 10, 25)), text_of(True), text_of(12.5)
    ('100001', '1995-10-25', 'true', '12.5')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d" if cell.time() == time() else "%Y-%m-%d %H:%M:%S")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return cell.strftime("%H:%M:%S")
    if isinstance(cell, timedelta):
        return str(cell)
    return "" if cell is None else str(cell)


def zero_widths(rows: Sequence[Sequence[Any]], columns: int) -> dict[int, int]:
    """Return, per column, the length to which numbers are filled with zeros.

    That is a column where all-digit texts have one length, one of them begins with zero, and numbers stand beside them.
    """
    widths: dict[int, int] = {}
    for place in range(columns):
        texts: set[int] = set()
        zero = numbers = False
        for row in rows:
            cell = row[place] if place < len(row) else None
            if isinstance(cell, str) and cell.isdigit():
                texts.add(len(cell))
                zero = zero or cell.startswith("0")
            elif isinstance(cell, float) and cell.is_integer():
                numbers = True
        if zero and numbers and len(texts) == 1:
            widths[place] = texts.pop()
    return widths


def read_sheet(workbook: CalamineWorkbook, name: str) -> tuple[list[list[Any]], int]:
    """Return the cells of a sheet and the number of its first row (1 = the top), with empty rows above left out."""
    sheet = workbook.get_sheet_by_name(name)
    start = sheet.start[0] if sheet.start else 0
    return sheet.to_python(skip_empty_area=True), start + 1


def sheet_blocks(
    cells: list[list[Any]],
    *,
    first_row: int,
    lines_before_data: int,
    columns: int,
    part: str = "",
    size: int = BLOCK_ROWS,
    limit: int = 0,
) -> Iterator[Block]:
    """Yield the data rows of a sheet as text, in blocks, with zeros given back where a spreadsheet took them."""
    widths = zero_widths(cells[lines_before_data:], columns)
    rows = islice(enumerate(cells, start=first_row), lines_before_data, None)
    seen = 0
    while taken := list(islice(rows, size)):
        block = Block([], [])
        numbers: list[int] = []
        for line, row in taken:
            if not any(cell not in ("", None) for cell in row):
                continue
            if is_total(row):
                block.warned.append(Warned(part, line, "", "tabular.total_line"))
                continue
            out = [text_of(cell) for cell in row[:columns]]
            for place, width in widths.items():
                if place < len(row) and isinstance(row[place], float) and len(out[place]) < width:
                    out[place] = out[place].zfill(width)
                    block.warned.append(Warned(part, line, "", "tabular.zeros_restored", {"column": place + 1}))
            out += [""] * (columns - len(out))
            block.rows.append(out)
            numbers.append(line)
        block.lines = numbers
        seen += len(block.rows)
        yield block
        if limit and seen >= limit:
            return
