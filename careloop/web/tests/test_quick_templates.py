"""The quick way writes the same as Django's own, whatever the values are."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.template import Context, Engine
from django.test import override_settings
from django.utils import translation
from django.utils.safestring import mark_safe

from careloop.web import quick_templates

BUILTINS = ["django.templatetags.i18n", "django.templatetags.static", "careloop.web.templatetags.careloop"]
FILES = {
    "part.html": "<i>{{ name }}{{ given }}</i>",
    "base.html": "<p>{% block body %}{% icon 'x' %}{% endblock %}</p>",
    "child.html": "{% extends 'base.html' %}{% block body %}{{ block.super }}{{ name }}{% endblock %}",
}
SOURCES = [
    "{{ name }}|{{ safe }}|{{ number }}|{{ amount }}|{{ day }}|{{ at }}|{{ nothing }}|{{ unknown }}|{{ truth }}",
    "{{ row.name }}|{{ row.missing }}|{{ row.items }}|{{ row.0 }}|{{ row.deep.name }}|{{ row.deep.none.more }}",
    "{{ thing.name }}|{{ thing.missing }}|{{ thing.method }}|{{ thing.raises.more }}|{{ call }}|{{ call.name }}|{{ kind.name }}",
    "{{ many.1 }}|{{ many.9 }}|{{ many.first }}|{{ name.upper }}|{{ name.0 }}",
    "{{ name|upper }}|{{ unknown|default:name }}|{{ row.name|default:'x' }}|{{ row.missing|default_if_none:'y' }}",
    "{% if name and not unknown %}a{% elif row.missing %}b{% endif %}{% if row.name == name %}c{% endif %}{% if row.x.y %}d{% endif %}",
    "{% if number > 3 and row.deep.name in many %}a{% else %}b{% endif %}{% if unknown|default:'' == '' %}c{% endif %}",
    "{% for one in many %}{{ forloop.counter }}{{ one }}{% if not forloop.last %},{% endif %}{% empty %}-{% endfor %}",
    "{% for one in unknown %}x{% empty %}nobody{% endfor %}{% for key, value in row.items %}{{ key }}{{ value }}{% endfor %}",
    "{% with other=row.deep %}{{ other.name }}{{ name }}{% endwith %}{{ other }}",
    "{% include 'part.html' with given=row.name only %}{% include 'part.html' with given=number %}{% include which %}",
    "{% translate 'Patients' %}|{% translate 'Patients' as label %}{{ label }}|{% translate name %}|{% translate 'May' context 'x' %}|{{ _('Patients') }}",
    "{% translate '100% <b>' %}|{% blocktranslate %}Patients{% endblocktranslate %}",
    "{% icon 'x' %}{% icon 'x' 'css' %}{% icon 'x' css='a' %}{% icon name %}{% icon 'x' as kept %}{{ kept }}",
    "{% static 'a.css' %}{% static name %}{% static 'a&b.css' %}{% static 'a.css' as kept %}{{ kept }}",
    "{% autoescape off %}{{ name }}{{ row.name }}{{ number }}{% translate 'Patients' %}{% endautoescape %}",
    "{% cycle 'a' 'b' %}{% firstof unknown name %}{% widthratio number 10 100 %}{% spaceless %} <b> {{ name }}</b> {% endspaceless %}",
    "{% extends 'child.html' %}{% block body %}{{ block.super }}!{{ row.name }}{% endblock %}",
]  # fmt: skip


class Thing:
    name = "<thing>"

    def method(self) -> str:
        return "<called>"

    @property
    def raises(self) -> str:
        raise KeyError("silent?")

    def __str__(self) -> str:
        return "<a thing>"


def values() -> dict[str, object]:
    return {
        "name": "<王&'\"", "safe": mark_safe("<b>"), "number": 12345, "amount": Decimal("1.50"), "day": date(2026, 3, 5),
        "at": datetime(2026, 3, 5, 8, tzinfo=UTC), "nothing": None, "truth": True, "which": "part.html", "kind": Thing,
        "row": {"name": "<row>", "deep": {"name": "b", "none": None}, "x": 5}, "many": ["a", "b<"], "call": lambda: {"name": "<c>"},
        "thing": SimpleNamespace(name="<t>", method=lambda: "<m>"), "given": "outside",
    }  # fmt: skip


def drawn(source: str, loader: str, given: dict[str, object]) -> str:
    files = {**FILES, "page.html": source}
    engine = Engine(loaders=[(loader, [("django.template.loaders.locmem.Loader", files)])], builtins=BUILTINS)
    template = engine.get_template("page.html")
    first = template.render(Context(dict(given)))
    assert template.render(Context(dict(given))) == first, "the second time as the first"
    return first


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("language", ["en", "zh-hant"])
def test_a_quick_template_writes_what_django_writes(source, language):
    with translation.override(language), override_settings(STATIC_URL="/static/"):
        plain = drawn(source, "django.template.loaders.cached.Loader", values())
        quick = drawn(source, "careloop.web.quick_templates.Loader", values())

    assert quick == plain


def test_an_error_in_a_property_is_an_error_in_both():
    for loader in ("django.template.loaders.cached.Loader", "careloop.web.quick_templates.Loader"):
        with pytest.raises(KeyError):
            drawn("{{ thing.raises.more }}", loader, {"thing": Thing()})


def test_one_page_speaks_the_language_of_its_reader():
    engine = Engine(
        loaders=[("careloop.web.quick_templates.Loader", [("django.template.loaders.locmem.Loader", {"x": "{% translate 'Patients' %}"})])],
        builtins=BUILTINS,
    )  # fmt: skip
    said = []
    for language in ("en", "zh-hant", "en"):
        with translation.override(language):
            said.append(engine.get_template("x").render(Context()))

    assert said[0] == said[2] == "Patients"
    assert said[1] != said[0]
    assert engine.get_template("x") is engine.get_template("x")
    assert isinstance(engine.get_template("x").nodelist[0], quick_templates.QuickTranslateNode)
