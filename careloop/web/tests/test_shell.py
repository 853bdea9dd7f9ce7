import re

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch

from careloop.accounts.models import Membership
from careloop.accounts.permissions import PERMISSIONS, ROLES
from careloop.audit.models import AuditEvent
from careloop.patients.tests.make import patient
from careloop.web import navigation
from careloop.web.frame import LANGUAGE_NAMES
from careloop.web.search import Found, Provider, search
from careloop.web.templatetags.careloop import initials, share, tint, width

LANGUAGES = [code for code, _ in settings.LANGUAGES]


@pytest.fixture
def every_item_has_an_address(monkeypatch):
    """As if every slice had its screens."""
    monkeypatch.setattr(navigation, "address", lambda name: f"/{name}/")


def request_of(role):
    request = RequestFactory().get("/")
    request.member = Membership(role=role)
    request.resolver_match = None
    return request


def items_of(role):
    request = request_of(role)
    entries = [entry for group in navigation.sections_for(request) for entry in group.entries]
    return [entry.url.strip("/") for entry in entries + navigation.foot_for(request)]


def test_each_role_sees_its_own_navigation(every_item_has_an_address):
    assert items_of("it") == ["today:home", "settings:home", "audit:list"]
    assert "imports:list" in items_of("front_desk")
    assert "audit:list" not in items_of("front_desk")
    assert {"patients:list", "audit:list", "settings:home"} <= set(items_of("owner"))


def test_an_item_whose_slice_has_no_screens_is_not_shown(monkeypatch):
    def nowhere(name):
        raise NoReverseMatch(name)

    monkeypatch.setattr(navigation, "address", nowhere)

    assert items_of("owner") == []


def test_every_permission_in_the_navigation_exists():
    wanted = set()
    for section in [*navigation.SECTIONS, navigation.FOOT]:
        for item in section.items:
            wanted |= {item.permission} if isinstance(item.permission, str) else set(item.permission)

    assert wanted - {""} <= set(PERMISSIONS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", ["owner", "it"])
def test_the_gallery_is_drawn_for_every_member_in_every_language(client_for, role, language):
    answer = client_for(role, language=language).get("/gallery/")
    text = answer.content.decode()

    assert answer.status_code == 200
    assert f'lang="{language.replace("hant", "Hant").replace("hans", "Hans")}"' in text
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*(?:src=|application/json))", text)


def test_a_stranger_is_led_to_the_sign_in_page(db):
    answer = Client().get("/gallery/")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["/gallery/", "/accounts/login/", "/nowhere/", "/theme/0f766e.css"])
def test_every_answer_carries_a_policy_without_exceptions(client_for, path):
    answer = client_for().get(path)

    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]


def test_pages_of_members_are_kept_in_no_cache(client_for):
    assert "no-store" in client_for().get("/gallery/")["Cache-Control"]


def test_a_language_is_chosen_and_remembered(client_for):
    client = client_for(language="en")

    answer = client.post("/language/", {"language": "zh-hans", "next": "/gallery/"})

    assert (answer.status_code, answer["Location"]) == (303, "/gallery/")
    assert client.get("/gallery/")["Content-Language"] == "zh-hans"


def test_an_unknown_language_or_theme_changes_nothing(client_for):
    client = client_for()

    assert not client.post("/language/", {"language": "xx"}).cookies
    assert not client.post("/theme/", {"theme": '"><script>'}).cookies


def test_the_theme_comes_from_the_server_so_that_nothing_flashes(client_for):
    client = client_for()
    assert "data-bs-theme" not in client.get("/gallery/").content.decode()

    client.post("/theme/", {"theme": "dark"})

    assert '<html lang="en" data-bs-theme="dark">' in client.get("/gallery/").content.decode()


def test_every_language_is_offered_in_its_own_words():
    assert set(LANGUAGE_NAMES) == set(LANGUAGES)


def test_without_javascript_a_search_is_a_page_and_with_it_a_fragment(client_for):
    client = client_for()

    page = client.get("/search/?q=x").content.decode()
    fragment = client.get("/search/?q=x", headers={"HX-Request": "true"}).content.decode()

    assert "<html" in page
    assert "<html" not in fragment
    assert fragment.strip() in page


def test_the_search_asks_only_what_the_role_may_see(monkeypatch):
    asked = []
    provider = Provider(
        "Patients", "patients.view", lambda request, text: asked.append(text) or [Found("/x/", "王小明")]
    )
    monkeypatch.setattr("careloop.web.search._providers", [provider])

    assert [answers.label for answers in search(request_of("it"), "王") if answers.label == "Patients"] == []
    assert [one.label for one in search(request_of("nurse"), "王")[0].found] == ["王小明"]
    assert asked == ["王"]


def test_patients_are_found_masked_and_the_search_is_audited_without_what_was_typed(client_for, organization):
    patient_id = patient("王小明", phone="0912345678")

    ask = {"path": "/search/?q=0912345678", "headers": {"HX-Request": "true"}}
    answer = client_for("nurse").get(**ask).content.decode()
    audited = AuditEvent.objects.get(action="patients.searched")

    assert f"/patients/{patient_id}/" in answer
    assert "王小明" in answer
    assert "0912345678" not in answer + str(audited.details)
    assert "王小明" not in client_for("it").get(**ask).content.decode()


def test_a_form_with_a_mistake_is_shown_again_and_keeps_what_was_typed(client_for):
    answer = client_for().post("/gallery/confirm/", {"reason": ""})

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()


def test_a_page_that_is_not_there_says_what_to_do(client_for):
    answer = client_for().get("/nowhere/")

    assert answer.status_code == 404
    assert "Search for it by name or number" in answer.content.decode()


def test_a_refused_fragment_is_one_sentence(client_for):
    answer = client_for().get("/nowhere/", headers={"HX-Request": "true"})

    assert answer.content.decode().strip().startswith("<p data-error>")


def test_an_old_form_is_explained(client_for):
    client = client_for()
    client.handler.enforce_csrf_checks = True

    answer = client.post("/language/", {"language": "en"})

    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()


def test_a_server_error_is_a_page_of_its_own_without_the_database(django_assert_num_queries, db):
    from careloop.web.errors import server_error

    with django_assert_num_queries(0):
        answer = server_error(RequestFactory().get("/"))

    assert answer.status_code == 500
    assert "<h1" in answer.content.decode()


def test_a_missing_permission_is_named(client_for):
    from django.core.exceptions import PermissionDenied

    from careloop.web.errors import permission_denied

    request = request_of("it")
    request.headers = {"HX-Request": "true"}
    answer = permission_denied(request, PermissionDenied("patients.view"))

    assert str(PERMISSIONS["patients.view"]) in answer.content.decode()
    assert str(ROLES["it"].label) in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王小明", "小明"),
        ("王 小明", "小明"),
        ("Mary Ann Smith", "MS"),
        ("Björk", "B"),
        ("<script>", "S"),
        ("👩‍⚕️", "?"),
        (None, "?"),
        ("林", "林"),
    ],
)
def test_initials_stand_for_a_person(name, shown):
    assert initials(name) == shown


def test_shares_and_widths_cope_with_nothing():
    assert (share(0, 0), share(None, 5), share(1, 8)) == ("–", "–", "12.5%")
    assert (width(0, 10), width(1, 10_000), width(20, 10)) == ("0", "0.50", "100.00")
    assert tint("王小明") == tint("王小明") in range(1, 6)
