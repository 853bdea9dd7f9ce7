"""Who asks is read anew at every request, in one statement, whoever it was before."""

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.test.utils import CaptureQueriesContext

from careloop.accounts.models import User
from careloop.accounts.recognizing import SessionStore

PAGE = "/patients/"


def test_session_and_user_come_in_one_statement(organization, client_for):
    client = client_for("nurse")
    client.get(PAGE)

    with CaptureQueriesContext(connection) as captured:
        client.get(PAGE)

    asked = [one["sql"] for one in captured if "accounts_user" in one["sql"] or "django_session" in one["sql"]]
    assert len(asked) == 1


def test_who_was_switched_off_is_turned_away_at_the_next_click(organization, client_for, member_of):
    client = client_for("nurse")
    assert client.get(PAGE).status_code == 200
    user_id = client.session[SESSION_KEY]

    User.objects.filter(pk=user_id).update(is_active=False)

    assert client.get(PAGE).status_code == 302


def test_a_changed_password_ends_the_session(organization, client_for):
    client = client_for("nurse")
    assert client.get(PAGE).status_code == 200
    user = User.objects.get(pk=client.session[SESSION_KEY])

    user.set_password("another long sentence")
    user.save()

    assert client.get(PAGE).status_code == 302


def test_a_session_that_passes_to_somebody_else_is_theirs(organization, client_for, member_of):
    client, owner = client_for("nurse"), member_of("owner")
    assert client.get("/settings/organization/").status_code == 403
    key = client.cookies["careloop_session"].value

    session = SessionStore(key)
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(owner.pk), owner.get_session_auth_hash()
    session.save()

    shown = client.get(PAGE)
    assert shown.wsgi_request.user.pk == owner.pk
    assert shown.wsgi_request.member.role == "owner"
