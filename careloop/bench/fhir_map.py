"""FHIR: parse and map resources to canonical rows, beside bare orjson on the same bytes."""

import argparse
import gc
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

NAME = "fhir"
GOAL = 50_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patients", type=int, default=400, help="how many Bundles to make, one a patient")
    parser.add_argument("--visits", type=int, default=12, help="how many visits each patient has")
    parser.add_argument("--path", type=Path, help="measure a real source (file, folder, archive) instead")


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure; the limit is orjson alone, and orjson with five fields picked from every resource."""
    if options.path:
        return _source(options.path, say)
    from careloop.integrations.fhir.samples import bundle

    documents = [bytearray(orjson.dumps(bundle(number, options.visits))) for number in range(options.patients)]
    count = sum(len(orjson.loads(document)["entry"]) for document in documents)
    size = sum(map(len, documents))
    say(f"{count} resources in {len(documents)} Bundles, {size / count:.0f} bytes each")
    parse_only = _best(lambda: _parse(documents))
    picked = _best(lambda: _pick(documents))
    mapped = _best(lambda: _map(documents))
    return {
        "bench": NAME,
        "size": {"resources": count, "bundles": len(documents), "bytes": size},
        "figures": {
            "parse_and_map_per_second": round(count / mapped),
            "goal_per_second": GOAL,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        "limits": {
            "orjson_per_second": round(count / parse_only),
            "orjson_and_five_fields_per_second": round(count / picked),
        },
        "ratios": {
            "map_to_five_fields": round(picked / mapped, 3),
            "map_to_orjson": round(parse_only / mapped, 3),
        },
    }


def _source(path: Path, say: Callable[[str], None]) -> dict[str, Any]:
    from careloop.integrations.fhir.loading import Report, rows

    report = Report()
    began = time.perf_counter()
    made = 0
    for chunk in rows(path, zone=ZoneInfo("Asia/Taipei"), now=datetime.now(UTC), report=report):
        made += len(chunk.rows)
        say(f"{made} rows")
    took = time.perf_counter() - began
    count = report.read.total()
    return {
        "bench": NAME,
        "size": {"resources": count, "rows": made},
        "figures": {
            "read_and_map_per_second": round(count / took),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        "limits": {},
        "ratios": {},
    }


def _best(work: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the quickest of a few runs, without the cycle collector in between."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(times):
            began = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - began)
    finally:
        gc.enable()
    return best


def _parse(documents: list[bytearray]) -> None:
    for document in documents:
        orjson.loads(document)


def _pick(documents: list[bytearray]) -> list[tuple[Any, ...]]:
    found = []
    for document in documents:
        for entry in orjson.loads(document)["entry"]:
            one = entry["resource"]
            found.append((one["resourceType"], one["id"], one.get("status"), one.get("code"), one.get("subject")))
    return found


def _map(documents: list[bytearray]) -> int:
    from careloop.integrations.fhir.documents import parse
    from careloop.integrations.fhir.limits import Limits
    from careloop.integrations.fhir.loading import Mapper, Report

    limits = Limits()
    mapper = Mapper(zone=ZoneInfo("Asia/Taipei"), now=datetime.now(UTC), report=Report())
    for document in documents:
        mapper.take(parse(document, "bench.json", limits))
        if mapper.is_full():
            list(mapper.chunks(0))
    return mapper.report.read.total()
