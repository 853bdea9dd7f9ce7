"""Merged translations say what they said before, after one look instead of forty."""

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import trans_real

from careloop.kernel import catalogues

LANGUAGES = [code for code, _name in settings.LANGUAGES]


@pytest.fixture
def fresh():
    """Translations as Django loads them, before and after the test."""
    trans_real._translations.clear()
    yield
    trans_real._translations.clear()


def said(code):
    keys = sorted({key for key in trans_real.translation(code)._catalog.keys() if key}, key=str)  # noqa: SIM118 - its own method
    with translation.override(code):
        return {key: trans_real.translation(code)._catalog.get(key) for key in keys}, translation.ngettext(
            "%d day", "%d days", 3
        )


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_sentence_stays_what_it_was(fresh, code):
    before = said(code)
    catalogues.merge()

    assert before[0] or code == "en", "sentences are written in English"
    assert said(code) == before
    assert len(trans_real.translation(code)._catalog._catalogs) <= 2


def test_it_is_worth_it_as_long_as_django_keeps_them_apart(fresh):
    """When this fails Django has been mended, and `catalogues.py` can go."""
    assert len(trans_real.translation("zh-hant")._catalog._catalogs) > 10
