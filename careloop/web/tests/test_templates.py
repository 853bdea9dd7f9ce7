"""All templates of all slices: words can be translated, nothing is inline, components say what they need."""

import re
from pathlib import Path

import pytest
from django.template import Variable
from django.template.base import FilterExpression, Node
from django.template.loader import get_template

PACKAGE = Path(__file__).resolve().parents[2]
ROOT = PACKAGE.parent
ICONS = {path.stem for path in (ROOT / "assets" / "icons").glob("*.svg")}
COMPONENTS = sorted((PACKAGE / "web" / "templates" / "components").glob("*.html"))

SLICES = sorted(
    {
        str(folder.parent.relative_to(PACKAGE))
        for folder in PACKAGE.glob("**/templates")
        if folder.is_dir() and "tests" not in folder.parts
    }
)
# Names and signs that are the same in every language.
SAME_EVERYWHERE = {
    "CareLoop", "LINE", "SMS", "CSV", "FHIR", "API", "NPS", "Ctrl", "K", "Esc", "HbA1c", "TOTP", "SMTP",
    # programs by their own names, and languages in their own words
    "Google", "Calendar", "Outlook", "iPhone", "iPad", "繁體中文", "简体中文", "繁體中文简体中文", "English",
    "URL", "ID", "JSON", "XLSX", "zip", "tar", "SHA",
}  # fmt: skip

COMMENT = re.compile(r"{%\s*comment.*?endcomment\s*%}|{#.*?#}|<!--.*?-->", re.S)
TRANSLATED = re.compile(r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}", re.S)
DATA = re.compile(r"<(script|svg|kbd|code|pre|title)\b[^>]*>.*?</\1>", re.S)
TAG_OR_VARIABLE = re.compile(r"{%.*?%}|{{.*?}}", re.S)
# An element's tag, with > allowed inside quoted attribute values.
ELEMENT = re.compile(r"</?[a-zA-Z!](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.S)
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*|[\u00c0-\u024f\u3400-\u9fff]+")
SPOKEN = re.compile(r"""\b(?:title|aria-label|placeholder|alt|data-confirm)=(?:"([^"]*)"|'([^']*)')""")


def templates_of(slice_name):
    folder = PACKAGE / slice_name / "templates"
    return {path: COMMENT.sub("", path.read_text()) for path in sorted(folder.glob("**/*.html"))}


def words_left(text):
    return [word for word in WORD.findall(re.sub(r"&#?\w+;", "", text)) if word not in SAME_EVERYWHERE]


@pytest.mark.parametrize("slice_name", SLICES)
def test_every_word_a_person_reads_can_be_translated(slice_name):
    offences = []
    for path, text in templates_of(slice_name).items():
        body = TRANSLATED.sub("", text)
        spoken = [TAG_OR_VARIABLE.sub("", a or b) for a, b in SPOKEN.findall(body)]
        seen = ELEMENT.sub(" ", TAG_OR_VARIABLE.sub("", DATA.sub("", body)))
        offences += [f"{path.relative_to(PACKAGE)}: {words}" for part in (seen, *spoken) if (words := words_left(part))]

    assert offences == []


FORBIDDEN = {
    "style attribute": re.compile(r"<[^>]*\sstyle\s*=", re.S),
    "style element": re.compile(r"<style\b"),
    "event attribute": re.compile(r"<[^>]*\son[a-z]+\s*=", re.S),
    "script without src": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>"),
    "javascript: address": re.compile(r"javascript:", re.I),
    "hx-on or js: value": re.compile(r"hx-on|hx-vals=.?js:|hx-vars", re.I),
    "file from another host": re.compile(r"(?:src|href)=[\"'](?:https?:)?//[^\"']*\.(?:js|css|woff2?|png|svg)"),
    "data: picture": re.compile(r"(?:src|href)=[\"']data:"),
}


@pytest.mark.parametrize("slice_name", SLICES)
def test_nothing_stands_in_a_page_that_the_content_policy_refuses(slice_name):
    offences = [
        f"{path.relative_to(PACKAGE)}: {what}"
        for path, text in templates_of(slice_name).items()
        for what, pattern in FORBIDDEN.items()
        if pattern.search(re.sub(r"{%.*?%}", "", text))
    ]

    assert offences == []


@pytest.mark.parametrize("slice_name", SLICES)
def test_components_are_included_with_only_and_forms_that_post_carry_the_token(slice_name):
    offences = []
    for path, text in templates_of(slice_name).items():
        for include in re.findall(r"{%\s*include\s+\"components/[^%]*%}", text):
            if not re.search(r"\bonly\s*%}$", include) and "gallery_progress" not in path.name:
                offences.append(f"{path.relative_to(PACKAGE)}: {include}")
        for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.S | re.I):
            # a patient's page has no session to forge: the secret in its address is the permission, and mail programs post there
            if "csrf_token" not in form and slice_name not in ("portal", "portal/queue"):
                offences.append(f"{path.relative_to(PACKAGE)}: a form without csrf_token")

    assert offences == []


