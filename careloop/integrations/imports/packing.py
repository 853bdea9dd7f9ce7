"""Rows as the bytes that COPY reads: ids and sealed values as they are, without digits to write here and read there.

Only ids and sealed values gain by it, so everything else is packed as text and cast where it is written (see `people`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from careloop.integrations.imports.rendering import Rendered

_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
#: what stands before a value: its length in bytes
LENGTHS = [length.to_bytes(4, "big") for length in range(2048)]
UUID_LENGTH = LENGTHS[16]


def packed(columns: list[tuple[str, str]], rows: Iterable[bytes], count: int) -> Rendered:
    """Return rows whose fields are packed already, one after the other, as COPY takes them."""
    head = len(columns).to_bytes(2, "big")
    body = head + head.join(rows) if count else b""
    return Rendered(columns, _BEGIN + body + _END, count, binary=True)


def packed_field(value: bytes) -> bytes:
    """Return one value with its length.

    >>> packed_field(b"abc")
    b'\\x00\\x00\\x00\\x03abc'
    """
    size = len(value)
    return (LENGTHS[size] if size < len(LENGTHS) else size.to_bytes(4, "big")) + value


def text_fields(values: Sequence[Any]) -> list[bytes]:
    """Return a column of texts as fields; None and the empty string are NULL; what repeats is packed once.

    >>> text_fields(["王", None, ""])
    [b'\\x00\\x00\\x00\\x03\\xe7\\x8e\\x8b', b'\\xff\\xff\\xff\\xff', b'\\xff\\xff\\xff\\xff']
    """
    if not set(map(type, values)) <= {str, type(None)}:
        values = [value if value is None else str(value) for value in values]
    different = set(values)
    if len(different) * 4 < len(values):
        known = dict(zip(different, _packed_texts(list(different)), strict=True))
        return [known[text] for text in values]
    return _packed_texts(values)


def _packed_texts(texts: Sequence[str | None]) -> list[bytes]:
    if "\0" in "".join(filter(None, texts)):
        texts = [text and text.replace("\0", "") for text in texts]
    encoded = [text.encode("utf-8", "replace") if text else b"" for text in texts]
    if max(map(len, encoded), default=0) < len(LENGTHS):
        return [LENGTHS[len(value)] + value if value else NULL for value in encoded]
    return [packed_field(value) if value else NULL for value in encoded]


def bytes_fields(values: Iterable[bytes | None]) -> list[bytes]:
    """Return a column of bytes as fields."""
    return [
        NULL if value is None else LENGTHS[len(value)] + value if len(value) < 2048 else packed_field(value)
        for value in values
    ]
