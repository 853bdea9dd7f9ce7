"""API tokens in the browser: made once, shown once, ended at once, and nobody else's business."""

import pytest
from django.test import Client
from django.urls import reverse

from careloop.api import services
from careloop.api.models import ApiToken
from careloop.audit.models import AuditEvent
from careloop.tenancy.context import run_before_commit
from careloop.web.screens.tokens.tests.support import inside

LIST, NEW = "/settings/tokens/", "/settings/tokens/new/"


def make(client, **changed):
    fields = {"name": "Booking system", "scopes": ["patients:read"], "lifetime": "90"} | changed
    return client.post(NEW, fields)


def secret_on(response) -> str:
    return response.context["secret"]


def test_the_list_is_where_the_settings_page_says():
    assert reverse("tokens:list") == LIST


def test_an_empty_list_offers_the_first_step(client_for):
    page = client_for("owner").get(LIST).content.decode()

    assert "No token yet" in page
    assert NEW in page


def test_a_token_is_shown_once_and_works(client_for):
    client = client_for("it")

    made = make(client)

    secret = secret_on(made)
    assert secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert secret not in client.get(LIST).content.decode()
    assert Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/patients").status_code == 200


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        (["patients:read"], "patients"), (["patients:write", "appointments:read"], "appointments"), (["events:read"], "events"),
        (["segments:read"], "segments"), (["messages:read"], "messages"), (["messages:write"], ""),
    ],
)  # fmt: skip
def test_what_is_shown_to_try_is_something_the_token_may(client_for, scopes, shown):
    made = make(client_for("it"), scopes=scopes)

    page = made.content.decode()
    assert ("curl" in page) == bool(shown)
    if shown:
        assert f"/api/v1/{shown}</code>" in page
        client = Client(headers={"authorization": f"Bearer {secret_on(made)}"})
        assert client.get(f"/api/v1/{shown}").status_code == 200


def test_a_new_token_ends_after_ninety_days_unless_somebody_says_otherwise(client_for):
    page = client_for("owner").get(NEW).content.decode()

    assert '<option value="90" selected>' in page


def test_the_list_names_the_maker_the_scopes_and_the_end(client_for, now):
    client = client_for("owner")
    make(client, scopes=["patients:read", "messages:write"])

    page = client.get(LIST).content.decode()

    assert "Booking system" in page
    assert "Plan messages" in page
    assert client.user.name in page
    assert "never" in page


@pytest.mark.parametrize(("lifetime", "ends"), [("", False), ("30", True)])
def test_a_token_ends_when_it_was_said(client_for, lifetime, ends):
    make(client_for("owner"), lifetime=lifetime)

    assert (ApiToken.objects.get().expires_at is not None) is ends


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["everything"]}, {"lifetime": "9999"}])
def test_a_wrong_form_is_shown_again_and_makes_nothing(client_for, wrong):
    answer = make(client_for("owner"), **wrong)

    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_double_click_makes_one_token(client_for):
    client = client_for("owner")
    make(client)

    again = make(client)

    assert again.status_code == 422
    assert "exists already" in again.content.decode()
    assert ApiToken.objects.count() == 1


def test_revoking_asks_first_and_ends_the_token_at_once(client_for):
    client = client_for("owner")
    secret = secret_on(make(client))
    address = reverse("tokens:revoke", args=[ApiToken.objects.get().pk])

    asked = client.get(address)
    assert "Revoke “Booking system”?" in asked.content.decode()
    assert ApiToken.objects.get().revoked_at is None

    done = client.post(address)
    assert done.status_code == 303
    assert Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/patients").status_code == 401
    page = client.get(LIST).content.decode()
    assert "No longer valid" in page
    run_before_commit()
    assert AuditEvent.objects.filter(action="api_token.revoked").count() == 1


def test_the_dialog_gets_only_the_question(client_for):
    client = client_for("owner")
    make(client)
    address = reverse("tokens:revoke", args=[ApiToken.objects.get().pk])

    fragment = client.get(address, headers={"hx-request": "true"}).content.decode()

    assert "<html" not in fragment
    assert 'id="confirm"' in fragment


@pytest.mark.parametrize("role", ["physician", "nurse", "front_desk", "marketing", "privacy_officer"])
def test_other_roles_are_refused(client_for, role):
    client = client_for(role)

    assert client.get(LIST).status_code == 403
    assert make(client).status_code == 403
    assert not ApiToken.objects.exists()


def test_a_visitor_is_sent_to_sign_in(organization):
    assert Client().get(LIST).status_code == 302


def test_another_clinics_token_is_not_there(client_for, other_organization, now):
    with inside(other_organization):
        theirs, _secret = services.create_token(name="theirs", scopes=["patients:read"], by=None, now=now)
    client = client_for("owner")

    assert "theirs" not in client.get(LIST).content.decode()
    assert client.get(reverse("tokens:revoke", args=[theirs.pk])).status_code == 404
    assert client.post(reverse("tokens:revoke", args=[theirs.pk])).status_code == 404
    with inside(other_organization):
        assert ApiToken.objects.get(pk=theirs.pk).revoked_at is None


def test_hostile_names_are_text(client_for):
    client = client_for("owner")
    make(client, name="<script>alert(1)</script>")

    page = client.get(LIST).content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize(("language", "word"), [("zh-hant", "API 權杖"), ("zh-hans", "API 令牌"), ("en", "API tokens")])
def test_the_page_speaks_three_languages(client_for, language, word):
    assert word in client_for("owner", language=language).get(LIST).content.decode()