@pytest.mark.parametrize("slice_name", SLICES)
def test_every_icon_that_is_named_exists(slice_name):
    named = {
        (path.name, name)
        for path, text in templates_of(slice_name).items()
        for name in re.findall(r"{%\s*icon\s+\"([\w-]+)\"|\bicon=\"([\w-]+)\"", text)
        for name in name
        if name
    }

    assert {(file, name) for file, name in named if name not in ICONS} == set()


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_a_component_begins_by_naming_everything_it_takes(path):
    text = path.read_text()
    comment = re.match(r"{% comment %}(.*?){% endcomment %}", text, re.S)
    used = names_used(get_template(f"components/{path.name}").template.nodelist)

    assert comment, "a component starts with a comment that lists its inputs"
    assert {name for name in used if not re.search(rf"\b{name}\b", comment.group(1))} == set()


def test_the_gallery_shows_every_component():
    shown = (PACKAGE / "web" / "templates" / "web" / "gallery.html").read_text() + (
        PACKAGE / "web" / "templates" / "web" / "_gallery_confirm.html"
    ).read_text()
    # drawn by Django or by another component that the gallery shows
    indirectly = {"field", "form", "messages", "toast", "action", "back"}

    assert {path.stem for path in COMPONENTS if f"components/{path.name}" not in shown} <= indirectly


def names_used(nodes):
    """Names a template takes from its context, without those it makes itself."""
    taken, made = set(), {"forloop", "True", "False", "None", "csrf_token"}

    def visit(thing):
        if isinstance(thing, FilterExpression):
            visit(thing.var)
            for _function, arguments in thing.filters:
                for lookup, value in arguments:
                    if lookup:
                        visit(value)
        elif isinstance(thing, Variable):
            if thing.lookups:
                taken.add(thing.lookups[0])
        elif isinstance(thing, Node):
            for name in ("asvar", "target_var"):
                if getattr(thing, name, None):
                    made.add(getattr(thing, name))
            made.update(getattr(thing, "loopvars", ()))
            parts = {k: v for k, v in vars(thing).items() if k not in ("origin", "token", "asvar", "loopvars")}
            extra = parts.get("extra_context")
            if extra and thing.__class__.__name__ != "IncludeNode":
                made.update(extra)
            for part in parts.values():
                visit(part)
        elif isinstance(thing, dict):
            for value in thing.values():
                visit(value)
        elif isinstance(thing, list | tuple):
            for one in thing:
                visit(one)
        elif hasattr(thing, "value") and hasattr(thing, "first"):  # an operator or operand of {% if %}
            for part in (thing.value, thing.first, thing.second):
                if part is not None and part is not thing:
                    visit(part)

    visit(list(nodes))
    return taken - made
