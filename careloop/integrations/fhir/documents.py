"""One JSON document, taken apart: which resources it holds, where each stands, and how they name each other.

A document is a resource, a Bundle of any type, or a run of NDJSON lines.
"""

import json
import mmap
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.limits import MIB, Limits
from careloop.integrations.fhir.references import Known
from careloop.integrations.fhir.scanning import (
    BYTE_ORDER_MARK,
    WINDOW,
    Content,
    Places,
    entry_places,
    let_go,
    path_at,
    rows_before,
)
from careloop.integrations.imports.rows import Refused, Warned

Resource = dict[str, Any]

#: NDJSON lines that are handed on together: enough to make the call cheap, little enough to stay small.
LINES_TOGETHER = 500
#: What is kept of a refused resource so that it can be mended and imported again.
RAW_LIMIT = 64 * 1024

NUL = b"\\u0000"
#: Stands for an entry whose text cannot be stored.
HALF = object()
_DECIMALS = re.compile(r"at line \d+.*|: line \d+.*")


@dataclass(slots=True)
class Document:
    """Resources with the number of the entry (or line) each stood in and the name the Bundle gives it."""

    part: str
    resources: list[Resource] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    full_urls: list[str | None] = field(default_factory=list)
    known: Known = field(default_factory=Known)
    #: where a Bundle inside a Bundle stands: `entry[2].resource.`
    prefix: str = ""
    #: what was found wrong while taking it apart
    problems: list[Refused | Warned] = field(default_factory=list)


class Lines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


def raw(resource: object) -> str:
    """Return a refused resource as text, or nothing if it is too large to be mended by hand."""
    try:
        text = orjson.dumps(resource).decode()
    except (TypeError, ValueError):
        return ""
    return text if len(text) <= RAW_LIMIT else ""


def parse(content: Content, part: str, limits: Limits) -> Iterator[Document | Refused | Warned]:
    """Take one JSON document apart; yields refusals instead of raising."""
    try:
        content = _as_utf8(content)
        if len(content) >= limits.split_bytes:
            yield from _large(content, part, limits)
            return
        parsed = _loads(memoryview(content))
    except FhirRefusal as refusal:
        yield Refused(part, int(refusal.values.get("row", 1)), refusal.path, refusal.reason, refusal.values)
        return
    if content.find(NUL) >= 0 and _strip_nul(parsed):
        yield Warned(part, 1, "", "fhir.nul_removed")
    yield from _taken_apart(parsed, part)


