"""Signing in: a code to an address that is known here, in the browser that asked, and nobody learns who is known."""

import re
import statistics
import time
from datetime import date, timedelta

import pytest
from django.core.cache import cache

from careloop.audit.services import write_notes
from careloop.kernel import sql
from careloop.messaging.models import Message
from careloop.portal import codes, recognizing, tasks
from careloop.portal.models import OneTimeCode, PatientSession
from careloop.portal.tests.support import PHONE, Phone, now, open_clinic, somebody
from tests.support import inside


@pytest.fixture(autouse=True)
def clinic(organization):
    open_clinic()
    return organization


@pytest.fixture
def phone(organization):
    return Phone(organization)


def actions(*names):
    write_notes()
    return [
        row["action"]
        for row in sql.rows("select action from audit_event where action = any(%s) order by id", [list(names)])
    ]


def run_job():
    tasks.send_code.func(organization_id=str(OneTimeCode.objects.latest("created_at").organization_id),
                         code_id=str(OneTimeCode.objects.latest("created_at").pk))  # fmt: skip


def test_a_code_signs_in_and_opens_the_patients_own_pages(phone):
    somebody()

    phone.sign_in()

    assert "王小明" in phone.sees()
    assert actions("portal.signed_in", "portal.viewed") == ["portal.signed_in", "portal.viewed"]
    actor = sql.row("select actor_kind, via from audit_event where action = 'portal.signed_in'")
    assert actor == {"actor_kind": "patient", "via": "portal"}


def test_the_code_travels_through_the_outbox_at_once_and_is_kept_nowhere(phone, organization):
    who = somebody()
    phone.ask_code()
    digits = phone.digits

    assert codes.send(code_id=OneTimeCode.objects.get().pk, now=now())
    assert codes.send(code_id=OneTimeCode.objects.get().pk, now=now())

    message = Message.objects.get()
    assert (message.origin, message.message_class, message.at_once, message.channel) == (
        "code",
        "OPERATIONAL",
        True,
        "sms",
    )
    assert digits not in str(message.params)
    assert digits.encode() not in bytes(message.content_sealed)
    assert digits not in str(sql.rows("select * from portal_one_time_code"))
    from careloop.messaging import channels
    from careloop.messaging.outgoing import claim
    from careloop.messaging.ready import Account

    account = message.account
    ready = claim(Account(account.pk, "sms", channels.capabilities(account), None), lease=message.pk, now=now())
    assert digits in ready[0].outgoing.text
    from careloop.messaging.recording import _said
    from careloop.patients import sealing

    kept = codes.messaging_sealing.open_under(
        sealing.key_of(who), f"messaging_message.content_sealed.{message.pk}", _said(ready[0])
    )
    assert digits not in kept["text"]
    assert "······" in kept["text"]


def test_who_refused_all_messages_still_gets_the_code_asked_for(phone):
    from careloop.consent import services as consent
    from careloop.messaging import channels
    from careloop.messaging.outgoing import claim
    from careloop.messaging.ready import Account

    who = somebody()
    consent.withdraw(patient_id=who, purpose="CARE", source="desk", now=now(), by=None)
    phone.ask_code()
    codes.send(code_id=OneTimeCode.objects.get().pk, now=now())
    account = Message.objects.get().account

    assert len(claim(Account(account.pk, "sms", channels.capabilities(account), None), lease=who, now=now())) == 1


def test_an_unknown_address_is_answered_the_same_and_gets_nothing(phone, organization):
    somebody()
    known, stranger = Phone(organization), Phone(organization)

    answers = [known.ask_code(), stranger.ask_code("0987-654-321")]
    pages = [re.sub(r'value="[^"]+"|\S*\*\S*', "", one.sees("sign-in/code/")) for one in (known, stranger)]

    assert [(one.status_code, one["Location"]) for one in answers] == [(302, known.url("sign-in/code/"))] * 2
    assert pages[0] == pages[1]
    for one in OneTimeCode.objects.order_by("created_at"):
        codes.send(code_id=one.pk, now=now())
    assert Message.objects.count() == 1


