"""Ids that are longer than their column cost their row: what is cut off would make two records of one, or one of two."""

from careloop.integrations.imports.columns import too_long
from careloop.integrations.imports.rows import Refused, RowChunk, column
from careloop.integrations.imports.staging import limits, refused
from careloop.integrations.imports.targets import TARGETS

#: columns by which a record is found again
_IDS = ("external_id", "chart_number")
#: where each kind is kept; everything else is in the directory
_TABLES = {
    "practitioner": "records_practitioner",
    "patient": "patients_patient",
    "related_person": "patients_related_person",
    **{name: target.table for name, target in TARGETS.items()},
}


def refuse_long_ids(chunk: RowChunk) -> None:
    """Refuse the rows whose id is longer than its column."""
    kind, rows = chunk.kind, chunk.rows
    longest = limits(_TABLES.get(kind.name, "imports_directory"))
    long: dict[int, Refused] = {}
    for name in _IDS:
        if (at := kind.index.get(name)) is None:
            continue
        for place, limit in too_long(column(rows, at), longest[name]):
            refusal = long[place] = refused(rows[place], kind, name, "row.too_long")
            refusal.values = {"limit": limit}
            if chunk.originals:
                refusal.raw = chunk.originals[place]
    if long:
        chunk.refused += [refusal for _place, refusal in sorted(long.items())]
        chunk.rows = [row for place, row in enumerate(rows) if place not in long]
        chunk.originals = [row for place, row in enumerate(chunk.originals) if place not in long]
