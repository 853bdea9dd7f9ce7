"""Every picture that is asked for exists: one that does not leaves an empty square and no complaint."""

import re
from pathlib import Path

from careloop.events.registry import KINDS

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {path.stem for path in (ROOT / "assets" / "icons").glob("*.svg")}
ASKED = re.compile(
    r"""\{%\s*icon\s+["']([a-z0-9-]+)["']|\bicon=["']([a-z0-9-]+)["']|["']icon["']:\s*["']([a-z0-9-]+)["']"""
)


def test_every_picture_named_in_a_page_is_in_the_sprite():
    asked: dict[str, str] = {}
    for path in (ROOT / "careloop").rglob("*"):
        if path.suffix in {".py", ".html"} and "tests" not in path.parts:
            for found in ASKED.finditer(path.read_text("utf-8")):
                asked.setdefault(next(filter(None, found.groups())), str(path.relative_to(ROOT)))

    assert len(asked) > 60
    assert {name: where for name, where in asked.items() if name not in KNOWN} == {}


def test_every_fact_on_the_timeline_has_its_picture():
    assert {kind.name: kind.icon for kind in KINDS.values() if kind.icon not in KNOWN} == {}
