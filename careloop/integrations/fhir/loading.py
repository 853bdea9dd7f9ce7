"""FHIR in, canonical rows out: what `careloop import fhir` feeds to the import pipeline.

    for chunk in rows(path, zone=clinic.zone, now=now):
        ...

No database and no clock. Everything in the source ends in exactly one of: a row, a refusal with its
reason, or the
count of what is not kept.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path

from careloop.integrations.fhir import clinical, medicines, money, people
from careloop.integrations.fhir.documents import Document, raw
from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.limits import Limits
from careloop.integrations.fhir.other import other
from careloop.integrations.fhir.reader import Read, read
from careloop.integrations.fhir.reading import Reading
from careloop.integrations.fhir.references import Directory, Resource, tail
from careloop.integrations.fhir.shapes import explain
from careloop.integrations.fhir.streams import Meter
from careloop.integrations.imports.rows import (
    BY_NAME,
    KINDS,
    OTHER,
    Refused,
    Row,
    RowChunk,
    RowStream,
    Warned,
)

Picker = Callable[[Reading, Resource], Row | None]

#: FHIR type → the kind of row it gives and what makes it.
PICKERS: dict[str, tuple[str, Picker]] = {
    "Organization": ("organization", people.organization),
    "Location": ("location", people.location),
    "Practitioner": ("practitioner", people.practitioner),
    "PractitionerRole": ("other", people.practitioner_role),
    "Patient": ("patient", people.patient),
    "RelatedPerson": ("related_person", people.related_person),
    "Encounter": ("encounter", clinical.encounter),
    "Condition": ("condition", clinical.condition),
    "AllergyIntolerance": ("allergy", clinical.allergy),
    "MedicationRequest": ("medication", medicines.medication),
    "MedicationStatement": ("medication", medicines.medication_statement),
    "Observation": ("observation", clinical.observation),
    "Procedure": ("procedure", clinical.procedure),
    "Immunization": ("immunization", clinical.immunization),
    "DiagnosticReport": ("report", clinical.report),
    "CarePlan": ("care_plan", clinical.care_plan),
    "Claim": ("invoice", money.claim),
    "Invoice": ("invoice", money.invoice),
}

#: What a staging table can hold.
SCALARS = frozenset({str, int, float, bool, type(None)})
#: What a picker raises when a resource is not well-shaped; `explain` then says where.
STUMBLES = (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError)

#: How much of a path a report shows.
PATH_LENGTH = 60
CHUNK_ROWS = 40_000
#: Rows with long texts fill memory sooner than their number says.
CHUNK_CHARACTERS = 24 * 1024 * 1024


@dataclass(slots=True)
class Report:
    """What became of the resources of a source, by FHIR type: each one read is kept, refused or not kept."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    not_kept: Counter[str] = field(default_factory=Counter)


def rows(
    path: Path,
    *,
    zone: tzinfo,
    now: datetime,
    limits: Limits | None = None,
    meter: Meter | None = None,
    report: Report | None = None,
    name: str = "",
) -> RowStream:
    """Yield the rows of a FHIR source in chunks, each kind after those it refers to.

    Args:
        path: see `reader.read`.
        zone: the clinic's zone, for times that have none.
        now: when the import runs.
        limits: guards.
        meter: is told how much has been read, for a progress bar.
        report: is told what became of every resource.
        name: what a single file is called in reports, if it is stored under another name.
    """
    meter = meter or Meter()
    mapper = Mapper(zone=zone, now=now, report=report or Report())
    documents = read(path, limits=limits, meter=meter, name=name)
    while mapper.take(documents):
        yield from mapper.chunks(meter.position)
    mapper.say_what_is_not_kept(name or path.name)
    if not mapper.report.read and not mapper.refused:
        mapper.refused.append(Refused(name or path.name, 0, "", "fhir.nothing_inside"))
    yield from mapper.chunks(meter.position)


def shortened(path: str) -> str:
    """Return the end of a path that is longer than a report's column: the end says most."""
    return path if len(path) <= PATH_LENGTH else "…" + path[1 - PATH_LENGTH :]


