"""Pages that the program writes are as the program is, and what they show works."""

import json
import re
import shlex
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from django.test import Client

from careloop.api import services
from careloop.api.scopes import SCOPES
from careloop.config.environment import Environment
from careloop.segments import language

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current():
    """In a process of its own: other tests declare events and fields that are none of the program's."""
    checked = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, f"run: python scripts/reference.py\n{checked.stdout}{checked.stderr}"


def test_the_sample_names_every_setting_with_its_default():
    sample = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / "careloop.env.sample").read_text(), re.MULTILINE))

    wanted = {
        str(field.validation_alias or f"CARELOOP_{name.upper()}") for name, field in Environment.model_fields.items()
    }
    assert set(sample) == wanted
    assert sample["CARELOOP_PORT"] == "8400"


def test_the_sample_is_read_as_settings(tmp_path, monkeypatch):
    """With every # taken away the file gives the defaults again."""
    for name in [*(f"CARELOOP_{field.upper()}" for field in Environment.model_fields), "DATABASE_URL"]:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "careloop.env"
    lines = (ROOT / "careloop.env.sample").read_text().splitlines()
    file.write_text("\n".join(re.sub(r"^#(?=[A-Z_]+=)", "", line) for line in lines if "CARELOOP_HOME" not in line))

    assert Environment(_env_file=file) == Environment(_env_file=None)


def test_the_examples_of_the_api_work(organization, now, reference):
    _token, secret = services.create_token(name="docs", scopes=list(SCOPES), by=None, now=now)

    for example in reference.EXAMPLES:
        answer = run_curl(example["curl"], secret)

        assert answer.status_code in (200, 201), (example["words"], answer.content)


def run_curl(line: str, token: str):
    """Send what a curl line would send, through the test client."""
    words = shlex.split(line.replace("$TOKEN", token).replace("$BASE", "http://testserver"))[1:]
    method, headers, body, address = "GET", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _colon, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        else:
            address = word.removeprefix("http://testserver")
    kind = headers.pop("Content-Type", "application/json")
    return Client(headers=headers).generic(method, address, body or "", content_type=kind)


def test_the_example_rule_can_be_read(organization):
    page = (ROOT / "docs" / "reference" / "segment-rules.md").read_text()

    language.read(json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1]))


def test_the_example_mapping_can_be_read():
    from careloop.integrations.tabular.mapping import from_json

    page = (ROOT / "docs" / "reference" / "import-fields.md").read_text()

    assert from_json(json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])).columns["name"] == ["姓", "名"]


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = [
        target
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert broken == []


def test_commands_shown_in_the_pages_exist(reference):
    from careloop.cli.main import parser

    known = {" ".join(words[1:]) for words, _grammar, _help in reference._commands(parser(), ("careloop",))}
    shown = set()
    for page in pages():
        if page.parent.name != "adr":
            for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(), re.DOTALL):
                shown |= {line.strip() for line in block.splitlines() if line.strip().startswith("careloop ")}

    strange = [line for line in shown if not any(line.removeprefix("careloop ").startswith(name) for name in known)]
    assert strange == []
