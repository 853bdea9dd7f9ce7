"""Addresses made fast are the addresses Django makes."""

from uuid import uuid4

import pytest
from django.template import Context, Template
from django.urls import NoReverseMatch, get_resolver, reverse, set_script_prefix
from django.urls.converters import UUIDConverter

from careloop.web.addresses import MARKS, address


def with_ids_only():
    """Name and number of ids of every address that has nothing else in it."""

    def walk(resolver, prefix, converters):
        for one in resolver.url_patterns:
            own = {**converters, **one.pattern.converters}
            if hasattr(one, "url_patterns"):
                yield from walk(one, f"{prefix}{one.namespace}:" if one.namespace else prefix, own)
            elif one.name and all(isinstance(kind, UUIDConverter) for kind in own.values()):
                yield prefix + one.name, len(own)

    return sorted(set(walk(get_resolver(), "", {})))


def test_every_address_with_ids_is_the_one_django_makes():
    checked = 0
    for name, ids in with_ids_only():
        given = [uuid4() for _ in range(ids)]
        try:
            expected = reverse(name, args=given)
        except NoReverseMatch:
            continue
        assert address(name, *given) == expected, name
        checked += ids > 0
    assert checked > 30


def test_ids_that_look_like_the_marks_are_kept():
    assert address("patients:page", MARKS[1]) == f"/patients/{MARKS[1]}/"


def test_an_address_nobody_has_is_told():
    with pytest.raises(NoReverseMatch):
        address("patients:nowhere", uuid4())


def test_the_prefix_of_an_installation_under_a_folder_counts():
    one = uuid4()
    assert address("patients:page", one) == f"/patients/{one}/"
    set_script_prefix("/careloop/")
    try:
        assert address("patients:page", one) == f"/careloop/patients/{one}/"
    finally:
        set_script_prefix("/")


def test_the_tag_does_what_djangos_does():
    one, context = uuid4(), Context({"one": None, "text": "visits"})
    context["one"] = one

    assert Template("{% url 'patients:page' one %}").render(context) == f"/patients/{one}/"
    assert Template("{% url 'patients:tab' one text %}").render(context) == f"/patients/{one}/visits/"
    assert Template("{% url 'patients:page' one as there %}[{{ there }}]").render(context) == f"[/patients/{one}/]"
    assert Template("{% url 'no:where' one as there %}[{{ there }}]").render(context) == "[]"
    with pytest.raises(NoReverseMatch):
        Template("{% url 'no:where' one %}").render(context)
