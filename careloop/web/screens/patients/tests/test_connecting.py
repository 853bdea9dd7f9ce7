"""The desk shows a code that connects LINE: who may, what it says, and that every code is noted."""

from datetime import UTC, datetime

import pytest

from careloop.audit.services import write_notes
from careloop.kernel import sql
from careloop.messaging import channels
from careloop.patients import inviting
from careloop.patients.tests import make


@pytest.fixture
def patient(organization):
    return make.patient("王小明")


@pytest.fixture
def line_login(organization):
    channels.save_account(
        account_id=None, kind="line", name="LINE", channel="line", make_default=True, now=datetime.now(UTC),
        given={"access_token": "x", "channel_secret": "y", "login_channel_id": "1234567890", "login_channel_secret": "s"},
    )  # fmt: skip


def test_the_desk_shows_a_code_for_this_patient_and_it_is_noted(patient, line_login, client_for, monkeypatch):
    made = []
    monkeypatch.setattr(inviting, "new_token", lambda: made.append("t" * 43) or made[-1])
    client = client_for("front_desk")
    page = f"/patients/{patient}/line/"
    assert f'href="{page}"' in client.get(f"/patients/{patient}/").content.decode()
    assert 'class="cl-qr"' not in client.get(page).content.decode()
    assert not made

    answer = client.post(page)

    assert "Good once, until" in answer.content.decode()
    assert 'class="cl-qr"' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert inviting.look(made[0]).patient_id == patient
    write_notes()
    assert sql.value("select count(*) from audit_event where action = 'contact_point.invited'") == 1


def test_without_line_login_it_says_what_is_missing_and_makes_no_code(patient, client_for):
    answer = client_for("owner").post(f"/patients/{patient}/line/")

    assert "LINE Login is not set up" in answer.content.decode()
    assert 'class="cl-qr"' not in answer.content.decode()


def test_who_may_not_change_contacts_shows_no_code(patient, line_login, client_for):
    for role in ("marketing", "privacy_officer"):
        assert client_for(role).post(f"/patients/{patient}/line/").status_code == 403


def test_another_clinics_patient_is_not_there(patient, line_login, client_for, other_organization):
    from tests.support import inside

    with inside(other_organization):
        stranger = make.patient("林美惠")

    assert client_for("front_desk").post(f"/patients/{stranger}/line/").status_code == 404
