"""The export of an imaginary clinic system: written once as NDJSON, read back by a loader like any other source."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from careloop.demo import history
from careloop.demo.people import Person, make_people
from careloop.integrations.imports.rows import BY_NAME, KINDS, RowChunk

ROWS_PER_CHUNK = 20_000


def write_export(path: Path, *, count: int, seed: int, today: date) -> list[Person]:
    """Make up `count` patients with their histories and write them, kind after kind, a JSON object a line."""
    people = make_people(count, dice=random.Random(seed), today=today)
    charts = [
        history.history_of(person, dice=random.Random(f"{seed}-{person.number}"), today=today) for person in people
    ]
    by_kind: dict[str, list[dict[str, Any]]] = {kind.name: [] for kind in KINDS}
    for identifier, called, sex, specialty in history.PRACTITIONERS:
        by_kind["practitioner"].append(
            {"external_id": identifier, "name": called, "sex": sex, "specialty": specialty, "active": True}
        )
    by_kind["patient"] = [history.patient_row(person) for person in people]
    by_kind["related_person"] = list(history.related_rows(people))
    for chart in charts:
        for name, values in chart.rows:
            by_kind[name].append(values)
    with path.open("w") as file:
        for kind in KINDS:
            for values in by_kind[kind.name]:
                file.write(json.dumps({"kind": kind.name, **values}, ensure_ascii=False) + "\n")
    return people


def read_export(path: Path) -> Iterator[RowChunk]:
    """Yield the export's rows in chunks of one kind."""
    with path.open() as file:
        lines = enumerate(file, start=1)
        waiting: list[tuple[int, dict[str, Any]]] = []
        position = 0
        for number, line in lines:
            values = json.loads(line)
            if waiting and (values["kind"] != waiting[0][1]["kind"] or len(waiting) >= ROWS_PER_CHUNK):
                yield _chunk(path.name, waiting, position)
                waiting = []
            waiting.append((number, values))
            position += len(line.encode())
        if waiting:
            yield _chunk(path.name, waiting, position)


def _chunk(part: str, lines: list[tuple[int, dict[str, Any]]], position: int) -> RowChunk:
    kind = BY_NAME[lines[0][1]["kind"]]
    get: Callable[[dict[str, Any]], tuple[Any, ...]] = lambda values: tuple(values.get(name) for name in kind.names[2:])  # noqa: E731
    return RowChunk(kind, [(part, number, *get(values)) for number, values in lines], position=position)
