"""From a message to the number in the waiting room: “I am here” in LINE, the live number, and what the links never do."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from careloop.messaging.tests.support import phone_of
from careloop.reminders import planning
from careloop.reminders.tests.support import Story
from careloop.scheduling import services as scheduling
from careloop.waitingroom import links, live
from careloop.waitingroom import services as queue
from careloop.waitingroom.models import Ticket
from careloop.waitingroom.tests.make import rules

MINUTE = timedelta(minutes=1)


@pytest.fixture
def story(committed_organization):
    committed_organization.quiet_from_hour = committed_organization.quiet_to_hour = 0  # the pages go by the real clock
    made = Story(committed_organization, timezone.now())
    with made.inside():
        committed_organization.save()
    live.forget()
    yield made
    live.forget()
    made.close()


@pytest.fixture
def visit(story):
    """A visit in half an hour, whose reminder of the day lies on the patient's LINE."""
    someone = story.patient()
    starts_at = story.now + 30 * MINUTE
    with story.inside():
        from careloop.scheduling.tests import make

        held = make.session(story.clinic, mode="NUMBERS", starts_at=starts_at)
        booked = make.book(story.clinic, held, someone, now=story.now - timedelta(days=2))
        planning.tell_one("today", "visit-reminder-today", appointment_id=booked.pk, state="booked", now=story.now)
    story.send()
    return booked


def tap(story, one, label):
    """Where a button of the newest message leads."""
    with story.inside():
        said = phone_of(one.patient_id)[-1]
    url = next(button["url"] for button in said["buttons"] if button["label"] == label)
    return url[url.index("/p/") :]


def state_of(story, one):
    with story.inside():
        return Ticket.objects.filter(appointment=one.pk).values_list("state", "how").first()


def test_a_tap_in_line_asks_once_and_checks_in(story, visit):
    browser = Client(enforce_csrf_checks=True, headers={"user-agent": "Mozilla/5.0 (iPhone) Safari Line/15.0.0"})
    with story.inside():
        rules(self_check_in="OPEN")
    link = tap(story, visit, "我到了，報到")
    assert "您在診所了嗎？" in browser.get(link).content.decode()
    assert state_of(story, visit) is None  # looking does nothing

    page = browser.post(link)["Location"]

    assert re.fullmatch(r"/p/q/[\w-]{43}/", page)
    assert state_of(story, visit) == ("WAITING", "LINE")
    assert browser.get(page).status_code == 200
    assert browser.get(link)["Location"] == page


def test_from_home_the_clinics_code_is_asked_for_and_at_the_clinic_it_is_enough(story, visit):
    browser = Client()
    with story.inside():
        rules(self_check_in="CODE")

    page = browser.post(tap(story, visit, "我到了，報到"))["Location"]
    assert browser.get(page).status_code == 200
    assert state_of(story, visit) == ("EXPECTED", "")

    code = links.code_for(story.organization.id, visit.location_id, now=timezone.now())
    assert browser.post(f"/p/q/here/{code}/", {"what": "mine"}).status_code == 302
    assert state_of(story, visit) == ("WAITING", "QR")


def test_the_link_in_what_is_said_at_the_desk_shows_the_live_number(story, visit):
    with story.inside():
        ticket = queue.check_in(appointment_id=visit.pk, how="DESK", now=story.now, by=None)
    story.turn(seconds=1)
    browser = Client()

    page = browser.get(tap(story, visit, "看診進度"))["Location"]

    assert ticket["label"] in browser.get(page).content.decode()


def test_a_visit_called_off_leads_to_the_visit_and_makes_no_number(story, visit):
    link = tap(story, visit, "我到了，報到")
    with story.inside():
        scheduling.cancel(appointment_id=visit.pk, reason="clinic", now=story.now, by=None)

    for ask in (Client().get, Client().post):
        assert ask(link)["Location"] == link.replace("/p/n/", "/p/a/")
    assert state_of(story, visit) is None


def test_a_made_up_link_opens_nothing(story):
    assert Client().get(f"/p/n/{'x' * 43}/").status_code == 404
    assert Client().post(f"/p/n/{'x' * 43}/").status_code == 404


def test_the_page_of_a_visit_of_today_leads_to_the_number(story, visit):
    link = tap(story, visit, "我到了，報到")
    starts = visit.starts_at.astimezone(timezone.get_fixed_timezone(480)).date()
    is_today = starts == timezone.now().astimezone(timezone.get_fixed_timezone(480)).date()

    assert (link in Client().get(link.replace("/p/n/", "/p/a/")).content.decode()) == is_today
