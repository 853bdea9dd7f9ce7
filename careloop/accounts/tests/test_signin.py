"""Signing in: what is asked, what is refused, what is remembered, and when it ends."""

import re
import subprocess
import sys
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from careloop.accounts import sessions
from careloop.accounts.models import Membership
from careloop.accounts.recognizing import SessionStore
from careloop.audit.models import AuditEvent
from careloop.tenancy.context import run_before_commit
from careloop.tenancy.loops import DAILIES

PASSWORD = "a long enough sentence"


@pytest.fixture(autouse=True)
def fresh_limits(db):
    cache.clear()


def sign_in(client, email, password=PASSWORD, **more):
    return client.post("/accounts/login/", {"login": email, "password": password}, **more)


def actions():
    run_before_commit()
    return list(AuditEvent.objects.order_by("number").values_list("action", flat=True))


def test_the_right_password_opens_the_staff_area(organization, member_of):
    nurse, client = member_of("nurse"), Client()

    answer = sign_in(client, nurse.email)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/accounts/sessions/").status_code == 200
    assert actions()[:1] == ["signin.succeeded"]


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer_and_only_one_leaves_a_trace(
    organization, member_of
):
    nurse = member_of("nurse")

    wrong = sign_in(Client(), nurse.email, "not the password")
    unknown = sign_in(Client(), "nobody@example.test", "not the password")

    def errors(answer):
        return re.findall(r"<p>([^<]+)</p>", answer.content.decode())[:1]

    assert errors(wrong) == errors(unknown) != []
    assert actions() == ["signin.failed"]


def test_six_wrong_passwords_lock_the_account_for_a_while_and_say_so_once(organization, member_of):
    nurse = member_of("nurse")
    for _n in range(7):
        answer = sign_in(Client(), nurse.email, "not the password")

    right = sign_in(Client(), nurse.email)

    assert answer.status_code == right.status_code == 200
    assert actions() == ["signin.failed"] * 5 + ["signin.locked"]


def test_attempts_are_counted_over_all_processes(organization):
    """The count lies in the database, so another process cannot start again from nothing."""
    script = (
        "import django; django.setup()\nfrom django.core.cache import cache\ncache.set('counted-elsewhere', 41, 60)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=_environment(), timeout=120)

    assert cache.get("counted-elsewhere") == 41
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")


def _environment():
    import os

    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "careloop.config.settings_test", "PYTHONWARNINGS": "ignore",
        "CARELOOP_DATABASE_NAME": os.environ["CARELOOP_DATABASE_NAME"],
    }  # fmt: skip


def test_too_many_requests_are_answered_with_our_own_page(organization, settings):
    settings.ACCOUNT_RATE_LIMITS = {"reset_password": "1/m/ip"}
    Client().post("/accounts/password/reset/", {"email": "a@example.test"})

    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hant"
    answer = client.post("/accounts/password/reset/", {"email": "a@example.test"})

    assert answer.status_code == 429
    assert "嘗試次數過多" in answer.content.decode()
    assert "Content-Security-Policy" in answer


@pytest.mark.parametrize(
    "address",
    [
        "/accounts/signup/", "/accounts/email/", "/accounts/confirm-email/", "/accounts/confirm-email/abc/",
        "/accounts/password/set/", "/accounts/login/code/confirm/", "/accounts/social/connections/",
    ],
)  # fmt: skip
def test_pages_of_the_sign_in_library_that_staff_do_not_need_are_closed(client_for, address):
    assert client_for("owner").get(address).status_code == 404
    assert Client().post(address).status_code == 404


# -- how long it lasts -------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_800_000_000

        def forward(self, **by):
            self.now += int(timedelta(**by).total_seconds())

    made = Clock()
    monkeypatch.setattr(sessions, "seconds_now", lambda: made.now)
    return made


def test_an_hour_without_a_click_ends_the_session(client_for, clock):
    client = client_for("nurse")
    assert client.get("/search/").status_code == 200

    clock.forward(minutes=59)
    assert client.get("/search/").status_code == 200
    clock.forward(minutes=62)
    answer = client.get("/search/?q=x")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")
    assert client.get("/search/").status_code == 302


def test_twelve_hours_end_it_however_busy_it_was(client_for, clock):
    client = client_for("nurse")
    for _n in range(23):
        assert client.get("/search/").status_code == 200
        clock.forward(minutes=31)
    assert client.get("/search/").status_code == 200
    clock.forward(minutes=31)

    assert client.get("/search/").status_code == 302


def test_htmx_is_told_to_go_to_the_sign_in_page(client_for, clock):
    client = client_for("nurse")
    client.get("/search/")
    clock.forward(hours=2)

    answer = client.get("/search/", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/accounts/login/")


def test_a_demotion_counts_from_the_next_click(client_for):
    client = client_for("owner")
    assert client.get("/settings/staff/").status_code == 200

    Membership.objects.filter(user=client.user).update(role="front_desk")

    assert client.get("/settings/staff/").status_code == 403


def test_a_deactivated_member_sees_nothing_more(client_for):
    client = client_for("front_desk")
    assert client.get("/search/").status_code == 200

    Membership.objects.filter(user=client.user).update(is_active=False)

    assert client.get("/search/").status_code == 403


def test_signing_out_leaves_a_trace(client_for):
    client = client_for("nurse")

    client.post("/accounts/logout/")

    assert actions()[-1] == "signin.ended"
    assert client.get("/search/").status_code == 302


# -- passwords ---------------------------------------------------------------------------------------------------


def change_password(client, new):
    return client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})


