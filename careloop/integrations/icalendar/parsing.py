"""A calendar file as a parser sees it: its text, its lines, its components, and the line where a parser gives up. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from icalendar import Component
from icalendar.parser import Contentline

from careloop.integrations.icalendar.sizes import LARGEST

DEEPEST = 50


class CannotRead(Exception):
    """The file cannot be read as a whole: a reason by its name, the line (0: none), and what the sentence needs."""

    def __init__(self, reason: str, line: int = 0, **values: Any) -> None:
        super().__init__(reason)
        self.reason, self.line, self.values = reason, line, values


class Lines(list[Contentline]):
    """The content lines of a file, unfolded; knows which one the parser is at, and where each stands in the file."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.at, self.places = 0, list[int]()
        pieces: list[str] = []
        for number, line in enumerate(re.split(r"\r?\n", text), start=1):
            if not line:
                continue
            if line[0] in " \t" and pieces:
                pieces[-1] += line[1:]
            else:
                pieces.append(line)
                self.places.append(number)
        self.extend(Contentline(piece) for piece in pieces)

    def __iter__(self) -> Iterator[Contentline]:
        for self.at, line in enumerate(super().__iter__()):
            yield line

    def beginnings(self, name: str) -> list[int]:
        """The line of every BEGIN of such components, in order."""
        wanted = f"BEGIN:{name}"
        return [
            self.places[at] for at, line in enumerate(list.__iter__(self))
            if len(line) < 100 and line.replace(" ", "").upper() == wanted
        ]  # fmt: skip


def decode(data: bytes) -> str:
    """Return the file's text.

    Raises:
        CannotRead: it is empty, too large, or in no encoding a calendar comes in.
    """
    if len(data) > LARGEST:
        raise CannotRead("too_large", most=LARGEST // 1_000_000)
    if not data.strip():
        raise CannotRead("empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise CannotRead("encoding") from None
    for encoding in ("utf-8-sig", "cp950", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            place = error.start
    raise CannotRead("encoding", data.count(b"\n", 0, place) + 1)


def parse(text: str) -> tuple[list[Component], Lines]:
    """Return the components of a file, and its lines.

    Raises:
        CannotRead: with the line at which the parser gave up.
    """
    lines = Lines(text)
    _check_depth(lines)
    try:
        components = Component.from_ical(lines, multiple=True)  # type: ignore[call-overload]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise CannotRead("line", lines.places[min(lines.at, len(lines.places) - 1)] if lines else 0,
                         what=_shown(lines[lines.at]) if lines else "") from error  # fmt: skip
    assert isinstance(components, list)
    return components, lines


def _check_depth(lines: Lines) -> None:
    depth = 0
    for at, line in enumerate(list.__iter__(lines)):
        start = line[:6].upper()
        depth += (start == "BEGIN:") - (start[:4] == "END:")
        if depth > DEEPEST:
            raise CannotRead("too_deep", lines.places[at])


def _shown(line: str) -> str:
    """The beginning of a line, as a person may see it."""
    return "".join(one if one.isprintable() else "·" for one in line[:60])
