"""What a patient is told of a visit: at once, before it, and when it changes."""

from datetime import UTC, datetime, timedelta

import pytest

from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.messaging.models import Message
from careloop.messaging.tests.support import phone_of
from careloop.reminders import services
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.scheduling.tests import make

from .support import Story

TEN = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # Monday, 10:00 in Taipei


@pytest.fixture
def story(committed_organization, now):
    made = Story(committed_organization, now)
    yield made
    made.close()


def texts_of(story, someone):
    with story.inside():
        return [one["text"] for one in phone_of(someone)]


def test_a_booking_is_confirmed_at_once_and_spoken_of_three_times(story):
    someone = story.patient()
    booked = story.book(story.session(days=10), someone)
    story.turn(minutes=1)

    assert story.said(booked) == ["booked"]

    story.until(booked.starts_at)

    assert story.said(booked) == ["booked", "early", "day", "today"]
    hours = [(one.accepted_at.date().day, one.accepted_at.hour + 8) for one in story.messages(booked)]
    assert hours[1:] == [(21, 10), (25, 10), (26, 8)]


def test_the_words_name_time_place_and_practitioner_and_the_cost_but_never_the_service(story):
    someone = story.patient(line=True, name="王小明")
    booked = story.book(story.session(days=10), someone)
    story.turn()

    with story.inside():
        (said,) = phone_of(someone)
        service = booked.service.name

    for part in ("安心診所", "3月26日（四） 09:00", "林怡君", "門診", "另一位病友"):
        assert part in said["text"]
    assert service not in said["text"]
    assert [tap["label"] for tap in said["buttons"]] == ["我會到", "改時間", "不能來"]
    confirm, move, cancel = said["buttons"]
    assert confirm["data"]
    assert "/p/a/" in move["url"]
    assert cancel["url"].endswith("?a=CANCEL")


@pytest.mark.parametrize("way", ["phone", "email"])
def test_sms_and_mail_carry_a_link_instead_of_taps(story, way):
    someone = story.patient(**{way: True})
    story.book(story.session(days=10), someone)
    story.turn()

    with story.inside():
        (said,) = phone_of(someone)

    assert "/p/a/" in (said["text"] if way == "phone" else said["buttons"][0]["url"])


def test_who_books_two_days_ahead_gets_no_reminder_of_three_days(story):
    booked = story.book(story.session(days=2, hour=6), story.patient())
    story.until(booked.starts_at)

    assert story.said(booked) == ["booked", "day", "today"]


def test_who_books_today_for_today_is_confirmed_only(story):
    booked = story.book(story.session(days=0, hour=6), story.patient())
    story.until(booked.starts_at)

    assert story.said(booked) == ["booked"]


def test_a_move_kills_the_old_words_and_tells_old_and_new_time(story):
    someone = story.patient()
    booked = story.book(story.session(days=10), someone)
    story.turn()
    story.until(TEN + timedelta(days=4, hours=6))  # the reminder some days before is planned
    moved = story.move(booked, story.session(days=8, hour=7))
    story.turn()

    assert story.said(booked) == ["booked", "moved"]
    assert "3月26日（四） 09:00" in texts_of(story, someone)[-1]
    assert "3月28日（六） 15:00" in texts_of(story, someone)[-1]
    story.until(moved.starts_at)
    assert story.said(booked) == ["booked", "moved", "early", "day", "today"]
    assert {one.appointment_sequence for one in story.messages(booked)[1:]} == {1}
    with story.inside():
        dead = Message.objects.get(key=f"appointment:{booked.pk}:0:early")
        assert (dead.state, dead.reason) == ("cancelled", "version")


def test_two_moves_before_anybody_was_told_are_told_as_one_from_the_time_the_patient_knows(story):
    someone = story.patient()
    booked = story.book(story.session(days=10), someone)
    story.turn()
    story.move(booked, story.session(days=11))
    story.read()  # the notice is planned, and not sent yet
    story.move(booked, story.session(days=12))
    story.turn()

    assert story.said(booked) == ["booked", "moved"]
    last = texts_of(story, someone)[-1]
    assert "3月26日（四）" in last
    assert "3月28日（六）" in last
    assert "3月27日" not in last


def test_a_move_there_and_back_says_how_it_is_and_no_old_time(story):
    someone = story.patient()
    first = story.session(days=10)
    booked = story.book(first, someone)
    story.turn()
    story.move(booked, story.session(days=11))
    story.read()
    story.move(booked, first)
    story.turn()

    assert story.said(booked) == ["booked", "moved"]
    assert "不再有效" not in texts_of(story, someone)[-1]


@pytest.mark.parametrize(
    ("reason", "word"), [("clinic", "很抱歉"), ("patient", "已為您取消"), ("replaced", "已為您取消")]
)  # fmt: skip
def test_a_cancelled_visit_is_told_and_nothing_else_any_more(story, reason, word):
    someone = story.patient()
    booked = story.book(story.session(days=10), someone)
    story.turn()
    story.cancel(booked, reason)
    story.until(booked.starts_at)

    assert story.said(booked) == ["booked", "cancelled"]
    assert word in texts_of(story, someone)[-1]


