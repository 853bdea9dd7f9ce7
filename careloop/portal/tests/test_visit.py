"""The page of one visit: looking does nothing, sending does, an old link never acts on a new time."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from careloop.loyalty.tests.make import Log
from careloop.messaging import links
from careloop.messaging.models import Message
from careloop.messaging.tests.support import patient
from careloop.reminders.tests.support import Story
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.scheduling.models import Appointment, Service


@pytest.fixture
def story(committed_organization):
    from django.utils import timezone

    committed_organization.quiet_from_hour = committed_organization.quiet_to_hour = 0  # the pages go by the real clock
    made = Story(committed_organization, timezone.now(), channels=("sms",))
    with made.inside():
        committed_organization.save()
    yield made
    made.close()


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True)


class Page:
    """One visit's page in a browser without cookies."""

    def __init__(self, story, browser, booked):
        self.story, self.browser, self.booked = story, browser, booked
        with story.inside():
            message = Message.objects.get(key=f"appointment:{booked.pk}:0:booked")
            self.message_id = message.pk
            self.address = f"/p/a/{links.token_of(story.organization.id, message.pk)}/"

    def get(self, **query):
        return self.browser.get(self.address, query)

    def post(self, do, sequence=0, **more):
        return self.browser.post(self.address, {"do": do, "sequence": sequence, **more})

    def now(self):
        with self.story.inside():
            return Appointment.objects.get(pk=self.booked.pk)

    def first_place(self, step="MOVE", **query):
        return re.search(r'name="place" value="([^"]+)"', self.get(a=step, **query).content.decode())[1]


@pytest.fixture
def page(story, browser):
    """The page of a visit in ten days, opened by the link in its confirmation."""
    booked = story.book(story.session(days=10), story.patient(phone=True))
    story.session(days=12)
    story.turn(minutes=1)
    return Page(story, browser, booked)


def test_looking_changes_nothing_and_shows_no_service(page):
    for query in ({}, {"a": "CONFIRM"}, {"a": "CANCEL"}, {"a": "MOVE"}):
        shown = page.get(**query)
        assert shown.status_code == 200
        assert page.story.clinic.service.name not in shown.content.decode()
    found = page.now()
    assert (found.state, found.confirmed_at, found.version) == ("booked", None, 1)


def test_confirming_is_one_tap_and_twice_is_once(page):
    for _click in range(2):
        shown = page.post("confirm")
        assert shown.status_code == 200
    assert "謝謝" in shown.content.decode()
    assert page.now().confirmed_at is not None
    with page.story.inside():
        assert Message.objects.get(pk=page.message_id).answer == "CONFIRM"


def test_calling_off_asks_once_more(page):
    asked = page.get(a="CANCEL").content.decode()
    assert 'value="cancel"' in asked
    assert page.now().state == "booked"

    for _click in range(2):
        assert page.post("cancel").status_code == 200
    found = page.now()
    assert (found.state, found.cancel_reason) == ("cancelled", "patient")
    page.story.turn(minutes=1)
    assert page.story.said(page.booked) == ["booked", "cancelled"]


def test_moving_shows_free_places_and_takes_one(page):
    place = page.first_place()
    for _click in range(2):
        assert page.post("move", place=place).status_code == 200
    found = page.now()
    assert (found.state, found.sequence) == ("booked", 1)
    page.story.turn(minutes=1)
    assert page.story.said(page.booked) == ["booked", "moved"]


def test_an_old_link_shows_the_time_now_and_acts_on_nothing_it_did_not_show(page):
    page.story.move(page.booked, page.story.session(days=11, hour=6))

    shown = page.get(a="CONFIRM").content.decode()
    assert "不再有效" in shown
    for do in ("confirm", "cancel"):
        assert page.post(do, sequence=0).status_code == 409
    assert page.post("move", sequence=0, place=page.first_place()).status_code == 409
    found = page.now()
    assert (found.state, found.sequence, found.confirmed_at) == ("booked", 1, None)
    assert page.post("confirm", sequence=1).status_code == 200
    assert page.now().confirmed_at is not None


