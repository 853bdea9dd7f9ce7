"""Patients on the waitlist by themselves: they join, are asked, take it or leave it; and searches in vain are counted."""

from datetime import timedelta
from uuid import uuid4

import pytest

from careloop.patients.tests.make import patient
from careloop.scheduling import services, waitlist
from careloop.scheduling.models import Appointment, SearchMiss, WaitlistEntry, WaitlistOffer
from careloop.scheduling.tests import make

from .support import Phone, now, open_clinic, somebody, tomorrow_at


@pytest.fixture
def where(organization):
    organization.quiet_from_hour = organization.quiet_to_hour = 0
    organization.save()
    open_clinic()
    return make.clinic()


@pytest.fixture
def full(where):
    """One half hour the day after tomorrow, taken."""
    held = make.session(where, starts_at=tomorrow_at(9, days=2), hours=0.5)
    return held, make.book(where, held, patient("先到"), now=now())


@pytest.fixture
def phone(organization, where):
    return Phone(organization)


def free(full) -> None:
    held, taken = full
    services.cancel(appointment_id=taken.pk, reason="patient", now=now(), by=None)
    waitlist.offer_in(held.pk, now=now())


def test_who_finds_nothing_signs_in_and_waits_for_what_they_looked_for(where, full, phone):
    me = somebody()
    page = phone.sees(f"book/{where.service.pk}/?day=2&part=EVENING")
    assert "Nothing is free like this" in page
    address = f"book/{where.service.pk}/wait/?day=2&amp;part=EVENING"
    assert address in page
    asked = phone.get(f"book/{where.service.pk}/wait/?day=2&part=EVENING")
    assert "/sign-in/" in asked["Location"]

    phone.sign_in()
    form = phone.sees(f"book/{where.service.pk}/wait/?day=2&part=EVENING")
    assert form.count(" checked") == 2
    for _click in range(2):
        answer = phone.post(f"book/{where.service.pk}/wait/", {"key": "one", "day": ["2"], "part": ["EVENING"]})
        assert answer.status_code == 302

    entry = WaitlistEntry.objects.get(patient_id=me)
    assert (entry.weekdays, entry.parts, entry.source) == ([2], ["EVENING"], "portal")
    assert "You are on the waitlist" in phone.sees("visits/")


def test_an_offered_place_is_taken_with_one_tap_from_my_visits(where, full, phone):
    me = somebody()
    phone.sign_in()
    phone.post(f"book/{where.service.pk}/wait/", {"key": "one"})
    free(full)
    offer = WaitlistOffer.objects.get()
    for page in ("", "visits/"):
        assert "A place is free for you" in phone.sees(page)

    answer = phone.post(f"visits/offers/{offer.pk}/", {"do": "take"})

    assert str(offer.appointment_id) in answer["Location"]
    assert Appointment.objects.get(pk=offer.appointment_id).state == "booked"
    assert "A place is free" not in phone.sees("visits/")
    assert WaitlistEntry.objects.get(patient_id=me).state == "BOOKED"


def test_a_place_left_to_the_next_keeps_the_wish_and_leaving_ends_it(where, full, phone):
    me = somebody()
    phone.sign_in()
    phone.post(f"book/{where.service.pk}/wait/", {"key": "one"})
    free(full)
    offer = WaitlistOffer.objects.get()
    phone.post(f"visits/offers/{offer.pk}/", {"do": "pass"})
    late = phone.post(f"visits/offers/{offer.pk}/", {"do": "take"})
    assert late.status_code == 409
    assert "no longer offered" in late.content.decode()

    entry = WaitlistEntry.objects.get(patient_id=me)
    assert entry.state == "WAITING"
    phone.post(f"visits/wishes/{entry.pk}/leave/")
    assert "waitlist" not in phone.sees("visits/")


def test_nobody_answers_for_a_stranger(where, full, phone, organization):
    stranger = waitlist.join(
        patient_id=patient("別人"), service_id=where.service.pk, first_date=now().date(), last_date=now().date() + timedelta(days=9), now=now(), by=None
    )  # fmt: skip
    free(full)
    offer = WaitlistOffer.objects.get()
    somebody()
    phone.sign_in()
    for path in (f"visits/offers/{offer.pk}/", f"visits/offers/{uuid4()}/", f"visits/wishes/{stranger.pk}/leave/"):
        assert phone.post(path, {"do": "take"}).status_code == 404
    assert WaitlistOffer.objects.get().state == "OPEN"
    assert "/sign-in/" in Phone(organization).post(f"visits/offers/{offer.pk}/", {"do": "take"})["Location"]


def test_what_is_not_to_be_had_is_said_in_words(where, full, phone):
    somebody()
    phone.sign_in()
    wait = f"book/{where.service.pk}/wait/"
    assert phone.post(wait, {"key": "a", "who": str(uuid4())}).status_code == 422
    assert phone.post(wait, {"key": "b", "from": "2031-01-01", "until": "2030-01-01"}).status_code == 422
    assert phone.post(wait, {"key": "c"}).status_code == 302
    again = phone.post(wait, {"key": "d"})
    assert again.status_code == 422
    assert "on the waitlist for this service already" in again.content.decode()
    assert phone.get(f"book/{uuid4()}/wait/").status_code == 404


def test_a_search_in_vain_is_counted_once_for_a_browser_and_a_wish(where, full, phone):
    path = f"book/{where.service.pk}/?who={where.physician.pk}&day=1&part=EVENING"
    phone.sees("book/")
    for _look in range(3):
        phone.sees(path)
    miss = SearchMiss.objects.get()
    assert (miss.practitioner_id, miss.weekdays, miss.parts, miss.source) == (
        where.physician.pk,
        [1],
        ["EVENING"],
        "portal",
    )

    phone.sees(path.replace("EVENING", "AFTERNOON"))
    phone.sees(path + "&from=2031-01-01")
    phone.sees(f"book/{where.service.pk}/?who={uuid4()}")
    assert SearchMiss.objects.count() == 2

    other = Phone(phone.clinic)
    other.sees(path)
    assert SearchMiss.objects.count() == 2, "a browser without a cookie is a new one at every look"
    other.sees(path)
    assert SearchMiss.objects.count() == 3


def test_a_search_that_finds_something_is_none_in_vain(where, full, phone):
    make.session(where, starts_at=tomorrow_at(9, days=3))
    phone.sees("book/")
    page = phone.sees(f"book/{where.service.pk}/")
    assert "None of these?" in page
    assert not SearchMiss.objects.exists()
