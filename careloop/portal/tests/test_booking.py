"""Booking by patients themselves: held while they say who they are, then theirs; who is late is told where else there is room."""

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache

from careloop.consent.models import Notice, NoticeShown
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.patients import sealing
from careloop.patients.models import Patient
from careloop.portal import booking as bookings
from careloop.portal.models import PatientSession
from careloop.portal.tests.support import BORN, PHONE, Phone, a_service, now, open_clinic, somebody, tomorrow_at
from careloop.scheduling import places
from careloop.scheduling import services as scheduling
from careloop.scheduling.models import Appointment
from careloop.scheduling.tests import make


@pytest.fixture(autouse=True)
def clinic(organization):
    open_clinic()
    return organization


@pytest.fixture
def phone(organization):
    return Phone(organization)


def value(held, at=None):
    return f"{held.pk}_{int((at or held.starts_at).timestamp())}" if held.mode == "SLOTS" else str(held.pk)


def hold(phone, where, held, *, at=None, key=None, **more):
    return phone.post(f"book/{where.service.pk}/hold/", {"place": value(held, at), "key": key or str(uuid4()), **more})


def newcomer(browser, **more):
    return browser.post("book/details/", {
        "name": "陳新人", "birth_date": "79/3/5", "phone": "0955-111-222", "notice": "on", **more,
    })  # fmt: skip


def published_notice():
    texts = {language: {"title": "Notice", "body": "How we use data"} for language in ("zh-hant", "zh-hans", "en")}
    return Notice.objects.create(version=1, texts=texts, text_hash="x", published_at=now())


def booked():
    return Appointment.objects.exclude(state__in=("pending", "cancelled")).get()


def test_services_and_times_are_shown_to_everybody_without_script(phone):
    where, held = a_service(name="洗牙", names={"en": "Scaling"})

    assert "Scaling" in phone.sees("book/")
    page = phone.sees(f"book/{where.service.pk}/")

    assert "Next free" in page
    assert value(held) in page
    assert page.count('name="place"') == 7  # the next one on top, and six half hours
    assert "style=" not in page
    assert "onclick" not in page
    assert "<script>" not in page


def test_times_are_filtered_by_day_part_practitioner_and_date(phone):
    where, held = a_service()
    weekday = (held.starts_at + timedelta(hours=8)).isoweekday()
    url = f"book/{where.service.pk}/"

    assert value(held) in phone.sees(
        f"{url}?day={weekday}&part=MORNING&who={where.physician.pk}&at={where.location.pk}"
    )
    assert value(held) not in phone.sees(f"{url}?day={weekday % 7 + 1}")
    assert value(held) not in phone.sees(f"{url}?part=EVENING")
    assert value(held) not in phone.sees(f"{url}?from={held.on_date + timedelta(days=1)}")
    for nonsense in ("day=9&day=x", "part=NIGHT", "who=nobody", "from=2026-99-99", "at=1;drop", "first=maybe"):
        phone.sees(f"{url}?{nonsense}")


def test_a_signed_in_patient_books_in_two_clicks(phone):
    who = somebody()
    where, held = a_service()
    phone.sign_in()

    assert hold(phone, where, held)["Location"] == phone.url("book/details/")
    assert Appointment.objects.get().state == "pending"
    assert phone.post("book/details/")["Location"] == phone.url("book/done/")

    made = booked()
    assert (made.patient_id, made.state, made.source, made.starts_at) == (who, "booked", "portal", held.starts_at)
    assert "Your visit is booked" in phone.sees("book/done/")
    assert sql.value("select count(*) from events_event where kind = 'appointment.booked'") == 1


def test_the_place_is_held_while_a_stranger_says_who_they_are(phone, organization):
    where, held = a_service()
    hold(phone, where, held)

    waiting = Appointment.objects.get()
    assert (waiting.state, waiting.patient_id) == ("pending", None)
    assert timedelta(minutes=14) < waiting.held_until - now() <= scheduling.HOLD
    other = Phone(organization)
    assert value(held) not in other.sees(f"book/{where.service.pk}/")
    page = hold(other, where, held)
    assert page.status_code == 409
    assert "Somebody else has just taken this time" in page.content.decode()
    assert 'name="place"' in page.content.decode()
    assert sql.value("select count(*) from events_event where kind like 'appointment%%'") == 0