def test_who_is_here_and_is_called_off_hears_what_is_true_and_no_reminder_of_it(story):
    someone, later = story.patient(), story.session(days=0, hour=9)
    booked = story.book(later, someone)
    story.turn(minutes=1)
    with story.inside():
        scheduling.arrive(appointment_id=booked.pk, now=story.now, by=None)
    story.turn(minutes=1)
    story.cancel(booked, "clinic")
    story.until(booked.starts_at)

    assert story.said(booked) == ["booked", "cancelled"]
    assert "很抱歉" in texts_of(story, someone)[-1]


def test_who_is_called_off_after_the_visit_should_have_begun_is_not_written_to(story):
    someone, later = story.patient(), story.session(days=0, hour=5)
    booked = story.book(later, someone)
    story.turn(minutes=1)
    with story.inside():
        scheduling.arrive(appointment_id=booked.pk, now=story.now, by=None)
    story.until(booked.starts_at)
    story.turn(minutes=5)
    story.cancel(booked, "patient")
    story.turn(minutes=5)

    assert story.said(booked) == ["booked"]


def test_a_closed_session_is_told_to_everybody_with_another_time_to_choose(story):
    session = story.session(days=3)
    people = [story.patient() for _one in range(4)]
    for number, someone in enumerate(people):
        story.book(session, someone, at=session.starts_at + timedelta(minutes=30 * number))
    story.turn()
    with story.inside():
        sessions.close_session(session_id=session.pk, reason="颱風", now=story.now, by=None)
    story.turn()

    for someone in people:
        assert "停診" in texts_of(story, someone)[-1]
        with story.inside():
            assert "/p/a/" in phone_of(someone)[-1]["buttons"][0]["url"]
    story.until(session.ends_at)
    assert len(story.messages()) == 8


def test_a_substitute_is_told_and_the_time_stays(story):
    session, someone = story.session(days=3), story.patient()
    booked = story.book(session, someone)
    story.turn()
    with story.inside():
        other = make.practitioner("陳大文")
        sessions.substitute(session_id=session.pk, practitioner_id=other.pk, now=story.now, by=None)
    story.turn()

    assert story.said(booked) == ["booked", "substitute"]
    assert "陳大文代診" in texts_of(story, someone)[-1]


def test_at_night_only_who_booked_by_themselves_is_answered(story):
    story.until(TEN + timedelta(hours=12))  # 22:00
    own = story.book(story.session(days=4), story.patient(), source="portal")
    other = story.book(story.session(days=5), story.patient(), source="phone")
    story.turn()

    assert story.said(own) == ["booked"]
    assert story.said(other) == []
    story.until(TEN + timedelta(days=1))
    assert story.said(other) == ["booked"]


def test_a_message_at_night_whose_visit_is_before_the_morning_is_dropped(story):
    with story.inside():
        story.organization.quiet_to_hour = 10
        story.organization.save()
    booked = story.book(story.session(days=2, hour=1), story.patient())
    story.until(booked.starts_at + timedelta(hours=3))

    assert story.said(booked) == ["booked", "day"]
    with story.inside():
        late = Message.objects.get(key=f"appointment:{booked.pk}:0:today")
        assert late.state in ("blocked", "cancelled")
        assert late.reason == "too_late"


def test_what_is_switched_off_is_not_said(story):
    with story.inside():
        services.save(given={"confirmation": False, "day_before": False, "early": False}, now=story.now, by=None)
    booked = story.book(story.session(days=10), story.patient())
    story.until(booked.starts_at)

    assert story.said(booked) == ["today"]


def test_planning_again_and_again_says_everything_once(story):
    booked = story.book(story.session(days=2, hour=6), story.patient())
    for _round in range(3):
        story.read()
        story.plan()
        with story.inside():
            sql.execute("update events_position set xid = 0, event_id = 0 where reader = 'reminders'")
        story.turn()

    assert story.said(booked) == ["booked"]


def test_a_hold_that_runs_out_or_is_given_up_is_told_to_nobody(story):
    session, someone = story.session(days=3), story.patient()
    held = story.book(session, someone, state="pending", held_until=story.now + timedelta(minutes=15))
    story.turn()
    with story.inside():
        scheduling.cancel(appointment_id=held.pk, reason="clinic", now=story.now, by=None)
    offered = story.book(session, someone, state="proposed", held_until=story.now + timedelta(minutes=15))
    story.turn()
    with story.inside():
        sessions.close_session(session_id=session.pk, reason="", now=story.now, by=None)
    story.turn()

    assert story.messages(state="") == []
    assert offered.state == "proposed"


def test_whom_no_message_can_tell_of_a_change_is_called(story):
    someone = story.patient(phone=False, name="無聯絡方式")
    booked = story.book(story.session(days=3), someone)
    story.turn()
    story.cancel(booked, "clinic")
    story.turn()

    with story.inside():
        (call,) = FollowUp.objects.filter(origin="appointment")
    assert (call.kind, call.priority, call.patient_id) == ("CALL", 1, someone)