@pytest.mark.parametrize("password", ["fourteen chars", "short", "passwordpassword1"[:14]])
def test_a_password_alone_has_fifteen_characters(client_for, password):
    client = client_for("nurse")

    answer = change_password(client, password)

    assert answer.status_code == 200
    client.user.refresh_from_db()
    assert client.user.check_password(PASSWORD)


def test_a_common_password_is_refused_even_with_a_second_factor(client_for):
    client = client_for("nurse")
    _give_factor(client.user)

    assert change_password(client, "password123").status_code == 200
    assert change_password(client, "wet-otter-9").status_code == 302


def test_the_second_factor_that_a_short_password_needs_cannot_be_removed(client_for):
    from careloop.accounts.factors import may_remove

    client = client_for("nurse")
    factor = _give_factor(client.user)
    change_password(client, "wet-otter-9")
    factor.user.refresh_from_db()
    assert not may_remove(factor)
    second = _give_factor(client.user, kind="webauthn")

    assert may_remove(factor)
    assert may_remove(second)


def _give_factor(user, kind="totp"):
    from allauth.mfa.adapter import get_adapter
    from allauth.mfa.models import Authenticator

    data = (
        {"secret": get_adapter().encrypt("JBSWY3DPEHPK3PXP")} if kind == "totp" else {"credential": {}, "name": "key"}
    )
    return Authenticator.objects.create(user=user, type=kind, data=data)


def test_passwords_are_kept_as_argon2(settings):
    from careloop.config import settings as real

    assert real.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


def test_an_authenticator_apps_secret_is_sealed_and_works(client_for):
    from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time

    client = client_for("nurse")
    factor = _give_factor(client.user)

    assert "JBSWY3DPEHPK3PXP" not in str(factor.data)
    code = format_hotp_value(hotp_value("JBSWY3DPEHPK3PXP", next(iter(yield_hotp_counters_from_time()))))
    assert TOTP(factor).validate_code(code)


def test_with_a_second_factor_the_password_alone_opens_nothing(organization, member_of):
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    nurse, client = member_of("nurse"), Client()
    _give_factor(nurse)

    answer = sign_in(client, nurse.email)
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/search/").status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert client.get("/search/").status_code == 302
    code = format_hotp_value(hotp_value("JBSWY3DPEHPK3PXP", next(iter(yield_hotp_counters_from_time()))))
    client.post("/accounts/2fa/authenticate/", {"code": code})

    assert client.get("/search/").status_code == 200
    assert actions()[:2] == ["signin.failed", "signin.succeeded"]


def test_a_password_reset_signs_nobody_in_and_ends_the_other_sessions(organization, member_of, mailoutbox):
    nurse = member_of("nurse")
    elsewhere, client = Client(), Client()
    sign_in(elsewhere, nurse.email)
    client.post("/accounts/password/reset/", {"email": nurse.email})
    link = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", mailoutbox[-1].body).group(1)

    form = client.get(link)["Location"]
    new = "an entirely new sentence"
    answer = client.post(form, {"password1": new, "password2": new})

    assert answer.status_code == 302
    assert client.get("/search/").status_code == 302
    assert elsewhere.get("/search/").status_code == 302
    assert sign_in(Client(), nurse.email, new)["Location"] == "/"
    assert "password.reset" in actions()


def test_other_devices_are_listed_and_ended(organization, member_of):
    nurse, here, there = member_of("nurse"), Client(), Client()
    sign_in(here, nurse.email)
    sign_in(there, nurse.email, HTTP_USER_AGENT="Somewhere else")

    assert "Somewhere else" in here.get("/accounts/sessions/").content.decode()
    here.post("/accounts/sessions/")

    assert here.get("/search/").status_code == 200
    assert there.get("/search/").status_code == 302
    assert timezone.now()


def test_sessions_that_are_over_are_not_read_and_are_swept(db):
    going, over = SessionStore(), SessionStore()
    for session, seconds in ((going, 60), (over, -60)):
        session["who"] = "somebody"
        session.set_expiry(seconds)
        session.save()

    assert sessions.forget_ended(now=timezone.now()) == 1

    assert SessionStore(going.session_key).load()["who"] == "somebody"
    assert SessionStore(over.session_key).load() == {}
    assert (going.exists(going.session_key), over.exists(over.session_key)) == (True, False)


def test_the_note_of_a_device_goes_with_its_session(organization, member_of):
    nurse, here, there = member_of("nurse"), Client(), Client()
    sign_in(here, nurse.email)
    sign_in(there, nurse.email)
    key = there.session.session_key
    Session.objects.filter(session_key=key).update(expire_date=timezone.now())

    sessions.forget_ended(now=timezone.now() + timedelta(days=2))

    assert not UserSession.objects.filter(session_key=key).exists()


def test_sessions_are_swept_every_day():
    assert "sessions.clean" in DAILIES