def test_a_known_patient_signs_in_on_the_way_and_the_held_place_becomes_theirs(phone):
    who = somebody()
    where, held = a_service()
    hold(phone, where, held)
    phone.post("sign-in/", {"address": PHONE, "next": phone.url("book/details/")})

    answer = phone.post("sign-in/code/", {"code": phone.digits})

    assert answer["Location"] == phone.url("book/details/")
    assert Appointment.objects.get().patient_id == who
    phone.post("book/details/")
    assert booked().patient_id == who


def test_a_new_patient_reads_the_notice_proves_the_phone_and_books(phone):
    published_notice()
    where, held = a_service()
    hold(phone, where, held, first="1")
    assert "How we use data" in phone.sees("book/details/")

    assert newcomer(phone)["Location"] == phone.url("sign-in/code/")
    phone.post("sign-in/code/", {"code": phone.digits})
    phone.post("book/details/")

    made = Patient.objects.get()
    assert (made.name, made.birth_date, booked().patient_id) == ("陳新人", BORN, made.pk)
    assert NoticeShown.objects.get().how == "portal"
    contact = sealing.contact_values([made.pk], "phone")[made.pk][0]
    assert (contact.value, contact.is_verified, contact.warning) == ("+886955111222", True, "")
    assert PatientSession.objects.get().patient_id == made.pk
    assert not FollowUp.objects.exists()


def test_a_new_patient_without_the_notice_or_with_a_wrong_field_is_told_and_the_place_stays_held(phone):
    where, held = a_service()
    hold(phone, where, held)

    for wrong in (
        {"notice": ""},
        {"birth_date": "tomorrow"},
        {"phone": "02-2345-6789"},
        {"phone": "a@b.example"},
        {"name": " "},
    ):
        assert newcomer(phone, **wrong).status_code == 422, wrong
    assert Appointment.objects.get().state == "pending"
    assert not Patient.objects.exists()


def test_registering_says_the_same_whether_a_record_exists_and_links_by_phone_and_birth_date(phone, organization):
    known = somebody("陳新人", phone="0955-111-222", born=BORN)
    where, held = a_service()
    stranger = Phone(organization)
    hold(phone, where, held)
    hold(stranger, where, held, at=held.starts_at + timedelta(minutes=30))

    first = newcomer(phone)
    cache.clear()
    second = newcomer(stranger, phone="0966-333-444")

    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    shown = [re.sub(r'value="[^"]+"|\S*\*\S*', "", one.sees("sign-in/code/")) for one in (phone, stranger)]
    assert shown[0] == shown[1]
    phone.post("sign-in/code/", {"code": codes_of(phone)})
    phone.post("book/details/")
    assert booked().patient_id == known
    assert Patient.objects.count() == 2


def codes_of(phone):
    from careloop.kernel.ids import token_hash
    from careloop.portal import codes
    from careloop.portal.models import OneTimeCode
    from careloop.portal.recognizing import cookie_name

    browser = phone.client.cookies[cookie_name("browser", phone.clinic.slug)].value
    return codes.digits_of(OneTimeCode.objects.get(browser_hash=token_hash(browser), used_at=None))


def test_somebody_alike_is_for_staff_to_look_at_and_never_told(phone):
    somebody("陳新人", phone="0911-000-000", born=BORN)
    where, held = a_service()
    hold(phone, where, held)
    newcomer(phone)
    phone.post("sign-in/code/", {"code": phone.digits})

    page = phone.post("book/details/", follow=True).content.decode()

    assert "record" not in page
    assert Patient.objects.count() == 2
    assert FollowUp.objects.get().origin_id.startswith("alike:")


def test_a_number_typed_and_not_proved_gets_nobody_in_the_way_of_its_owner(phone, organization):
    owner = somebody(phone="0955-111-222")
    where, held = a_service()
    hold(phone, where, held)
    newcomer(phone, birth_date="1999-09-09")  # the code that goes to the owner never comes back

    Phone(organization).sign_in("0955-111-222")

    assert PatientSession.objects.get().patient_id == owner


def test_a_service_that_asks_for_no_proof_books_at_once_and_staff_call(phone):
    somebody("陳新人", phone="0955-111-222", born=BORN)
    where, held = a_service(verify_phone=False)
    hold(phone, where, held)

    assert newcomer(phone)["Location"] == phone.url("book/details/")
    phone.post("book/details/")

    assert Patient.objects.count() == 2  # nobody gets at a record by knowing a name, a day and a number
    assert not PatientSession.objects.exists()
    assert {one.origin_id.split(":")[0] for one in FollowUp.objects.all()} == {"alike", "unproved"}
    assert phone.get("visits/").status_code == 302


