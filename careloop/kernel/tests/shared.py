"""The public test data beside the repository; tests that need it say why they are skipped without it."""

import csv
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def shared_file(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the shared test data ({name}) is not beside this checkout")
    return path


def shared_rows(name: str) -> list[dict[str, str]]:
    with shared_file(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
