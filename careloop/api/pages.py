"""Pages by cursor: a cursor names the last row of the page before, so that new rows shift nothing."""

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from careloop.api.errors import BadCursor

MOST = 200


def cursor_of(*values: Any) -> str:
    """Return the cursor behind a row with these sort values.

    >>> read_cursor(cursor_of(7), int)
    (7,)
    """
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def read_cursor(text: str, *types: type) -> tuple[Any, ...]:
    """Return the values in a cursor.

    Raises:
        BadCursor: not a cursor of this list.
    """
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(values, list) or len(values) != len(types):
            raise BadCursor
        return tuple(_read(kind, value) for kind, value in zip(types, values, strict=True))
    except (ValueError, TypeError, binascii.Error, OverflowError) as error:
        raise BadCursor from error


def _read(kind: type, value: str) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is UUID:
        return UUID(value)
    number = kind(value)
    if isinstance(number, int) and abs(number) >= 2**63:
        raise ValueError("out of range")
    return number


def page_of(rows: list[dict[str, Any]], limit: int, *columns: str) -> dict[str, Any]:
    """Cut a page out of `limit + 1` rows, with the cursor of the next one."""
    more = len(rows) > limit
    rows = rows[:limit]
    return {"items": rows, "next": cursor_of(*(rows[-1][name] for name in columns)) if more and rows else None}
