"""Check and convert whole columns at a time: a function per column, no object per row.

A column of 20,000 cells has far fewer different values than cells, so each different value is read once and the
rest is a dictionary look-up in C. A reader takes the text of one cell and returns its value, or raises `Problem`.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from operator import ne

from careloop.integrations.imports.rows import Type
from careloop.kernel import dates, text

Value = str | int | float | bool | None

LONGEST = 100_000
#: how many different cells of a column are remembered
MOST_REMEMBERED = 50_000


class Problem(Exception):
    """A cell that cannot be read; `code` is a reason with a translated sentence."""

    def __init__(self, code: str, **values: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A cell that was read and that a person should look at."""

    value: Value
    code: str
    values: dict[str, str | int] = field(default_factory=dict)


Reader = Callable[[str], Value | Doubtful]


@dataclass(slots=True)
class Checked:
    """A column after checking: values in the same order; what was refused and doubted by index."""

    values: list[Value]
    refused: dict[int, Problem] = field(default_factory=dict)
    doubted: dict[int, Doubtful] = field(default_factory=dict)


def check_column(cells: Sequence[str], reader: Reader, known: dict[str, Value] | None = None) -> Checked:
    """Read every cell of a column; equal cells are read once, and a column that may stay as it is not cell by cell.

    Args:
        known: keeps what was read without doubt from block to block.
    """
    if (whole := _WHOLE.get(reader)) and (values := whole(cells)) is not None:
        return Checked(values)
    known = {} if known is None else known
    if len(known) > MOST_REMEMBERED:
        known.clear()
    odd: dict[str, Problem | Doubtful] = {}
    for cell in set(cells) - known.keys():
        try:
            value = reader(cell) if cell else None
        except Problem as problem:
            odd[cell] = problem
            continue
        if isinstance(value, Doubtful):
            odd[cell] = value
        else:
            known[cell] = value
    if not odd:
        return Checked(list(map(known.__getitem__, cells)))
    checked = Checked([])
    for place, cell in enumerate(cells):
        found = odd.get(cell)
        if isinstance(found, Problem):
            checked.refused[place] = found
        elif found is not None:
            checked.doubted[place] = found
        checked.values.append(known[cell] if found is None else getattr(found, "value", None))
    return checked


# --- readers ----------------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def read_text(cell: str) -> Value:
    """Return the text as it is stored: NFC, stripped; nothing else changes, markup and formulas stay text."""
    if _PLAIN.fullmatch(cell):
        return cell if len(cell) <= LONGEST else _too_long()
    try:
        cleaned = text.clean(cell.replace("\0", ""))
    except text.TextRefused as refusal:
        raise Problem("row.unpaired_surrogate") from refusal
    return (cleaned if len(cleaned) <= LONGEST else _too_long()) or None


def _too_long() -> Value:
    raise Problem("row.too_long", limit=LONGEST)


def read_code(cell: str) -> Value:
    """Return a code: stripped, full-width forms made plain."""
    if cell.isascii():
        return cell.strip() or None
    return unicodedata.normalize("NFKC", cell.replace("\0", "")).strip() or None


def _texts(cells: Sequence[str]) -> list[Value] | None:
    """Return a column of texts of which `read_text` would change none, or None."""
    whole = "".join(cells)
    # printable: no control character, no white space but the blank, no half of a character
    if not whole.isprintable() or max(map(len, cells), default=0) > LONGEST:
        return None
    if " " in whole and any(map(ne, cells, map(str.strip, cells))):
        return None
    if not whole.isascii() and not unicodedata.is_normalized("NFC", "\n".join(cells)):
        return None
    return [cell or None for cell in cells]


def _codes(cells: Sequence[str]) -> list[Value] | None:
    """Return a column of plain codes as `read_code` would, or None."""
    return [cell.strip() or None for cell in cells] if "".join(cells).isascii() else None


#: readers that can look at a whole column at once
_WHOLE: dict[Reader, Callable[[Sequence[str]], list[Value] | None]] = {read_text: _texts, read_code: _codes}

_NUMBER = re.compile(r"[-+]?(?:\d+(?:,\d{3})*|\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")


