"""The frame around every page, drawn once: the bar on top and the navigation change with the person, not with the page.

They are a third of the work of a page. What differs from page to page (the token against forged forms, where to go on after the
language was changed) is put in at places marked for it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from careloop.accounts.selectors import Workplace
from careloop.web.navigation import Entry, EntryGroup

# letters only: they stand in attributes and must come through escaping unchanged
TOKEN_MARK, NEXT_MARK = f"token{secrets.token_hex(8)}", f"next{secrets.token_hex(8)}"
# Each language is offered in its own words, so that its speakers find it.
LANGUAGE_NAMES = {"zh-hant": "繁體中文", "zh-hans": "简体中文", "en": "English"}
LANGUAGE_TAGS = {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans", "en": "en"}


@dataclass(frozen=True)
class Signed:
    """Who looks at the page, as the bar on top shows it."""

    organization: str
    name: str
    email: str
    role: str
    workplaces: tuple[Workplace, ...]
    theme: str


def head(request: HttpRequest, signed: Signed) -> SafeString:
    """The bar on top: brand, search, language, theme and the person's own menu."""
    text = _head(signed, get_language() or "", get_script_prefix())
    filled = text.replace(TOKEN_MARK, get_token(request)).replace(NEXT_MARK, escape(request.get_full_path()))
    return mark_safe(filled)  # noqa: S308 - a template's own output, the address escaped


def navigation(groups: Sequence[EntryGroup], foot: Sequence[Entry]) -> SafeString:
    """The navigation on the left."""
    return _navigation(
        tuple((str(group.label), tuple(map(_plain, group.entries))) for group in groups), tuple(map(_plain, foot)),
        get_language() or "",
    )  # fmt: skip


def words() -> SafeString:
    """What scripts say, in the reader's language."""
    return _words(get_language() or "")


@lru_cache(maxsize=16)
def _words(_language: str) -> SafeString:
    return render_to_string("web/_words.html")


@lru_cache(maxsize=64)
def accent_url(colour: str, _prefix: str) -> str:
    """The address of the style sheet with a clinic's colour."""
    return reverse("web:accent", args=[colour])


Plain = tuple[str, str, str, bool, int]


def _plain(entry: Entry) -> Plain:
    return str(entry.label), entry.url, entry.icon, entry.is_current, entry.count


def languages_offered() -> list[dict[str, object]]:
    """The languages to choose from, the current one marked."""
    current = get_language()
    return [
        {"code": code, "name": LANGUAGE_NAMES.get(code, code), "tag": LANGUAGE_TAGS.get(code, code), "is_current": code == current}
        for code, _ in settings.LANGUAGES
    ]  # fmt: skip


@lru_cache(maxsize=512)
def _head(signed: Signed, _language: str, _prefix: str) -> str:
    return render_to_string(
        "web/_head.html",
        {"signed": signed, "languages": languages_offered(), "csrf_token": TOKEN_MARK, "next": NEXT_MARK},
    )


@lru_cache(maxsize=1024)
def _navigation(
    groups: tuple[tuple[str, tuple[Plain, ...]], ...], foot: tuple[Plain, ...], _language: str
) -> SafeString:
    return render_to_string(
        "web/_nav.html",
        {
            "sections": [EntryGroup(label, [Entry(*one) for one in entries]) for label, entries in groups],
            "foot": [Entry(*one) for one in foot],
        },
    )
