"""Times as the database reads them, column by column; what cannot be read is a value that says why."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import InvalidOperation
from typing import Any


class Bad(Exception):
    """A value that cannot be read; `code` is a reason with a sentence (see `reasons`)."""

    def __init__(self, code: str) -> None:
        self.code = code


def remember(read: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    """Return a function that reads a whole column and reads each different value once; what cannot be read is a `Bad`."""

    def column(values: Sequence[Any]) -> list[Any]:
        known: dict[Any, Any] = {}
        for value in set(values):
            if value is None or value == "":
                known[value] = None
                continue
            try:
                known[value] = read(value)
            except Bad as bad:
                known[value] = bad
            except (ValueError, OverflowError, InvalidOperation):
                known[value] = Bad("row.not_a_number")
        return [known[value] for value in values]

    return column


def moment_text(zone: tzinfo) -> Callable[[str], str]:
    """Return a function that gives a FHIR dateTime as PostgreSQL reads it; a day begins at the clinic's midnight."""

    def read(written: str) -> str:
        try:
            if len(written) > 10:
                datetime.fromisoformat(written)
                return written
            day = date.fromisoformat(written + {4: "-01-01", 7: "-01", 10: ""}[len(written)])
        except (ValueError, KeyError):
            raise Bad("row.not_a_date") from None
        offset = datetime(day.year, day.month, day.day, tzinfo=zone).utcoffset() or timedelta()
        minutes = round(offset.total_seconds() / 60)
        sign = "-" if minutes < 0 else "+"
        return f"{day.isoformat()}T00:00:00{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

    return read