def parse_lines(
    lines: Lines,
    part: str,
    limits: Limits,
    *,
    wanted: int | None = None,
    rank_of_line: Callable[[bytes], int] | None = None,
) -> Iterator[Document | Refused | Warned]:
    """Take NDJSON apart, a few hundred lines at a time; `wanted` takes only the lines of that rank."""
    resources: list[Resource] = []
    numbers: list[int] = []
    number = 0
    while line := lines.readline(limits.resource_bytes):
        number += 1
        if len(line) >= limits.resource_bytes and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = lines.readline(MIB)
            yield Refused(part, number, "", "fhir.resource_too_large", {"limit": limits.resource_bytes // MIB})
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        line = line.strip()
        if not line or (wanted is not None and rank_of_line is not None and rank_of_line(line) != wanted):
            continue
        try:
            resource = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield _not_well_formed(line, part, number, error)
            continue
        if NUL in line and _strip_nul(resource):
            yield Warned(part, number, "", "fhir.nul_removed")
        if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
            yield from _taken_apart(resource, part, line=number)
            continue
        resources.append(resource)
        numbers.append(number)
        if len(resources) >= LINES_TOGETHER:
            yield from _lines_document(resources, numbers, part)
            resources, numbers = [], []
    if resources:
        yield from _lines_document(resources, numbers, part)


def _lines_document(resources: list[Any], numbers: list[int], part: str) -> Iterator[Document | Refused | Warned]:
    document = Document(part)
    for number, resource in zip(numbers, resources, strict=True):
        _take(document, number, None, resource)
    yield from document.problems
    yield document


def _not_well_formed(line: bytes, part: str, number: int, error: orjson.JSONDecodeError) -> Refused:
    if "surrogate" in error.msg or "UTF-8" in error.msg:
        return Refused(part, number, "", "fhir.not_utf8" if "UTF-8" in error.msg else "fhir.half_character")
    values: dict[str, str | int] = {"row": number, "column": error.colno, "what": _what(error)}
    readable = line.decode("utf-8", "replace") if len(line) <= RAW_LIMIT else ""
    return Refused(part, number, path_at(line, error.pos), "fhir.not_well_formed", values, readable)


# whole documents


def _as_utf8(content: Content) -> Content:
    start = bytes(content[:4])
    if start.startswith(BYTE_ORDER_MARK):
        return content if isinstance(content, mmap.mmap) else content[3:]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return bytearray(bytes(content).decode("utf-16").encode())
        except UnicodeError:
            raise FhirRefusal("fhir.not_utf8") from None
    return content


def _loads(content: bytearray | memoryview) -> Any:
    """Parse JSON.

    Raises:
        FhirRefusal: it is not well-formed; says the line, the column and the path.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if "surrogate" in error.msg and "UTF-8" not in error.msg:
            return _with_half_characters(bytes(content))
        if not bytes(content).strip():
            raise FhirRefusal("fhir.empty") from None
        if "UTF-8" in error.msg:
            raise FhirRefusal("fhir.not_utf8") from None
        raise FhirRefusal(
            "fhir.not_well_formed",
            path_at(content, error.pos),
            row=error.lineno,
            column=error.colno,
            what=_what(error),
        ) from None


def _what(error: orjson.JSONDecodeError) -> str:
    return _DECIMALS.sub("", error.msg).strip() or "JSON"


def _with_half_characters(content: bytes) -> Any:
    """Parse JSON with an unpaired surrogate somewhere, so that only the entry that has it is refused."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise FhirRefusal("fhir.half_character") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("entry"), list):
        raise FhirRefusal("fhir.half_character")
    parsed["entry"] = [entry if _is_storable(entry) else HALF for entry in parsed["entry"]]
    if not _is_storable({**parsed, "entry": []}):
        raise FhirRefusal("fhir.half_character")
    return parsed


def _is_storable(value: object) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _strip_nul(value: Any) -> bool:
    """Take NUL characters out of every text below `value`, in place; returns whether there were any."""
    found = False
    places: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        places = iter(list(value.items()))
    elif isinstance(value, list):
        places = iter(list(enumerate(value)))
    for place, inner in places:
        if isinstance(inner, str):
            if "\0" in inner:
                value[place] = inner.replace("\0", "")
                found = True
        elif isinstance(inner, dict | list):
            found = _strip_nul(inner) or found
    return found


# Bundles


def _taken_apart(parsed: Any, part: str, *, prefix: str = "", line: int = 1) -> Iterator[Document | Refused | Warned]:
    document = Document(part, prefix=prefix)
    if type(parsed) is not dict or parsed.get("resourceType") != "Bundle":
        _take(document, line, None, parsed)
        yield from document.problems
        yield document
        return
    entries = parsed.get("entry")
    if entries is not None and type(entries) is not list:
        yield Refused(part, line, f"{prefix}Bundle.entry", "fhir.no_entry_list")
        return
    inner = _take_entries(document, entries or [], 1)
    yield from document.problems
    yield document
    for number, bundle in inner:
        yield from _taken_apart(bundle, part, prefix=f"{prefix}entry[{number - 1}].resource.", line=number)


def _take_entries(document: Document, entries: Sequence[Any], first: int) -> list[tuple[int, Resource]]:
    """Put the resources of Bundle entries into the document; returns Bundles inside, with their numbers."""
    inner: list[tuple[int, Resource]] = []
    part, problems = document.part, document.problems
    for number, entry in enumerate(entries, first):
        path = ""
        if type(entry) is dict:
            resource = entry.get("resource")
            request = entry.get("request")
            if type(request) is dict and request.get("method") == "DELETE":
                path = f"{document.prefix}entry[{number - 1}]"
                problems.append(Warned(part, number, path, "fhir.delete_not_followed"))
            elif resource is None:
                path = f"{document.prefix}entry[{number - 1}]"
                problems.append(Warned(part, number, path, "fhir.entry_without_resource"))
            elif type(resource) is dict and resource.get("resourceType") == "Bundle":
                inner.append((number, resource))
            else:
                _take(document, number, entry.get("fullUrl"), resource)
            continue
        path = f"{document.prefix}entry[{number - 1}]"
        if entry is HALF:
            problems.append(Refused(part, number, path, "fhir.half_character"))
        else:
            problems.append(Refused(part, number, path, "fhir.not_an_object", {}, raw(entry)))
    return inner


def _take(document: Document, number: int, full_url: Any, resource: Any) -> None:
    """Put one resource into the document, once; what is no resource is refused."""
    if type(full_url) is not str:
        full_url = None
    try:
        fresh = document.known.add(full_url, resource)
    except FhirRefusal as refusal:
        path = f"{document.prefix}entry[{number - 1}].resource" if full_url else document.prefix.rstrip(".")
        document.problems.append(Refused(document.part, number, path, refusal.reason, refusal.values, raw(resource)))
        return
    if fresh:
        document.resources.append(resource)
        document.lines.append(number)
        document.full_urls.append(full_url)
        return
    values: dict[str, str | int] = {"type": resource["resourceType"]}
    path = f"{document.prefix}{resource['resourceType']}.id"
    if document.known.same_as_first(full_url, resource, document.resources):
        document.problems.append(Warned(document.part, number, path, "fhir.repeated", values))
    else:
        document.problems.append(Refused(document.part, number, path, "fhir.duplicate_id", values, raw(resource)))


# large Bundles


def _large(content: Content, part: str, limits: Limits) -> Iterator[Document | Refused | Warned]:
    """Take a large Bundle apart entry by entry: two passes, but only a few hundred resources in memory."""
    places, rest = entry_places(content)
    if places is None:
        if len(content) > limits.resource_bytes:
            _loads_shallow(content)
            raise FhirRefusal("fhir.resource_too_large", limit=limits.resource_bytes // MIB)
        yield from _taken_apart(_loads(memoryview(content)), part)
        return
    bundle = _loads(bytearray(rest))
    if type(bundle) is not dict or bundle.get("resourceType") != "Bundle":
        raise FhirRefusal("fhir.unknown_type", type=str(bundle.get("resourceType"))[:64])
    view = memoryview(content)
    whole = Known(lean=True)
    repeated = _learn_names(content, places, whole)
    for first in range(0, len(places), LINES_TOGETHER):
        document = Document(part, known=Known(parent=whole))
        inner: list[tuple[int, Resource]] = []
        for number, (start, end) in enumerate(places.some(first, LINES_TOGETHER), start=first + 1):
            path = f"entry[{number - 1}]"
            if end - start > limits.resource_bytes:
                values: dict[str, str | int] = {"limit": limits.resource_bytes // MIB}
                document.problems.append(Refused(part, number, path, "fhir.resource_too_large", values))
                continue
            try:
                entry = _loads(view[start:end])
            except FhirRefusal as refusal:
                row = rows_before(content, start) + int(refusal.values.get("row", 1))
                path = f"{path}.{refusal.path}".rstrip(".")
                document.problems.append(Refused(part, number, path, refusal.reason, {**refusal.values, "row": row}))
                continue
            if content.find(NUL, start, end) >= 0 and _strip_nul(entry):
                document.problems.append(Warned(part, number, path, "fhir.nul_removed"))
            if number in repeated:
                # Whether it says the same cannot be told any more; the first was taken, this one was not.
                kind = entry["resource"]["resourceType"]
                document.problems.append(Refused(part, number, path, "fhir.duplicate_id", {"type": kind}, raw(entry)))
                continue
            inner += _take_entries(document, [entry], number)
        let_go(content)
        yield from document.problems
        yield document
        for number, bundle_inside in inner:
            yield from _taken_apart(bundle_inside, part, prefix=f"entry[{number - 1}].resource.", line=number)


def _learn_names(content: Content, places: Places, whole: Known) -> set[int]:
    """Note every name in a large Bundle first; returns the entries whose name was taken already."""
    repeated: set[int] = set()
    view = memoryview(content)
    seen_to = WINDOW
    for number, (start, end) in enumerate(places.some(0, len(places)), start=1):
        if end > seen_to:
            seen_to += WINDOW
            let_go(content)
        try:
            entry = orjson.loads(view[start:end])
            if type(entry) is dict and type(entry.get("resource")) is dict:
                full_url = entry.get("fullUrl")
                if not whole.add(full_url if type(full_url) is str else None, entry["resource"]):
                    repeated.add(number)
        except (orjson.JSONDecodeError, FhirRefusal):
            continue  # refused when its turn comes, with everything that is to be said about it
    return repeated


def _loads_shallow(content: Content) -> None:
    """Raise for what is no JSON object at all, without building it."""
    if bytes(content[:1000]).removeprefix(BYTE_ORDER_MARK).lstrip()[:1] not in (b"{", b"["):
        raise FhirRefusal("fhir.not_well_formed", row=1, column=1, what="JSON")
