"""Rules of the house that no single slice can keep alone: words, floors, migrations, names of actions, logs."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "careloop"
WRITERS = {"record", "note", "note_for_user"}
# actions whose names are put together: file → the names it can give
COMPOSED = {
    "records/services.py": {
        "encounter", "condition", "allergy", "medication", "observation", "procedure", "immunization", "report", "careplan",
        "invoice", "otherrecord",
    },
}  # fmt: skip


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "tests" not in path.parts and "migrations" not in path.parts:
            yield path, ast.parse(path.read_text())


def names_in(node: ast.expr) -> Iterator[str]:
    """The texts an expression can be: a literal, or a choice between literals."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from names_in(node.body)
        yield from names_in(node.orelse)


def recorded_actions() -> Iterator[tuple[str, str]]:
    """Every action that the code records, with its place."""
    for path, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in WRITERS:
                for name in names_in(node.args[0]):
                    yield name, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_action_in_the_audit_chain_has_words():
    from careloop.audit.actions import ACTIONS

    without = [f"{name} ({place})" for name, place in recorded_actions() if name not in ACTIONS]
    composed = [
        f"{kind}.recorded" for kinds in COMPOSED.values() for kind in kinds if f"{kind}.recorded" not in ACTIONS
    ]

    assert without + composed == [], "give them words in careloop/audit/actions.py"


def test_actions_are_named_kind_dot_past_tense():
    import re

    found = {name for name, _place in recorded_actions()}

    assert len(found) > 40
    assert [name for name in found if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []


def test_translations_are_complete():
    done = subprocess.run(
        [sys.executable, "scripts/check_messages.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="gettext is not installed on this machine")
def test_every_marked_string_is_in_the_catalogues(tmp_path):
    """Collects the strings anew, in a copy, and compares with what is committed."""
    import polib

    copy = tmp_path / "careloop"
    shutil.copytree(
        PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.mo", "build", "collected", "tests"),
    )  # fmt: skip
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "collect_messages.py", tmp_path / "scripts")
    subprocess.run(
        [sys.executable, "scripts/collect_messages.py", "zh_Hant"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=280,
    )

    missing = []
    for fresh in copy.rglob("zh_Hant/LC_MESSAGES/django.po"):
        for language in ("zh_Hant", "zh_Hans"):
            kept = PACKAGE / fresh.relative_to(copy).parent.parent.parent / language / "LC_MESSAGES" / "django.po"
            known = {(one.msgctxt, one.msgid) for one in polib.pofile(str(kept)) if not one.obsolete}
            missing += [
                f"{kept.relative_to(PACKAGE)}: {one.msgid}" for one in polib.pofile(str(fresh))
                if not one.obsolete and (one.msgctxt, one.msgid) not in known
            ]  # fmt: skip

    assert missing == []


def test_every_slice_with_words_has_catalogues():
    """A marked string outside every catalogue would never be translated."""
    homeless = []
    for path, tree in sources():
        marks = any(
            isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
            and {alias.name for alias in node.names} & {"gettext", "gettext_lazy", "ngettext", "pgettext_lazy", "pgettext", "ngettext_lazy"}
            for node in ast.walk(tree)
        )  # fmt: skip
        if marks and not any(
            (parent / "locale").is_dir() for parent in path.parents if PACKAGE in (parent, *parent.parents)
        ):
            homeless.append(str(path.relative_to(ROOT)))

    assert homeless == []


def test_imports_go_down_only():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert done.returncode == 0, done.stdout[-4000:]


def test_no_model_waits_for_a_migration(db):
    from io import StringIO

    from django.core.management import call_command

    said = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=said, stderr=said)
    except SystemExit:
        pytest.fail(said.getvalue())


def test_pages_hold_no_script_and_no_style_of_their_own():
    """The content policy refuses them, so they would not work."""
    import re

    bad = re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")|<style|\sstyle=|\son[a-z]+=\"", re.IGNORECASE
    )
    found = [
        str(path.relative_to(ROOT)) for path in PACKAGE.rglob("templates/**/*.html") if bad.search(path.read_text())
    ]

    assert found == []


def test_no_screen_writes_the_limit_to_locations_in_its_own_words():
    """`accounts.scope.at_home` is the rule; a copy of it would miss what the rule learns."""
    # these two put values in by place and not by name, and ask the same limit
    by_place = {"careloop/web/screens/patients/list_query.py", "careloop/web/screens/segments/members.py"}
    copies = {
        str(path.relative_to(ROOT))
        for path, _tree in sources()
        if "screens" in path.parts and "home_location_id = any(" in path.read_text()
    }

    assert copies - by_place == set()
