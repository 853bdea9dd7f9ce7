"""Rows as the text that COPY reads: column after column, because joining strings costs a tenth of looking at every character."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from careloop.integrations.imports.rows import Nothing

NULL = "\\N"
#: how bytes begin, escaped already
HEX = "\\\\x"
_EMPTY = frozenset({None, ""})
_TEXT_OR_NONE = frozenset({str, type(None)})
#: what a value may not hold as it is (COPY's text format); PostgreSQL cannot hold NUL at all. The backslash comes first.
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", ""))


@dataclass(slots=True)
class Rendered:
    """Rows as COPY takes them, and which columns are in them."""

    columns: list[tuple[str, str]]
    text: bytes
    rows: int
    #: whether `text` is COPY's binary form (see `packing`)
    binary: bool = False


def render(
    columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], *, without_empty: bool = True
) -> Rendered:
    """Return rows as text for COPY; None and the empty string are NULL.

    Args:
        columns: (name, type) of each column.
        rows: values in that order.
        without_empty: leave out the columns in which nothing stands; at least one column is kept.

    >>> render([("a", "int"), ("b", "text"), ("c", "text")], [(1, "x\\ty", None), (2, "", None)]).text
    b'1\\tx\\\\ty\\n2\\t\\\\N\\n'
    """
    values = list(zip(*rows, strict=True))
    held = [
        (column, taken)
        for column, taken in zip(columns, values, strict=False)
        if not (without_empty and is_empty(taken))
    ]
    if not held:
        count = len(values[0]) if values else 0
        return Rendered(list(columns[:1]), f"{NULL}\n".encode() * count, count)
    texts = [_hex(taken) if kind == "bytea" else texts_of(taken) for (_name, kind), taken in held]
    return joined([column for column, _taken in held], texts)


def joined(
    columns: list[tuple[str, str]], texts: Iterable[Sequence[str]], leave_out: Container[int] = frozenset()
) -> Rendered:
    """Return columns of texts (see `texts_of`) as the text of their rows, without those to leave out."""
    lines = list(map("\t".join, zip(*texts, strict=True)))
    if leave_out:
        lines = [line for place, line in enumerate(lines) if place not in leave_out]
    text = "\n".join(lines) + "\n" if lines else ""
    return Rendered(columns, text.encode("utf-8", "replace"), len(lines))


def is_empty(values: Iterable[Any]) -> bool:
    """Return whether nothing stands in a column."""
    return isinstance(values, Nothing) or _EMPTY.issuperset(values)


def bytea(value: bytes) -> str:
    """Return bytes as `render` wants them in a column of type bytea: PostgreSQL's hex form, escaped already."""
    return HEX + value.hex()


def _hex(values: Sequence[Any]) -> list[str]:
    return [value or NULL for value in values]


def texts_of(values: Sequence[Any]) -> list[str]:
    """Return a column's values as COPY reads them; None and the empty string are NULL."""
    kinds = set(map(type, values))
    if kinds <= _TEXT_OR_NONE:
        everything = "".join(filter(None, values))
        texts = [value or NULL for value in values]
    else:
        texts = ["" if value is None else str(value) for value in values]
        everything = "".join(texts)
        texts = [text or NULL for text in texts]
    for special, escaped in _ESCAPES:
        if special in everything:
            texts = [text if text is NULL else text.replace(special, escaped) or NULL for text in texts]
    return texts