def test_a_double_click_books_once(phone):
    somebody()
    where, held = a_service()
    phone.sign_in()
    key = str(uuid4())

    for _click in range(2):
        assert hold(phone, where, held, key=key).status_code == 302
    for _click in range(2):
        phone.post("book/details/")

    assert Appointment.objects.count() == 1
    assert sql.value("select count(*) from events_event where kind = 'appointment.booked'") == 1


def test_another_browser_gets_nothing_by_the_key_of_a_form(phone, organization):
    where, held = a_service()
    key = str(uuid4())
    hold(phone, where, held, key=key)

    assert hold(Phone(organization), where, held, key=key).status_code == 404


def test_choosing_another_time_frees_the_first(phone):
    where, held = a_service()
    hold(phone, where, held)
    hold(phone, where, held, at=held.starts_at + timedelta(hours=1))

    assert sorted(Appointment.objects.values_list("state", flat=True)) == ["cancelled", "pending"]
    phone.post("book/give-up/")
    assert set(Appointment.objects.values_list("state", flat=True)) == {"cancelled"}


def test_a_hold_that_ran_out_is_taken_again_if_it_is_still_free(phone):
    somebody()
    where, held = a_service()
    phone.sign_in()
    hold(phone, where, held)
    places.release_holds(now=now() + timedelta(minutes=20))

    phone.post("book/details/")

    assert booked().starts_at == held.starts_at


def test_a_hold_that_ran_out_and_went_to_somebody_else_offers_what_is_near(phone):
    somebody()
    where, held = a_service()
    phone.sign_in()
    hold(phone, where, held)
    places.release_holds(now=now() + timedelta(minutes=20))
    make.book(where, held, somebody("別人", phone="0977-777-777"), now=now())

    page = phone.post("book/details/")

    assert page.status_code == 409
    assert 'name="place"' in page.content.decode()


def test_numbers_are_given_with_the_time_they_are_expected(phone):
    somebody()
    where = make.clinic()
    held = make.session(where, starts_at=tomorrow_at(9, days=2), mode="NUMBERS", numbers=10, slot_minutes=6)
    make.book(where, held, somebody("前面", phone="0977-777-777"), now=now())
    phone.sign_in()

    assert "number 2, about 09:06" in phone.sees(f"book/{where.service.pk}/")
    hold(phone, where, held)
    phone.post("book/details/")

    assert booked_by(phone).number == 2
    assert "No. 2" in phone.sees("book/done/")
    assert "09:06" in phone.sees("book/done/")


def booked_by(phone):
    return Appointment.objects.filter(source="portal", state="booked").get()


def test_the_services_questions_are_asked_and_kept_sealed(phone):
    somebody()
    where, held = a_service(questions=[
        {"key": "allergy", "text": "Allergies?", "kind": "text", "required": True},
        {"key": "pregnant", "text": "Pregnant?", "kind": "yes_no", "required": False},
    ])  # fmt: skip
    phone.sign_in()
    hold(phone, where, held)

    assert "Please answer this question" in phone.post("book/details/", {"q_2": "no"}).content.decode()
    phone.post("book/details/", {"q_1": "penicillin", "q_2": "no"})

    made = booked()
    assert b"penicillin" not in bytes(made.answers_sealed)
    said = sealing.unseal(sealing.key_of(made.patient_id), made.answers_sealed, table="scheduling_appointment",
                          column="answers_sealed", row_id=made.pk)  # fmt: skip
    assert json.loads(said) == {"allergy": "penicillin", "pregnant": "no"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"notice_minutes": 60 * 24 * 5}, "too close to the beginning"),
        ({"days_ahead": 1}, "1 days ahead"),
        ({"who": "RETURNING"}, "patients who have been here before"),
    ],
)
def test_the_rules_of_a_service_are_said_in_words_with_the_telephone(phone, organization, rule, words):
    type(organization).objects.filter(pk=organization.pk).update(phone="02-2345-6789")
    somebody()
    where, held = a_service(**rule)
    phone.sign_in()

    page = hold(phone, where, held)

    assert page.status_code == 409
    assert words in page.content.decode()
    assert 'href="tel:02-2345-6789"' in page.content.decode()


def test_first_visit_only_is_refused_once_we_know_it_is_none(phone):
    who = somebody()
    where, held = a_service(who="FIRST")
    from careloop.records import services as records

    records.record_encounter(
        patient_id=who, encounter_id=uuid4(), display="看診", started_at=now() - timedelta(days=90), now=now(), by=None
    )
    hold(phone, where, held)
    phone.post("sign-in/", {"address": PHONE, "next": phone.url("book/details/")})

    page = phone.post("sign-in/code/", {"code": phone.digits})

    assert page.status_code == 409
    assert "first visits" in page.content.decode()
    assert Appointment.objects.get().state == "cancelled"
    assert phone.get("me/").status_code == 200  # signed in all the same