class Mapper:
    """Turns documents into rows and keeps them until there are enough for a chunk."""

    def __init__(self, *, zone: tzinfo, now: datetime, report: Report) -> None:
        self.report = report
        self.reading = Reading(directory=Directory(), zone=zone, now=now)
        self.rows: dict[str, list[Row]] = {kind.name: [] for kind in KINDS}
        self.refused: list[Refused] = []
        #: where in this chunk's rows each practitioner stands
        self.places: dict[object, int] = {}
        self.count = 0
        self.characters = 0

    def take(self, documents: Iterator[Read]) -> bool:
        """Take documents until there is enough for a chunk; returns False when there are no more."""
        # Parsing makes many objects and no cycles: the collector would walk them all for nothing
        # (a third of the time, measured).
        was_on = gc.isenabled()
        gc.disable()
        try:
            for found in documents:
                if isinstance(found, Document):
                    self.document(found)
                elif isinstance(found, Refused):
                    found.field = shortened(found.field)
                    self.refused.append(found)
                else:
                    self.reading.warned.append(found)
                if self.is_full():
                    return True
            return False
        finally:
            if was_on:
                gc.enable()

    def document(self, document: Document) -> None:
        """Map every resource of a document; one that cannot be mapped is refused and the others go on."""
        at = self.reading
        at.part = document.part
        at.known = document.known
        rows, counts = self.rows, self.report
        read: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        for line, full_url, resource in zip(document.lines, document.full_urls, document.resources, strict=True):
            kind = resource["resourceType"]
            read[kind] += 1
            at.line = line
            at.resource = resource
            warned = len(at.warned)
            try:
                rid = resource.get("id")
                if rid is None:
                    rid = tail(full_url) if full_url is not None else None
                elif type(rid) is not str or len(rid) > 64 or not rid:
                    rid = self._odd_id(rid, kind)
                at.rid = rid
                name, picker = PICKERS.get(kind, ("other", other))
                row = picker(at, resource)
                if row is None:
                    counts.not_kept[kind] += 1
                    continue
                if not SCALARS.issuperset(map(type, row)):
                    raise TypeError("a value is no scalar")
                if kind == "ExplanationOfBenefit":
                    self._bill(resource)
            except FhirRefusal as refusal:
                self._refuse(document, resource, refusal, warned)
                continue
            except STUMBLES:
                self._refuse(document, resource, explain(resource), warned)
                continue
            rows[name].append(row)
            kept[kind] += 1
            if at.extra:
                self._add_extra()
        counts.read.update(read)
        counts.kept.update(kept)
        self.count += len(document.resources)
        if self.rows["report"]:
            self.characters = sum(len(row[14]) for row in self.rows["report"] if type(row[14]) is str)

    def _odd_id(self, rid: object, kind: str) -> str:
        if type(rid) is not str or not rid:
            raise FhirRefusal("fhir.expected_text", f"{kind}.id")
        self.reading.warn(f"{kind}.id", "fhir.id_too_long")
        return rid

    def _bill(self, resource: Resource) -> None:
        row = money.explanation_of_benefit(self.reading, resource)
        if row is not None:
            if not SCALARS.issuperset(map(type, row)):
                raise TypeError("a value is no scalar")
            self.reading.extra.append(("invoice", row))

    def _add_extra(self) -> None:
        """Add the rows a resource gave besides its own; a role completes the person's row."""
        for name, row in self.reading.extra:
            if name == "practitioner" and (place := self._place_of(row[2])) is not None:
                merged = zip(self.rows[name][place], row, strict=True)
                self.rows[name][place] = tuple(new if old is None else old for old, new in merged)
            else:
                self.rows[name].append(row)
        self.reading.extra.clear()

    def _place_of(self, practitioner: object) -> int | None:
        found = self.rows["practitioner"]
        for place in range(len(self.places), len(found)):
            self.places.setdefault(found[place][2], place)
        return self.places.get(practitioner)

    def _refuse(self, document: Document, resource: Resource, refusal: FhirRefusal, warned: int) -> None:
        at = self.reading
        at.extra.clear()
        # What was doubted about a resource that is not taken is of no use any more.
        del at.warned[warned:]
        path = shortened(document.prefix + (refusal.path or resource["resourceType"]))
        self.refused.append(Refused(at.part, at.line, path, refusal.reason, refusal.values, raw(resource)))
        self.report.refused[resource["resourceType"]] += 1

    def is_full(self) -> bool:
        return (
            self.count >= CHUNK_ROWS
            or self.characters >= CHUNK_CHARACTERS
            or len(self.refused) + len(self.reading.warned) >= CHUNK_ROWS
        )

    def chunks(self, position: int) -> Iterator[RowChunk]:
        """Hand over what is there, kinds in the order in which they refer to each other."""
        refused, self.refused = self.refused, []
        warned, self.reading.warned = self.reading.warned, []
        ready: list[RowChunk] = []
        for kind in KINDS:
            if found := self.rows[kind.name]:
                ready.append(RowChunk(kind, found, position=position))
                self.rows[kind.name] = []
        if not ready and (refused or warned):
            ready.append(RowChunk(OTHER, [], position=position))
        if ready:
            ready[-1].refused = refused
            ready[-1].warned = warned
        self.count = self.characters = 0
        self.places = {}
        yield from ready

    def say_what_is_not_kept(self, name: str) -> None:
        for kind, count in sorted(self.report.not_kept.items()):
            values: dict[str, str | int] = {"type": kind, "count": count}
            self.reading.warned.append(Warned(name, 0, kind, "fhir.not_kept", values))


assert all(name in BY_NAME for name, _picker in PICKERS.values())
