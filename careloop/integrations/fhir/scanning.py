"""Finds its way in JSON without parsing it: where entries are, and which path is open at a position."""

import mmap
import re
from array import array
from collections.abc import Iterator

from careloop.integrations.fhir.errors import FhirRefusal

#: A document: in memory, or a large one as a mapped file.
Content = bytearray | mmap.mmap

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: How much of a mapped file may be in memory at once.
WINDOW = 16 * 1024 * 1024
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]', re.DOTALL)


def path_at(content: bytes | bytearray | memoryview, position: int) -> str:
    """Return the JSON path that is open at a byte position: where in the document something went wrong.

    >>> path_at(b'{"name": [{"given": ["a", #', 26)
    'name[0].given[1]'
    """
    stack: list[str | int] = []
    key = ""
    after_colon = False
    for found in TOKEN.finditer(bytes(content[:position])):
        token = found[0]
        if token == b"{":
            stack.append("")
        elif token == b"[":
            stack.append(0)
        elif token in (b"}", b"]"):
            if stack:
                stack.pop()
        elif token == b",":
            if stack:
                stack[-1] = stack[-1] + 1 if isinstance(stack[-1], int) else ""
        elif token == b":":
            after_colon = True
            if stack and not isinstance(stack[-1], int):
                stack[-1] = key
            continue
        elif not after_colon:
            key = token[1:-1].decode("utf-8", "replace")[:64]
        after_colon = False
    path = ""
    for step in stack:
        path += f"[{step}]" if isinstance(step, int) else (f".{step}" if path and step else step)
    return path


class Places:
    """Where things begin and end, in eight bytes each."""

    def __init__(self) -> None:
        self.starts = array("Q")
        self.ends = array("Q")

    def __len__(self) -> int:
        return len(self.ends)

    def some(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        return zip(self.starts[first : first + count], self.ends[first : first + count], strict=True)


def let_go(content: Content) -> None:
    """Let the pages of a mapped file leave memory; they come back when they are looked at again."""
    if isinstance(content, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        content.madvise(mmap.MADV_DONTNEED)


def rows_before(content: Content, position: int) -> int:
    """Return how many line ends stand before a position."""
    steps = range(0, position, WINDOW)
    return sum(content[step : min(step + WINDOW, position)].count(b"\n") for step in steps)


def entry_places(content: Content) -> tuple[Places | None, bytes]:
    """Find where each entry of a Bundle begins and ends, without parsing it.

    Returns the places (None if there is no list named `entry` at the top) and the document without them.

    Raises:
        FhirRefusal: the document ends in the middle.

    >>> places, rest = entry_places(bytearray(b'{"type":"batch","entry":[{"a":1},{"b":[2]}],"id":"x"}'))
    >>> list(places.some(0, 2)), rest
    ([(25, 32), (33, 42)], b'{"type":"batch","entry":[],"id":"x"}')
    """
    places = Places()
    depth = 0
    key = b""
    list_start = list_end = -1
    start = 0
    seen_to = WINDOW
    for found in TOKEN.finditer(content):
        first = content[found.start()]
        if found.start() > seen_to:
            seen_to += WINDOW
            let_go(content)
        if first == 0x22:
            if depth == 1:
                key = found[0]
        elif first == 0x7B or first == 0x5B:  # { [
            if depth == 1 and first == 0x5B and key == b'"entry"' and list_start < 0:
                list_start = found.end()
            elif depth == 2 and list_start >= 0 and list_end < 0:
                start = found.start()
            depth += 1
        elif first == 0x7D or first == 0x5D:  # } ]
            depth -= 1
            if list_start >= 0 and list_end < 0:
                if depth == 2:
                    places.starts.append(start)
                    places.ends.append(found.end())
                elif depth == 1:
                    list_end = found.start()
    if depth > 0:
        raise FhirRefusal("fhir.cut_off")
    if list_start < 0:
        return None, b""
    rest = bytes(content[:list_start]) + bytes(content[list_end:])
    return places, rest.removeprefix(BYTE_ORDER_MARK)