def test_a_service_that_is_not_online_is_not_there(phone):
    where, held = a_service(is_online=False)

    assert phone.get(f"book/{where.service.pk}/").status_code == 404
    assert hold(phone, where, held).status_code == 404


def test_one_patient_books_so_many_visits_and_calls_for_more(phone, monkeypatch):
    monkeypatch.setattr(bookings, "MOST_OPEN", 1)
    somebody()
    where, held = a_service()
    phone.sign_in()
    hold(phone, where, held)
    phone.post("book/details/")

    page = hold(phone, where, held, at=held.starts_at + timedelta(hours=1))

    assert page.status_code == 409
    assert "please call the clinic" in page.content.decode()


def test_strangers_hold_so_many_places_at_once_and_no_more(organization, monkeypatch):
    monkeypatch.setattr(bookings, "MOST_HELD", 2)
    where, held = a_service()

    answers = [
        hold(Phone(organization), where, held, at=held.starts_at + timedelta(minutes=30 * turn)).status_code for turn in range(3)
    ]  # fmt: skip

    assert answers == [302, 302, 429]


def test_one_network_holds_so_often_and_no_more(phone):
    where, held = a_service()

    answers = {
        hold(phone, where, held, at=held.starts_at + timedelta(minutes=30 * (turn % 6))).status_code
        for turn in range(21)
    }

    assert 429 in answers


def test_no_deposit_is_asked_for_and_nhi_shows_no_price(phone):
    a_service(name="健保洗牙", payer="NHI", price=500)
    a_service(name="美白", payer="SELF", price=3000)

    page = phone.sees("book/")

    assert "NT$3,000" in page
    assert "NT$500" not in page
    assert "deposit" not in page.lower()


def test_a_first_visit_takes_its_own_length_and_a_returning_patient_theirs(phone, organization):
    where, held = a_service(minutes=30, first_visit_minutes=60)
    hold(phone, where, held, first="1")
    assert Appointment.objects.get().ends_at - held.starts_at == timedelta(minutes=60)
    who = somebody()
    from careloop.records import services as records

    records.record_encounter(
        patient_id=who, encounter_id=uuid4(), display="看診", started_at=now() - timedelta(days=90), now=now(), by=None
    )
    phone.post("sign-in/", {"address": PHONE, "next": phone.url("book/details/")})
    phone.post("sign-in/code/", {"code": phone.digits})

    assert Appointment.objects.get().ends_at - held.starts_at == timedelta(minutes=30)


def test_damaged_forms_lead_back_to_the_times(phone):
    where, _held = a_service()
    for data in (
        {},
        {"place": "x", "key": str(uuid4())},
        {"place": str(uuid4()), "key": "x"},
        {"place": f"{uuid4()}_99999999999999"},
    ):
        assert phone.post(f"book/{where.service.pk}/hold/", data).status_code == 302
    assert phone.post(f"book/{where.service.pk}/hold/", {"place": str(uuid4()), "key": str(uuid4())}).status_code == 404
    assert phone.get("book/details/")["Location"] == phone.url("book/")
    assert phone.get("book/done/")["Location"] == phone.url("book/")


def test_the_page_for_a_frame_is_for_the_websites_the_clinic_named_and_nobody_else(phone, organization):
    where, _held = a_service()
    closed = phone.get("embed/")
    assert "frame-ancestors 'none'" in closed["Content-Security-Policy"]
    assert closed["X-Frame-Options"] == "DENY"

    type(organization).objects.filter(pk=organization.pk).update(
        embed_origins="https://www.example.tw https://x.example"
    )
    page = phone.get("embed/")

    assert "frame-ancestors https://www.example.tw https://x.example" in page["Content-Security-Policy"]
    assert "X-Frame-Options" not in page
    text = page.content.decode()
    assert f"book/{where.service.pk}/" in text
    assert 'target="_blank"' in text
    assert "<form" not in text
    assert "frame-ancestors 'none'" in phone.get("book/")["Content-Security-Policy"]


def test_line_is_noted_as_where_it_was_booked(phone):
    somebody()
    where, held = a_service()
    phone.sign_in()
    phone.post(
        f"book/{where.service.pk}/hold/",
        {"place": value(held), "key": str(uuid4())},
        HTTP_USER_AGENT="Mozilla Line/15.1",
    )

    assert Appointment.objects.get().source == "line"
