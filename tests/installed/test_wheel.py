"""The wheel is how a clinic's PC gets CareLoop: built, installed into an empty virtual environment (what it does there: `test_up.py`)."""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "careloop"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def inside(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(*suffixes: str) -> set[str]:
    """Files of the package under version control, with these endings, tests left out."""
    listed = subprocess.run(
        ["git", "ls-files", "careloop"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    if not listed:
        pytest.skip("this is no git checkout")
    names = (name for name in listed.splitlines() if name.endswith(suffixes) and (ROOT / name).exists())
    return {name for name in names if "/tests/" not in name}


def test_everything_the_program_reads_is_in_the_wheel(inside):
    wanted = tracked(".py", ".html", ".txt", ".xml", ".svg", ".toml", ".json", ".csv", ".sql", ".md")

    assert wanted
    assert wanted - inside == set()


def test_translations_are_compiled_in_the_wheel(inside):
    wanted = {name.removesuffix(".po") + ".mo" for name in tracked(".po")}

    assert wanted
    assert wanted - inside == set()


def test_style_sheets_and_scripts_are_in_the_wheel(inside):
    built = [name for name in inside if name.startswith("careloop/web/static/build/")]

    assert any(name.endswith(".css") for name in built)
    assert any(name.endswith(".js") for name in built)


def test_no_tests_are_in_the_wheel(inside):
    assert [
        name for name in inside if "/tests/" in name or name.startswith("tests/") or name.endswith("conftest.py")
    ] == []


def test_the_wheel_says_what_it_needs_and_brings_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        information = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(information).decode()
        commands = archive.read(information.replace("METADATA", "entry_points.txt")).decode()

    assert "Requires-Python: >=3.11" in metadata
    assert re.search(r"^Requires-Dist: django", metadata, re.MULTILINE)
    assert "careloop = careloop.cli.main:main" in commands
