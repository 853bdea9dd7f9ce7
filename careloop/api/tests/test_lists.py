"""Lists by pages: everything once, nothing left out, whatever happens between two pages."""

import pytest

from careloop.api import services, v1
from careloop.api.scopes import SCOPES
from careloop.api.tests.test_api import Api
from careloop.tenancy.context import in_organization


@pytest.fixture
def program(committed_organization, now):
    """A program with a token; what it does is committed, because the log shows nothing else."""
    with in_organization(committed_organization.id):
        _token, secret = services.create_token(name="program", scopes=list(SCOPES), by=None, now=now)
    return Api(secret)


def all_pages(program: Api, path: str, **params):
    """Return every item of a list, the number of pages, and the last page."""
    items, pages, cursor = [], 0, ""
    while pages == 0 or cursor:
        page = program.get(path, **(params | ({"cursor": cursor} if cursor else {}))).json()
        items += page["items"]
        pages, cursor = pages + 1, page["next"]
        assert pages < 50
    return items, pages, page


def register(program: Api, *names: str) -> list[str]:
    return [program.post("/patients", {"name": name}).json()["id"] for name in names]


def registered(items) -> list[str]:
    return [one["patient_id"] for one in items if one["kind"] == "patient.registered"]


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_the_log_is_followed_with_what_its_last_page_says(program, limit):
    first = register(program, "王小美", "陳大文", "林阿福")
    items, _pages, last_page = all_pages(program, "/events", limit=limit)
    assert registered(items) == first

    nothing_new = program.get("/events", cursor=last_page["last"]).json()
    assert (nothing_new["items"], nothing_new["next"]) == ([], None)

    later = register(program, "張後來")
    items, _pages, _page = all_pages(program, "/events", cursor=nothing_new["last"])
    assert registered(items) == later


def test_a_rare_kind_is_looked_for_in_parts_of_the_log(program, monkeypatch):
    monkeypatch.setattr(v1, "LOOKED_AT", 2)
    patients = register(program, *(f"人{number}" for number in range(4)))
    changed = program.patch(f"/patients/{patients[2]}", {"version": 1, "name": "改名"}).json()
    assert changed["version"] == 2
    register(program, "後來一", "後來二", "後來三")

    items, pages, last_page = all_pages(program, "/events", kind="patient.updated")

    assert [one["patient_id"] for one in items] == [patients[2]]
    assert pages > 3
    # the end of the log was looked at, so the next question begins there
    assert program.get("/events", cursor=last_page["last"]).json()["items"] == []


def test_a_kind_that_nobody_published_is_an_empty_list_to_be_asked_again_from_its_end(program):
    register(program, "王小美")
    page = program.get("/events", kind="no.such").json()

    assert (page["items"], page["next"]) == ([], None)
    assert program.get("/events", cursor=page["last"]).json()["items"] == []


def test_patients_come_in_the_order_of_their_last_change(program):
    first, second, third = register(program, "甲", "乙", "丙")
    page = program.get("/patients", limit=1).json()
    assert [one["id"] for one in page["items"]] == [first]

    # changed between two pages: it comes again, and nobody is left out
    program.patch(f"/patients/{first}", {"version": 1, "name": "甲甲"})
    items, _pages, _page = all_pages(program, "/patients", limit=1, cursor=page["next"])

    assert [one["id"] for one in items] == [second, third, first]
