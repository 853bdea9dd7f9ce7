"""What is made of a chunk of records before the database is asked: every column read, checked and turned into text for COPY.

It runs in the thread that reads the file, while the database writes the chunk before. What needs the database (whose record it
is, which visit it belongs to, who did it) is added by `writing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from careloop.integrations.imports.moments import Bad, moment_text, remember
from careloop.integrations.imports.natural_keys import moment_key
from careloop.integrations.imports.rendering import is_empty, texts_of
from careloop.integrations.imports.rows import Kind, Row, columns_of
from careloop.integrations.imports.staging import limits
from careloop.integrations.imports.targets import TARGETS
from careloop.kernel.ids import rising_uuid7s
from careloop.kernel.money import decimals_of

#: columns that are worked out with the database's help
_REFERRED = frozenset({"practitioner_id"})


@dataclass(slots=True)
class PreparedRecords:
    """A chunk's columns as text for COPY (only those in which anything stands), and the rows that cannot be written."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    #: row → (field, reason)
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    #: row, field and limit of texts that are longer than their column and will be cut
    cut: list[tuple[int, str, int]] = field(default_factory=list)


def prepare_records(kind: Kind, rows: Sequence[Row], *, zone: tzinfo, currency: str) -> PreparedRecords:
    """Return what can be said of records without asking the database."""
    target = TARGETS[kind.name]
    index = kind.index
    columns: Sequence[Sequence[Any]] = columns_of(rows)
    made = PreparedRecords()
    longest = limits(target.table)
    to_moment = remember(moment_text(zone))
    values_of: dict[str, Sequence[Any]] = {
        # the database would ask the system for random bytes row by row, a tenth of the time of a visit
        "id": rising_uuid7s(len(rows))[0],
        "external_id": columns[index["external_id"]], "natural_key": _natural_keys(kind, columns, zone),
    }  # fmt: skip
    for name, (source, how) in target.columns.items():
        if name in _REFERRED:
            continue
        if name == "supply_ends_on":
            values_of[name] = _supply_ends(columns, index)
            continue
        values: Sequence[Any] = columns[index[source]]
        if is_empty(values) and name != "currency":
            continue
        if how == "text":
            made.cut += [(place, source, limit) for place, limit in too_long(values, longest.get(name))]
        elif how == "at":
            values = to_moment(values)
        elif how == "small":
            values = remember(_small)(values)
        elif how == "float":
            values = remember(_float)(values)
        elif how == "money":
            values = _money(values, columns[index["currency"]], currency)
        elif name == "currency":
            values = [value or currency for value in values]
        if how in _CHECKED and Bad in set(map(type, values)):
            for place, value in enumerate(values):
                if isinstance(value, Bad):
                    made.bad.setdefault(place, (source, value.code))
        values_of[name] = values
    if target.time:
        written = columns[index[target.columns[target.time][0]]]
        values_of["day_only"] = [value is not None and len(str(value)) <= 10 for value in written]
    # these are joined on, so they are staged even where nothing stands in them
    always = {"external_id", "natural_key", "day_only", target.time}
    values_of.setdefault(target.time, [None] * len(rows))
    made.columns = {
        name: texts_of(values) for name, values in values_of.items() if name in always or not is_empty(values)
    }
    return made


def too_long(values: Sequence[Any], limit: int | None) -> list[tuple[int, int]]:
    """Return the rows whose text is longer than its column, with how much the column takes.

    >>> too_long(["a", None, "abc"], 2), too_long(["abc"], None)
    ([(2, 2)], [])
    """
    if not limit or is_empty(values) or max(map(len, map(str, filter(None, values))), default=0) <= limit:
        return []
    return [(place, limit) for place, value in enumerate(values) if value and len(str(value)) > limit]


_CHECKED = frozenset({"at", "small", "float", "money"})


def _small(value: Any) -> int:
    number = int(Decimal(str(value)))
    if not 0 <= number <= 32767:
        raise Bad("row.not_a_whole_number")
    return number


def _float(value: Any) -> str:
    float(value)
    return str(value)


def minor_units(value: Any, currency: str) -> int:
    """Return an amount in the currency's minor units, rounded half up: sources keep more digits than coins have."""
    scaled = Decimal(str(value)).scaleb(decimals_of(currency))
    return int(scaled.to_integral_value(rounding="ROUND_HALF_UP"))


def _natural_keys(kind: Kind, columns: Sequence[Sequence[Any]], zone: tzinfo) -> list[str]:
    """Return CODE|time for every row (see `natural_keys`), the text standing in where there is no code."""
    index = kind.index
    count = len(columns[0])
    codes: list[str] = [""] * count
    if "code" in index:
        displays = columns[index["display"]]
        codes = [
            str(code or display or "").strip().upper()[:140]
            for code, display in zip(columns[index["code"]], displays, strict=True)
        ]
    if kind.name == "other":
        types = columns[index["resource_type"]]
        codes = [f"{name}:{code}" for name, code in zip(types, codes, strict=True)]
    time = next((key.column for key in kind.natural_key if key.how in {"AT", "ON"}), "")

    def key_of(written: Any) -> str:
        try:
            return moment_key(kind.name, str(written), zone=zone)
        except ValueError:
            raise Bad("row.not_a_date") from None

    moments = remember(key_of)(columns[index[time]]) if time else [""] * count
    return [
        f"{code}|{'' if moment is None or isinstance(moment, Bad) else moment}"
        for code, moment in zip(codes, moments, strict=True)
    ]


def _supply_ends(columns: Sequence[Sequence[Any]], index: dict[str, int]) -> list[str | None]:
    """Return the last day of the current fill: the start plus the days that one fill lasts."""
    ends: list[str | None] = []
    for start, days in zip(columns[index["start"]], columns[index["days_supply"]], strict=True):
        try:
            ends.append(
                (date.fromisoformat(str(start)[:10]) + timedelta(days=int(days) - 1)).isoformat()
                if start and days
                else None
            )
        except (ValueError, OverflowError):
            ends.append(None)
    return ends


def _money(values: Sequence[Any], currencies: Sequence[Any], usual: str) -> list[Any]:
    found: list[Any] = []
    for value, currency in zip(values, currencies, strict=True):
        if value is None or value == "":
            found.append(None)
            continue
        try:
            found.append(minor_units(value, str(currency or usual)))
        except (InvalidOperation, ValueError):
            found.append(Bad("row.not_an_amount"))
    return found
