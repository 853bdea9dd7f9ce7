"""Who is called: the unconfirmed who are likely to miss their visit, and those who did not come."""

from datetime import date, timedelta

import pytest

from careloop.followups.models import FollowUp
from careloop.reminders import services
from careloop.reminders.calls import FACTORS
from careloop.reminders.rules import risk_on
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.scheduling.models import Appointment

from .support import DAY, Story


@pytest.fixture
def story(committed_organization, now):
    made = Story(committed_organization, now)
    yield made
    made.close()


def calls(story, **more):
    with story.inside():
        return list(FollowUp.objects.filter(origin="appointment", **more).order_by("created_at"))


def known(story, *, first=False, **how):
    """A visit in ten days of somebody who was here before, and came."""
    someone = story.patient(**how)
    booked = story.book(story.session(days=10), someone)
    with story.inside():
        Appointment.objects.filter(pk=booked.pk).update(is_first_visit=first)
    return booked


def test_every_factor_of_the_rule_is_known_and_says_where_it_is_from():
    rule = risk_on(date(2026, 3, 16))

    assert set(rule.points) <= set(FACTORS)
    assert all(rule.why.values())
    assert "Tsai2019" in rule.source


def test_an_unconfirmed_first_visit_booked_long_ago_is_called_the_afternoon_before(story):
    booked = known(story, first=True, line=True)
    story.until(booked.starts_at - timedelta(hours=20))  # 13:00 on the day before
    assert calls(story) == []
    story.turn(hours=1)

    (call,) = calls(story)
    assert (call.kind, call.state, call.patient_id) == ("CALL", "OPEN", booked.patient_id)
    assert "03/26 09:00" in call.title
    assert call.script
    story.turn(hours=2)
    assert len(calls(story)) == 1


def test_who_is_known_to_come_is_not_called(story):
    booked = known(story, line=True)
    story.until(booked.starts_at)

    assert calls(story) == []


def test_who_has_confirmed_is_not_called_and_a_call_ends_when_the_patient_confirms(story):
    booked = known(story, first=True, line=True)
    story.until(booked.starts_at - timedelta(hours=18))
    (call,) = calls(story, state="OPEN")
    with story.inside():
        scheduling.confirm(appointment_id=booked.pk, sequence=0, now=story.now, by=None)
    story.turn(minutes=1)

    assert calls(story, state="OPEN") == []
    with story.inside():
        call.refresh_from_db()
    assert (call.state, call.outcome_note) == ("CANCELLED", "病人已確認會到。")
    story.until(booked.starts_at)
    assert len(calls(story)) == 1


@pytest.mark.parametrize("what", ["cancel", "move"])
def test_a_call_ends_when_the_visit_is_another_one(story, what):
    booked = known(story, first=True, line=True)
    story.until(booked.starts_at - timedelta(hours=18))
    if what == "cancel":
        story.cancel(booked)
    else:
        story.move(booked, story.session(days=6))
    story.turn(minutes=1)

    assert calls(story, state="OPEN") == []


def test_an_earlier_no_show_is_enough_for_a_call_and_is_followed_up_once(story):
    someone = story.patient(line=True)
    missed = story.session(days=1)
    story.book(missed, someone)
    story.until(missed.ends_at + timedelta(hours=1))
    with story.inside():
        sessions.finish(session_id=missed.pk, now=story.now, by=None)
    story.turn(minutes=1)
    (again,) = calls(story, kind="VISIT")
    assert again.state == "OPEN"
    assert "03/17" in again.title

    story.turn(minutes=1)
    assert len(calls(story, kind="VISIT")) == 1
    booked = story.book(story.session(days=8), someone)
    story.turn(minutes=1)
    assert calls(story, kind="VISIT", state="OPEN") == []

    with story.inside():
        Appointment.objects.filter(pk=booked.pk).update(is_first_visit=False)
    story.until(booked.starts_at - timedelta(hours=18))
    assert [call.patient_id for call in calls(story, kind="CALL", state="OPEN")] == [someone]


def test_both_can_be_switched_off(story):
    with story.inside():
        services.save(given={"call_list": False, "rebook": False}, now=story.now, by=None)
    booked = known(story, first=True, line=True)
    story.until(booked.starts_at + DAY)
    with story.inside():
        sessions.finish(session_id=booked.session_id, now=story.now, by=None)
    story.turn(minutes=1)

    assert calls(story) == []
