"""Small sources for tests: resources, Bundles, archives."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from careloop.integrations.fhir.limits import Limits
from careloop.integrations.fhir.loading import Report, rows
from careloop.integrations.imports.rows import BY_NAME, Refused, Warned

TAIPEI = ZoneInfo("Asia/Taipei")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"


def shared(*steps: str) -> Path:
    """Return a shared test file, or skip the test where they are not at hand."""
    path = SHARED.joinpath(*steps)
    if not path.exists():
        pytest.skip(f"the shared test data ({'/'.join(steps)}) is not beside the repository")
    return path


@dataclass
class Loaded:
    """Everything a source gave: rows as dicts by kind, refusals, warnings, counts."""

    report: Report
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def one(self, kind: str) -> dict[str, Any]:
        (row,) = self.rows[kind]
        return row

    def reasons(self) -> list[str]:
        return [found.code for found in self.refused]

    def doubts(self) -> list[str]:
        return [found.code for found in self.warned]


def load(path: Path, limits: Limits | None = None) -> Loaded:
    loaded = Loaded(Report())
    for chunk in rows(path, zone=TAIPEI, now=NOW, limits=limits, report=loaded.report):
        names = chunk.kind.names
        loaded.order.append(chunk.kind.name)
        for row in chunk.rows:
            assert len(row) == len(BY_NAME[chunk.kind.name].columns)
            loaded.rows.setdefault(chunk.kind.name, []).append(dict(zip(names, row, strict=True)))
        loaded.refused += chunk.refused
        loaded.warned += chunk.warned
    return loaded


def load_resources(folder: Path, *resources: Any) -> Loaded:
    """Load resources as entries of one collection."""
    return load(write(folder / "bundle.json", bundle(*resources)))


def write(path: Path, content: Any) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


def bundle(*resources: Any, kind: str = "collection") -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{one.get('id', place)}", "resource": one} for place, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def patient(rid: str = "p1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": rid, "name": [{"text": "王小明"}], "gender": "male", **more}


def of_patient(kind: str, rid: str = "p1", **more: Any) -> dict[str, Any]:
    subject = "patient" if kind in ("AllergyIntolerance", "Immunization", "Claim", "RelatedPerson") else "subject"
    return {"resourceType": kind, "id": f"{kind.lower()}-1", subject: {"reference": f"Patient/{rid}"}, **more}


def coded(code: str, text: str = "something", system: str = "http://snomed.info/sct") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def lines(resources: Iterable[Any]) -> bytes:
    return b"\n".join(orjson.dumps(one) for one in resources) + b"\n"


def packed(content: bytes) -> bytes:
    return gzip.compress(content)