def test_known_and_unknown_addresses_take_the_same_statements_and_time(organization):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    somebody()
    Phone(organization).ask_code("0970-000-000")  # the organization's key is made once
    shapes, times = {}, {"known": [], "unknown": []}
    for turn in range(12):
        for name, address in (("known", PHONE), ("unknown", f"09870000{turn:02d}")):
            cache.clear()
            phone = Phone(organization)
            began = time.perf_counter()
            with CaptureQueriesContext(connection) as seen:
                phone.ask_code(address)
            times[name].append(time.perf_counter() - began)
            shapes.setdefault(name, set()).add(
                tuple(re.sub(r'"s\d+_x\d+"', "", one["sql"])[:40] for one in seen if "careloop_cache" not in one["sql"])
            )

    assert shapes["known"] == shapes["unknown"]
    known, unknown = statistics.median(times["known"]), statistics.median(times["unknown"])
    assert abs(known - unknown) < max(0.015, 0.35 * max(known, unknown))  # a busy machine is slow for both


def test_five_wrong_tries_end_a_code_even_for_the_right_digits(phone):
    somebody()
    phone.ask_code()
    digits = phone.digits
    wrong = f"{(int(digits) + 1) % 1_000_000:06d}"

    for left in (4, 3, 2, 1):
        answer = phone.post("sign-in/code/", {"code": wrong})
        assert answer.status_code == 422
        assert f"You can try {left} more times" in answer.content.decode()
    assert "cannot be used any more" in phone.post("sign-in/code/", {"code": wrong}).content.decode()
    phone.post("sign-in/code/", {"code": digits})

    assert not PatientSession.objects.exists()
    assert actions("portal.code_failed") == ["portal.code_failed"]


def test_a_code_works_only_in_the_browser_that_asked(phone, organization):
    somebody()
    phone.ask_code()
    digits = phone.digits
    thief = Phone(organization)
    thief.get("sign-in/")

    answer = thief.post("sign-in/code/", {"code": digits})

    assert answer["Location"].startswith(thief.url("sign-in/"))
    assert not PatientSession.objects.exists()


def test_a_code_works_once(phone):
    somebody()
    phone.sign_in()
    used = OneTimeCode.objects.get()
    phone.post("sign-out/")

    with pytest.raises(codes.errors.CodeOver):
        codes.enter(code_id=used.pk, digits=codes.digits_of(used), now=now())


def test_a_code_is_over_after_ten_minutes(phone):
    somebody()
    phone.ask_code()
    digits = phone.digits
    OneTimeCode.objects.update(expires_at=now() - timedelta(seconds=1))

    assert phone.post("sign-in/code/", {"code": digits})["Location"].startswith(phone.url("sign-in/"))


def test_asking_again_makes_the_first_code_worthless(phone):
    somebody()
    phone.ask_code()
    first = phone.digits
    cache.clear()
    phone.ask_code()

    assert phone.post("sign-in/code/", {"code": first}).status_code == 422


def test_a_code_typed_with_full_width_digits_and_spaces_is_right(phone):
    somebody()
    phone.ask_code()
    digits = phone.digits
    typed = " ".join(chr(ord("０") + int(one)) for one in digits)

    assert phone.post("sign-in/code/", {"code": typed}).status_code == 302


def test_codes_are_limited_per_address_whoever_asks(organization):
    somebody()
    for turn in range(5):
        assert Phone(organization).ask_code(PHONE).status_code == (302 if turn == 0 else 429)
    cache.clear()
    from careloop.portal.limits import Limit, wait_for

    limit = Limit("example", "address", 2, 60)
    assert [bool(wait_for([limit])) for _turn in range(3)] == [False, False, True]


def test_what_is_no_address_is_refused_in_words(phone):
    for address in ("hello", "02-2345-6789", "a@b", "x" * 300, "\x00"):
        assert phone.ask_code(address).status_code in (422,)


def test_a_family_on_one_phone_says_who_by_the_birth_date(phone):
    somebody("王大明", born=date(1960, 1, 1))
    daughter = somebody("王小美", born=date(1995, 6, 7))

    phone.sign_in(birth_date=date(1995, 6, 7))

    assert PatientSession.objects.get().patient_id == daughter
    assert "王小美" in phone.sees()


def test_a_wrong_birth_date_is_a_try_and_tries_end(phone):
    somebody("王大明", born=date(1960, 1, 1))
    somebody("王小美", born=date(1995, 6, 7))
    phone.ask_code()
    phone.post("sign-in/code/", {"code": phone.digits})

    answers = [phone.post("sign-in/who/", {"birth_date": "1990-01-01"}).status_code for _turn in range(9)]

    assert answers[0] == 422
    assert not PatientSession.objects.exists()
    assert OneTimeCode.objects.filter(used_at=None).count() == 0


