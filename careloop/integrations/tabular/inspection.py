"""Look at a file before anything is imported: what it is, how it is written, what is doubtful, what must be asked.

Inspection reads the whole file once for its encoding and the first rows for everything else. Its report says in whole
sentences what was noticed, where, and what to do. Nothing here needs a database.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from careloop.integrations.tabular import fields, sheets
from careloop.integrations.tabular.encodings import Encoding, detect, error_handler
from careloop.integrations.tabular.findings import Answers, ColumnSeen, Notice, Question, Report
from careloop.integrations.tabular.reading import Layout, is_total, read_blocks
from careloop.kernel import dates, phones, taiwan

SAMPLE_ROWS = 1_000
SHOWN_ROWS = 20
DELIMITERS = (",", ";", "\t", "|")
HIGHEST_HEADER = 30

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEP = re.compile(r"^\s*sep=(.)\s*$", re.IGNORECASE)
_NUMBERISH = re.compile(r"[-+]?[\d.,/:\-\s]+")


def inspect(path: Path, *, name: str = "", answers: Answers | None = None) -> Report:
    """Look at a CSV file or workbook and report what it is. Never raises for what is in the file."""
    answers = answers or Answers()
    report = Report(name=name or path.name, size=path.stat().st_size)
    with path.open("rb") as file:
        start = file.read(4096)
    suffix = Path(report.name).suffix.lower()
    if not start:
        report.rejected = Notice("tabular.empty")
    elif suffix in {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}:
        _inspect_workbook(path, report, answers)
    elif start.startswith((_ZIP, _OLE)):
        report.rejected = Notice("tabular.is_zip")
    else:
        _inspect_text(path, report, answers)
    return report


# --- text -----------------------------------------------------------------------------------------------------------


def _inspect_text(path: Path, report: Report, answers: Answers) -> None:
    encoding = report.encoding = detect(path)
    if encoding.name == "utf-8" and encoding.nul_bytes > max(4, report.size / 20):
        report.rejected = Notice("tabular.is_binary")
        return
    if answers.encoding:
        encoding.name, encoding.sure, encoding.mojibake = answers.encoding, True, ""
    layout = report.layout = Layout(
        encoding=encoding.name,
        bom=encoding.bom,
        repair=answers.repair,
        check_bytes=encoding.name not in {"utf-8"} or encoding.bad_from >= 0,
        cut_off=encoding.cut_off,
        other_encoding=encoding.candidates[0] if encoding.mixed and encoding.candidates else "",
        allow_short_rows=answers.allow_short_rows,
    )
    lines = _first_lines(path, layout)
    if not any(line.strip() for line in lines):
        report.rejected = Notice("tabular.only_blank")
        return
    sep_line = bool(lines and _SEP.match(lines[0]))
    if answers.delimiter:
        layout.delimiter = {"tab": "\t"}.get(answers.delimiter, answers.delimiter)
    elif sep_line:
        layout.delimiter = _SEP.match(lines[0])[1]  # type: ignore[index]
    else:
        layout.delimiter = guess_delimiter(lines)
    layout.skip_initial_space = f'{layout.delimiter} "' in "".join(lines[:50])
    _note_encoding(report, encoding, path)

    rows, ends = _parse(lines[1:] if sep_line else lines, layout)
    first = 2 if sep_line else 1
    place = _place_header(report, rows, ends, first, answers)
    layout.lines_before_data = (first - 1) + (ends[place] if place >= 0 else (ends[-place - 2] if place < -1 else 0))
    _describe(report, rows, ends, first, place)
    if any(_has_bytes(header) for header in report.headers):
        # a column that cannot be named can be neither mapped nor kept for the next import
        report.rejected = Notice("tabular.is_binary")
        return
    _note_refusals(path, report)
    _note_dates(report, answers)
    _note_question_marks(report)


def _note_refusals(path: Path, report: Report) -> None:
    """Say which of the first rows would be refused, with line and cure, before anything is imported."""
    block = next(read_blocks(path, report.layout, size=SAMPLE_ROWS), None)
    if block is None or not block.refused:
        return
    for refusal in block.refused[:3]:
        report.warnings.append(Notice(refusal.code, refusal.values, line=refusal.line))
    report.warnings.append(Notice("tabular.rows_refused", {"count": len(block.refused)}))


def _has_bytes(text: str) -> bool:
    """Return whether bytes that could not be decoded stand escaped in the text.

    >>> _has_bytes("病歷號"), _has_bytes("\\udc8f")
    (False, True)
    """
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _first_lines(path: Path, layout: Layout) -> list[str]:
    """Return the first lines, decoded; never more than a megabyte of text."""
    with path.open("rb") as raw:
        raw.seek(layout.bom)
        text = io.TextIOWrapper(raw, layout.encoding, errors=error_handler(layout.encoding), newline=None)
        lines: list[str] = []
        size = 0
        for line in islice(text, SAMPLE_ROWS * 4):
            line = line.replace("\0", "")
            if layout.repair:
                line = line.encode(layout.repair, "replace").decode("utf-8", "replace")
            lines.append(line)
            size += len(line)
            if size > 1 << 20:
                break
    return lines


def guess_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter under which most rows have the same number of cells, more than one.

    >>> guess_delimiter(["a;b;c\\n", '1;"x,y,z";3\\n'])
    ';'
    """
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines[:200], delimiter=delimiter) if row]
        except csv.Error:
            continue
        counts = Counter(len(row) for row in rows)
        if not counts:
            continue
        cells, often = max(counts.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        score = often / len(rows) + min(cells, 20) / 100 if cells > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _parse(lines: Sequence[str], layout: Layout) -> tuple[list[list[str]], list[int]]:
    """Return the first rows and, for each, the number of lines read when it ends."""
    reader = csv.reader(lines, delimiter=layout.delimiter, skipinitialspace=layout.skip_initial_space)
    rows: list[list[str]] = []
    ends: list[int] = []
    try:
        for row in islice(reader, SAMPLE_ROWS):
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error:
        pass
    return rows, ends


# --- header ---------------------------------------------------------------------------------------------------------


def _usual_width(rows: Sequence[Sequence[Any]]) -> int:
    counts = Counter(len(row) for row in rows if any(row))
    if not counts:
        return 0
    # ties go to the wider: a title line is shorter than the table
    return max(counts.items(), key=lambda item: (item[1], item[0]))[0]


def _place_header(report: Report, rows: list[list[str]], ends: list[int], first: int, answers: Answers) -> int:
    """Return the index of the header row; below zero where there is none (-1: data begins at once).

    A header is the row with the most words known for columns; failing that, the first row as wide as the table that
    does not look like a record.
    """
    if answers.header_line is not None:
        if answers.header_line == 0:
            return -1
        starts = [0, *ends[:-1]]
        wanted = answers.header_line - first
        return next((i for i, start in enumerate(starts) if start >= wanted), 0)
    width = _usual_width(rows)
    best, best_known = -1, 0
    for place, row in enumerate(rows[:HIGHEST_HEADER]):
        cells = [cell for cell in row if cell.strip()]
        known = sum(1 for cell in cells if len(cell) <= 40 and fields.is_known(cell))
        if known > best_known and known >= max(1, len(cells) / 3) and len(cells) > 1:
            best, best_known = place, known
    if best >= 0 and (best_known >= 2 or len(rows[best]) == width):
        return best
    for place, row in enumerate(rows[:HIGHEST_HEADER]):
        if len(row) < width or not any(row):
            continue
        no_header = any(not _looks_like_header_cell(cell) for cell in row)
        if no_header and _looks_like_record(row) and _below_is_alike(rows, place):
            report.questions.append(Question("ask.no_header", "columns", blocking=True))
            return -1 - place
        return place
    return 0 if rows else -1


def _looks_like_header_cell(cell: str) -> bool:
    text = cell.strip()
    return bool(text) and len(text) <= 40 and not _NUMBERISH.fullmatch(text) and content_of([text]) == "text"


def _looks_like_record(row: Sequence[str]) -> bool:
    return any(
        cell.strip() and (_NUMBERISH.fullmatch(cell.strip()) or content_of([cell]) not in {"text", ""}) for cell in row
    )


def _below_is_alike(rows: list[list[str]], place: int) -> bool:
    """Return whether the row's cells are of the same make as the cells below it."""
    below = [row for row in rows[place + 1 : place + 30] if len(row) == len(rows[place])]
    if not below:
        return True
    alike = 0
    for column, cell in enumerate(rows[place]):
        if cell.strip() and _looks_like_record([cell]):
            same = sum(1 for row in below if row[column].strip() and _looks_like_record([row[column]]))
            alike += same * 2 >= len(below)
    return alike > 0


# --- columns --------------------------------------------------------------------------------------------------------


def _describe(report: Report, rows: list[list[str]], ends: list[int], first: int, place: int) -> None:
    """Fill in columns, sample rows and what is to be said about header and totals."""
    data_from = place + 1 if place >= 0 else -place - 1
    data = rows[data_from:]
    header = [cell.strip() for cell in rows[place]] if place >= 0 else []
    width = len(header) or _usual_width(data)
    if place >= 0:
        while width > 1 and not header[width - 1] and not any(len(r) >= width and r[width - 1].strip() for r in data):
            width -= 1
        header = header[:width]
    starts = [0, *ends[:-1]]
    report.layout.columns = width
    report.header_line = (first + starts[place]) if place >= 0 else 0
    above = [row for row in rows[: max(place, 0)] if any(cell.strip() for cell in row)]
    if above or (place > 0 and report.header_line > first):
        report.warnings.append(
            Notice("tabular.title_lines", {"count": report.header_line - first}, line=report.header_line)
        )
    kept = [
        (first + starts[data_from + offset], row)
        for offset, row in enumerate(data)
        if len(row) == width and any(cell.strip() for cell in row) and not is_total(row)
    ]
    for offset, row in enumerate(data):
        if is_total(row):
            report.warnings.append(Notice("tabular.total_line", line=first + starts[data_from + offset]))
    report.scanned = kept
    report.sample = [row for _line, row in kept[:SHOWN_ROWS]]
    report.sample_lines = [line for line, _row in kept[:SHOWN_ROWS]]
    _fill_columns(report, header, [row for _line, row in kept], width)
    if not kept and not any(any(cell.strip() for cell in row) for row in data):
        report.warnings.append(Notice("tabular.no_rows"))


def _fill_columns(report: Report, header: list[str], data: list[list[str]], width: int) -> None:
    named = Counter(cell for cell in header if cell)
    for place in range(width):
        values = [row[place].strip() for row in data if row[place].strip()]
        report.columns.append(
            ColumnSeen(place + 1, header[place] if header else "", values[:5], len(values), content_of(values[:200]))
        )
    for text, count in named.items():
        if count > 1:
            places = [str(at + 1) for at, cell in enumerate(header) if cell == text]
            report.questions.append(
                Question(
                    "ask.duplicate_header", "columns", tuple(f"#{at}" for at in places), f"#{places[0]}",
                    {"column": text, "places": ", ".join(places)}, blocking=True,
                )
            )  # fmt: skip


_SEXES = {"男", "女", "m", "f", "male", "female", "男性", "女性", "1", "2"}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def content_of(values: Sequence[str]) -> str:
    """Return what most of the values look like: mobile, national_id, email, sex, date, number, text, or nothing.

    >>> content_of(["0912345678", "0987-654-321"]), content_of(["1990-01-01", "79/3/5"]), content_of(["王小明"])
    ('mobile', 'date', 'text')
    """
    values = [value.strip() for value in values if value.strip()][:50]
    if not values:
        return ""
    tests: tuple[tuple[str, Any], ...] = (
        ("mobile", lambda value: phones.taiwan_mobile(value) is not None),
        ("national_id", lambda value: taiwan.read_id(value).kind != taiwan.IdKind.OTHER),
        ("email", _EMAIL.fullmatch),
        ("sex", lambda value: value.casefold() in _SEXES and not value.isdigit()),
        ("date", _is_date),
        ("number", _NUMBERISH.fullmatch),
    )
    for name, test in tests:
        if sum(1 for value in values if test(value)) * 5 >= len(values) * 4:
            return name
    return "text"


def _is_date(value: str) -> bool:
    if value.isdigit() and (len(value) != 8 or not value.startswith(("19", "20"))):
        return False
    try:
        dates.read_date(value)
    except dates.DateRefused:
        return False
    return True


# --- what is said about it --------------------------------------------------------------------------------------------


def _note_encoding(report: Report, encoding: Encoding, path: Path) -> None:
    say = report.warnings.append
    if encoding.mojibake and not report.layout.repair:
        code = "tabular.mojibake_repairable" if encoding.repair else "tabular.mojibake_lost"
        say(Notice(code, {"how": encoding.mojibake}))
    if encoding.mixed:
        line = _line_of(path, encoding.bad_from)
        say(Notice("tabular.mixed_encodings", {"encoding": encoding.candidates[0]}, line=line))
    if encoding.cut_off:
        say(Notice("tabular.cut_off_file"))
    if encoding.nul_bytes and encoding.name in {"utf-8", "cp950", "gb18030", "cp1252"}:
        say(Notice("tabular.nul_bytes", {"count": encoding.nul_bytes}))
    if encoding.own_characters:
        say(Notice("tabular.own_characters", {"count": encoding.own_characters}))
    if not encoding.sure:
        say(Notice("tabular.guessed_encoding", {"encoding": encoding.name}))
        if encoding.candidates:
            report.questions.append(Question("ask.encoding", "encoding", tuple(encoding.candidates), encoding.name))


def _line_of(path: Path, offset: int) -> int:
    count, left = 1, offset
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            count += block.count(b"\n") or block.count(b"\r")
            left -= len(block)
    return count


def _note_question_marks(report: Report) -> None:
    """Say so if names hold question marks: the exporting system had no such character."""
    places = [
        at
        for at, column in enumerate(report.columns)
        if any(m.field in {"name", "family_name", "given_name"} for m in fields.meanings(column.header))
    ]
    damaged = [line for line, row in report.scanned if any("?" in row[at] or "？" in row[at] for at in places)]
    if damaged:
        report.warnings.append(Notice("tabular.question_marks", {"count": len(damaged)}, line=damaged[0]))


_DATE_WORDS = {
    "birth_date", "deceased_at", "registered_on", "start", "end", "onset", "abatement", "recorded", "effective",
    "occurrence", "issued",
}  # fmt: skip


def _note_dates(report: Report, answers: Answers) -> None:
    """Find out whether 4/5/1990 is in April or in May, and say so if one column writes dates in several ways."""
    for at, column in enumerate(report.columns):
        if not any(meaning.field in _DATE_WORDS for meaning in fields.meanings(column.header)):
            continue
        forms: Counter[str] = Counter()
        example = ""
        for _line, row in report.scanned:
            try:
                read = dates.read_date(row[at]) if row[at].strip() else None
            except dates.DateRefused:
                continue
            if read is None:
                continue
            form = read.form
            if form in {"MDY", "DMY"} and read.ambiguous:
                form, example = "EITHER", example or row[at].strip()
            forms[form] += 1
        if forms["MDY"] and forms["DMY"] and forms["EITHER"] and not answers.date_order:
            report.questions.append(
                Question(
                    "ask.date_order", "date_order", ("MDY", "DMY"), "", {"column": column.header, "example": example}
                )
            )
        elif forms["EITHER"] and not forms["MDY"] and not answers.date_order and not forms["DMY"]:
            report.questions.append(
                Question(
                    "ask.date_order", "date_order", ("MDY", "DMY"), "MDY", {"column": column.header, "example": example}
                )
            )
        if forms["DMY"] > forms["MDY"]:
            report.date_order = "DMY"
        written = [form for form in forms if form != "EITHER" or not (forms["MDY"] or forms["DMY"])]
        if len(written) > 1:
            report.warnings.append(
                Notice("tabular.mixed_dates", {"column": column.header, "forms": ", ".join(sorted(written))})
            )
    if answers.date_order:
        report.date_order = answers.date_order


# --- workbooks --------------------------------------------------------------------------------------------------------


def _inspect_workbook(path: Path, report: Report, answers: Answers) -> None:
    report.format = "xlsx"
    try:
        workbook = sheets.open_workbook(path)
    except sheets.SheetRefused as refusal:
        report.rejected = Notice(refusal.code, refusal.values)
        return
    found = sheets.list_sheets(workbook)
    report.sheet_names = found.visible
    if answers.sheet and answers.sheet not in [*found.visible, *found.hidden]:
        report.rejected = Notice("tabular.unknown_sheet", {"sheet": answers.sheet})
        return
    if not found.visible and not answers.sheet:
        report.rejected = Notice("tabular.no_sheet")
        return
    report.sheet = answers.sheet or found.visible[0]
    if len(found.visible) > 1 and not answers.sheet:
        report.questions.append(Question("ask.sheet", "sheet", tuple(found.visible), found.visible[0], blocking=True))
    if found.hidden and not answers.sheet:
        report.warnings.append(Notice("tabular.hidden_sheets", {"sheets": ", ".join(found.hidden)}))
    cells, report.first_row = sheets.read_sheet(workbook, report.sheet)
    rows = [[sheets.text_of(cell) for cell in row] for row in cells[:SAMPLE_ROWS]]
    # every row of a sheet is as wide as the widest; the width of a row is where its last filled cell stands
    rows = [row[: max((at + 1 for at, cell in enumerate(row) if cell), default=0)] for row in rows]
    ends = list(range(1, len(rows) + 1))
    widest = max((len(row) for row in rows), default=0)
    place = _place_header(report, rows, ends, report.first_row, answers)
    padded = [row + [""] * (widest - len(row)) for row in rows]
    report.layout.lines_before_data = place + 1 if place >= 0 else -place - 1
    _describe(report, padded, ends, report.first_row, place)
    if len(cells) > SAMPLE_ROWS and any(is_total(row) for row in cells[-3:]):
        report.warnings.append(Notice("tabular.total_lines"))
    for at, width in sheets.zero_widths(cells[report.layout.lines_before_data :], report.layout.columns).items():
        report.warnings.append(
            Notice("tabular.zeros_restored_column", {"column": report.columns[at].header, "width": width})
        )
    _note_dates(report, answers)
    _note_question_marks(report)