def read_number(cell: str) -> Value:
    """Return a decimal number as text, exactly as many digits as it was written with.

    >>> read_number(" 1,234.50 "), read_number("１２")
    ('1234.50', '12')
    """
    plain = unicodedata.normalize("NFKC", cell).strip().replace("−", "-")
    if plain.casefold() in {"", "nan", "null", "n/a", "na", "-", "--", "無"}:
        return None
    if not _NUMBER.fullmatch(plain) or not any(map(str.isdigit, plain)):
        raise Problem("row.not_a_number")
    return plain.replace(",", "").removeprefix("+")


_MONEY = re.compile(r"(?:NT\$|NTD|TWD|US\$|USD|\$|元|圓)", re.IGNORECASE)


def read_amount(cell: str) -> Value:
    """Return an amount as decimal text; currency signs are dropped, the currency has a field of its own."""
    try:
        return read_number(_MONEY.sub("", unicodedata.normalize("NFKC", cell)))
    except Problem as problem:
        raise Problem("row.not_an_amount") from problem


def read_integer(cell: str) -> Value:
    number = read_number(cell)
    if number is None:
        return None
    whole = str(number).split(".")
    if len(whole) > 1 and whole[1].strip("0"):
        raise Problem("row.not_a_whole_number")
    try:
        return int(whole[0])
    except ValueError:
        raise Problem("row.not_a_whole_number") from None


_YES = frozenset(["1", "y", "yes", "true", "t", "v", "是", "有", "✓", "✔", "o"])
_NO = frozenset(["0", "n", "no", "false", "f", "否", "無", "无", "x", "✗"])


def read_boolean(cell: str) -> Value:
    plain = unicodedata.normalize("NFKC", cell).strip().casefold()
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    raise Problem("row.not_yes_or_no")


_SEX = {
    **dict.fromkeys(["男", "m", "male", "男性", "1", "先生", "man", "boy"], "male"),
    **dict.fromkeys(["女", "f", "female", "女性", "2", "小姐", "woman", "girl"], "female"),
    **dict.fromkeys(["其他", "其它", "o", "other", "x", "第三性", "跨性別"], "other"),
    **dict.fromkeys(["不詳", "不明", "未知", "u", "unknown", "未提供", "0", "-", "?"], "unknown"),
}


def read_sex(cell: str) -> Value | Doubtful:
    """Return the FHIR administrative gender; what is not known is kept as unknown, with a warning."""
    found = _SEX.get(unicodedata.normalize("NFKC", cell).strip().casefold())
    return found or Doubtful("unknown", "row.unknown_sex")


_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})")
_PART_OF_DATE = re.compile(r"(?:18[5-9]\d|19\d\d|20\d\d)(?:-(?:0[1-9]|1[0-2]))?")
_PLAIN_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}(?::\d{2})?)")
_TIME_BEHIND = re.compile(
    r"(?P<day>.*?\S)[T\s]+(?P<half>上午|下午|AM|PM)?\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"\s*(?P<half2>AM|PM)?\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)


def date_reader(*, order: dates.PartOrder = "MDY", latest: date | None = None) -> Reader:
    """Return a reader for calendar days, written in any form a clinic uses; the result is `YYYY-MM-DD`."""

    def read(cell: str) -> Value | Doubtful:
        if _ISO_DAY.fullmatch(cell) and _is_day(cell) and (latest is None or cell <= latest.isoformat()):
            return cell
        if (plain := _plain_roc(cell)) and (latest is None or plain <= latest):
            return plain.isoformat()
        try:
            found = dates.read_date(cell, order=order, latest=latest)
        except dates.DateTooLate:
            raise Problem("row.date_in_future") from None
        except (dates.DateImpossible, dates.SerialImpossible):
            raise Problem("row.impossible_date") from None
        except dates.DateRefused:
            raise Problem("row.not_a_date") from None
        value = found.value.isoformat()
        if found.ambiguous and found.form not in {"MDY", "DMY"}:
            return Doubtful(value, "row.ambiguous_date", {"read": value})
        return value

    return read


def _plain_roc(cell: str) -> date | None:
    """Return the day of a Taiwanese date written in full, as most exports have it; everything else is for `dates`.

    >>> _plain_roc("079/03/05"), _plain_roc("79/3/5")
    (datetime.date(1990, 3, 5), None)
    """
    if len(cell) != 9 or not (found := dates.ROC_PLAIN.fullmatch(cell)) or found[1] == "000":
        return None
    try:
        return date(int(found[1]) + dates.ROC_OFFSET, int(found[2]), int(found[3]))
    except ValueError:
        return None