def test_twins_on_one_phone_choose_by_masked_name(phone):
    somebody("王大寶", born=date(2000, 1, 1))
    second = somebody("王小寶", born=date(2000, 1, 1))
    phone.ask_code()
    phone.post("sign-in/code/", {"code": phone.digits})

    page = phone.post("sign-in/who/", {"birth_date": "2000-01-01"}).content.decode()
    assert "王○寶" in page
    assert "王小寶" not in page
    phone.post("sign-in/who/", {"birth_date": "2000-01-01", "person": str(second)})

    assert PatientSession.objects.get().patient_id == second


def test_the_cookie_is_the_patients_alone_and_the_table_holds_no_token(phone, organization):
    somebody()
    phone.sign_in()
    cookie = phone.client.cookies[recognizing.cookie_name("patient", organization.slug)]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie.value not in str(sql.rows("select * from portal_session"))


def test_cookies_of_a_clinic_with_https_belong_to_its_host_alone(settings, organization):
    settings.SESSION_COOKIE_SECURE = True

    assert recognizing.cookie_name("patient", "anxin") == "__Host-careloop_patient_anxin"


def test_signing_out_ends_the_session_on_the_server(phone, organization):
    somebody()
    phone.sign_in()
    stolen = phone.client.cookies[recognizing.cookie_name("patient", organization.slug)].value

    phone.post("sign-out/")
    phone.client.cookies[recognizing.cookie_name("patient", organization.slug)] = stolen

    assert phone.get("me/").status_code == 302


@pytest.mark.parametrize(("column", "age"), [("expires_at", timedelta(seconds=-1)), ("seen_at", -recognizing.IDLE_FOR)])
def test_a_session_ends_by_age_and_by_idleness(phone, column, age):
    somebody()
    phone.sign_in()
    PatientSession.objects.update(**{column: now() + age})

    assert phone.get("me/").status_code == 302


def test_devices_are_listed_and_signed_out_one_or_all(organization):
    somebody()
    here, there = Phone(organization), Phone(organization)
    here.sign_in()
    there.sign_in()
    assert here.sees("me/devices/").count("last used") == 2
    other = PatientSession.objects.order_by("created_at").last()

    here.post("me/devices/", {"device": str(other.pk)})
    assert there.get("me/").status_code == 302
    assert here.get("me/").status_code == 200
    here.post("me/devices/", {"device": "all"})

    assert here.get("me/").status_code == 302
    assert PatientSession.objects.filter(ended_at=None).count() == 0


def test_another_patients_device_is_not_there(organization):
    somebody()
    somebody("李美麗", phone="0922-222-222")
    mine, theirs = Phone(organization), Phone(organization)
    mine.sign_in()
    theirs.sign_in("0922-222-222")
    session = PatientSession.objects.order_by("created_at").last()

    assert mine.post("me/devices/", {"device": str(session.pk)}).status_code == 404
    assert theirs.get("me/").status_code == 200


def test_a_session_opens_nothing_in_another_clinic(phone, organization, other_organization):
    somebody()
    phone.sign_in()
    token = phone.client.cookies[recognizing.cookie_name("patient", organization.slug)].value
    with inside(other_organization):
        pass
    from careloop.tenancy import context

    outer = context._scope.set(None)
    try:
        phone.client.cookies[recognizing.cookie_name("patient", other_organization.slug)] = token
        answer = phone.client.get(f"/p/{other_organization.slug}/me/")
    finally:
        context._scope.reset(outer)
        context.set_organization(organization.id)

    assert answer.status_code == 302
    assert "/sign-in/" in answer["Location"]


def test_a_merged_or_inactive_patient_is_signed_out(phone):
    who = somebody()
    phone.sign_in()
    sql.execute("update patients_patient set active = false where id = %s", [who])

    assert phone.get("me/").status_code == 302


def test_next_leads_nowhere_but_to_this_clinics_pages(phone):
    somebody()
    for wanted in ("https://evil.example/", "//evil.example", "/settings/", f"{phone.url()}\\..\\x", "/p/other/me/"):
        cache.clear()
        fresh = Phone(phone.clinic)
        fresh.ask_code(next=wanted)
        answer = fresh.post("sign-in/code/", {"code": fresh.digits, "next": wanted})
        assert answer["Location"] == phone.url(), wanted


def test_forms_without_their_token_are_refused(organization):
    strict = Phone(organization, strict=True)

    assert strict.ask_code().status_code == 403


def test_pages_of_patients_stay_out_of_every_cache(phone):
    somebody()
    phone.sign_in()

    for path in ("", "visits/", "me/", "messages/", "me/consents/", "me/devices/"):
        assert "no-store" in phone.get(path)["Cache-Control"], path


def test_a_clinic_that_is_not_there_is_not_found(phone):
    assert phone.client.get("/p/nobody-here/").status_code == 404