def test_after_a_closed_session_another_time_is_two_taps_away(page):
    with page.story.inside():
        sessions.close_session(session_id=page.booked.session_id, reason="", now=page.story.now, by=None)
    assert "抱歉" in page.get().content.decode()
    place = page.first_place("AGAIN")
    for _click in range(2):
        assert page.post("again", place=place).status_code == 200
    with page.story.inside():
        booked = Appointment.objects.get(patient_id=page.booked.patient_id, state="booked")
    assert booked.source == "link"
    page.story.turn(minutes=1)
    assert page.story.said(booked) == ["booked"]
    assert page.post("cancel", sequence=0).status_code == 200  # the page is about the new one now
    with page.story.inside():
        assert not Appointment.objects.filter(state="booked").exists()


def test_too_late_to_change_gives_the_telephone_and_still_takes_a_yes(page):
    with page.story.inside():
        service = page.booked.service
        service.change_minutes = 60 * 24 * 30
        service.save()
        page.booked.location.phone = "02-2345-6789"
        page.booked.location.save()
    shown = page.get(a="CANCEL").content.decode()
    assert 'value="cancel"' not in shown
    assert "02-2345-6789" in shown
    assert page.post("cancel").status_code == 409
    assert page.now().state == "booked"
    assert page.post("confirm").status_code == 200


def test_what_is_over_says_so(page, monkeypatch):
    from careloop.portal import linked_visits as visits

    later = page.booked.starts_at + timedelta(hours=1)
    monkeypatch.setattr(visits.timezone, "now", lambda: later)
    shown = page.get().content.decode()
    assert 'name="do"' not in shown


def test_nonsense_is_refused_without_harm(page):
    assert page.post("destroy").status_code == 422
    assert page.post("move").status_code == 422
    assert page.post("move", place="x|y").status_code == 422
    assert page.post("confirm", sequence="x").status_code == 422
    assert page.post("move", place="01a200e8-907b-7ab9-996f-3ee852116a49|").status_code in (404, 409)
    assert page.now().version == 1


def test_the_place_taken_meanwhile_is_said_and_others_are_offered(page):
    place = page.first_place()
    session_id, _bar, at = place.partition("|")
    with page.story.inside():
        from datetime import datetime

        from careloop.scheduling.models import Session

        held = Session.objects.get(pk=session_id)
        other = patient(now=page.story.now, phone=True)
    page.story.book(held, other, at=datetime.fromisoformat(at))

    shown = page.post("move", place=place)

    assert shown.status_code == 409
    assert 'name="place"' in shown.content.decode()
    assert page.now().sequence == 0


@pytest.mark.parametrize("language", ["zh-TW", "zh-CN", "en"])
def test_it_speaks_the_patients_language(story, browser, language):
    booked = story.book(story.session(days=10), story.patient(phone=True, language=language))
    story.turn(minutes=1)
    shown = Page(story, browser, booked).get().content.decode()
    assert {"zh-TW": "我會到", "zh-CN": "我会到", "en": "I am coming"}[language] in shown


def an_early_bird(story, patient_id):
    """Make this patient a member whose tier opens booking a week earlier."""
    from careloop.loyalty.tests import tiers_support
    from careloop.loyalty.tests.test_benefits import an_early_bird as make

    with story.inside():
        make(patient_id)
        Log(tiers_support.follow).read(now=story.now)


@pytest.mark.parametrize("is_member", [True, False])
def test_a_link_in_a_message_opens_the_days_that_the_tier_opens(story, browser, is_member):
    """A member moves by the link to a day beyond everybody's window, and books it again when it was called off."""
    with story.inside():
        story.organization.legal_profile = "INTL"
        story.organization.save()
        Service.objects.update(days_ahead=10)
    someone = story.patient(phone=True)
    booked = story.book(story.session(days=5), someone)
    far = story.session(days=14)
    story.turn(minutes=1)
    page = Page(story, browser, booked)
    if is_member:
        an_early_bird(story, someone)
    place = f"{far.pk}|{far.starts_at.isoformat()}"

    assert (f"{far.pk}|" in page.get(a="MOVE").content.decode()) is is_member
    moved = page.post("move", place=place)
    assert moved.status_code == (200 if is_member else 409)
    assert (page.now().session_id == far.pk) is is_member
    if is_member:
        with story.inside():
            scheduling.cancel(appointment_id=booked.pk, reason="patient", now=story.now, by=None)
        assert page.post("again", place=place, sequence=1).status_code == 200
        with story.inside():
            assert Appointment.objects.filter(session=far, state="booked").count() == 1