def moment_reader(*, zone: tzinfo, order: dates.PartOrder = "MDY", latest: date | None = None) -> Reader:
    """Return a reader for FHIR dateTimes as written: a day, a part of a date, or a time with its offset.

    A time without an offset is the clinic's local time and gets the clinic's offset on that day.
    """
    day_of = date_reader(order=order, latest=latest)
    last = (latest or date.max).isoformat()
    offsets: dict[str, str] = {}

    def offset_on(day: str, moment: str) -> str:
        """Return the zone's offset, worked out once a day unless it changes on that day."""
        known = offsets.get(day)
        if known is None:
            ends = {_offset(datetime.fromisoformat(day + time), zone) for time in ("T00:00:00", "T23:59:59")}
            known = offsets[day] = ends.pop() if len(ends) == 1 else ""
        return known or _offset(datetime.fromisoformat(moment), zone)

    def read(cell: str) -> Value | Doubtful:
        if len(cell) == 9 and (roc := _plain_roc(cell)) and (latest is None or roc <= latest):
            return roc.isoformat()
        if _ISO_MOMENT.fullmatch(cell):
            if not _is_moment(cell):
                raise Problem("row.impossible_date")
            return cell
        if (plainly := _PLAIN_MOMENT.fullmatch(cell)) and plainly[1] <= last and _is_moment(cell):
            day, time = plainly.groups()
            written = f"{day}T{time}" if len(time) == 8 else f"{day}T{time}:00"
            return written + offset_on(day, written)
        plain = cell.strip()
        if _PART_OF_DATE.fullmatch(plain):
            return plain
        behind = _TIME_BEHIND.fullmatch(plain) if ":" in plain else None
        if not behind:
            return day_of(plain)
        day = day_of(behind["day"])
        hour = int(behind["hour"])
        half = (behind["half"] or behind["half2"] or "").upper()
        if half in {"下午", "PM"} and hour < 12:
            hour += 12
        elif half in {"上午", "AM"} and hour == 12:
            hour = 0
        value = day.value if isinstance(day, Doubtful) else day
        moment = f"{value}T{hour:02d}:{behind['minute']}:{behind['second'] or '00'}"
        try:
            local = datetime.fromisoformat(moment)
        except ValueError:
            raise Problem("row.impossible_date") from None
        offset = behind["offset"]
        if offset and offset not in {"Z", "z"} and ":" not in offset:
            offset = f"{offset[:3]}:{offset[3:]}"
        written = moment + (offset.upper() if offset else _offset(local, zone))
        return Doubtful(written, day.code, day.values) if isinstance(day, Doubtful) else written

    return read


def _is_day(cell: str) -> bool:
    try:
        date.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _is_moment(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _offset(local: datetime, zone: tzinfo) -> str:
    offset = local.replace(tzinfo=zone).utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def code_reader(table: dict[str, str], inner: Reader) -> Reader:
    """Return a reader that first translates by a table of the mapping, then reads what it does not hold."""
    folded = {key.casefold().strip(): value for key, value in table.items()}

    def read(cell: str) -> Value | Doubtful:
        found = folded.get(cell.casefold().strip())
        return found if found is not None else inner(cell)

    return read


def reader_for(
    name: str, kind: Type, *, zone: tzinfo, order: dates.PartOrder, today: date, codes: dict[str, str] | None = None
) -> Reader:
    """Return the reader of a field, by its name where it is special and by its type otherwise."""
    reader: Reader
    if name == "sex":
        reader = read_sex
    elif name.endswith("_amount"):
        reader = read_amount
    elif name == "birth_date":
        reader = moment_reader(zone=zone, order=order, latest=today)
    elif kind == Type.DATE:
        reader = date_reader(order=order)
    elif kind == Type.DATETIME:
        reader = moment_reader(zone=zone, order=order)
    else:
        reader = {
            Type.CODE: read_code,
            Type.INTEGER: read_integer,
            Type.NUMBER: read_number,
            Type.BOOLEAN: read_boolean,
        }.get(kind, read_text)
    return code_reader(codes, reader) if codes else reader
