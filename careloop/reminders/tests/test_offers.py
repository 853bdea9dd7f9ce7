"""Somebody on the waitlist is asked about a freed place: once, in time, with a deadline, and never about one that is gone."""

from datetime import UTC, date, datetime, timedelta
from unittest import mock

import pytest
from django.test import Client

from careloop.events.readers import run_reader
from careloop.events.registry import READERS
from careloop.followups.models import FollowUp
from careloop.messaging import inbound, links
from careloop.messaging.models import Message
from careloop.messaging.tests.support import phone_of
from careloop.scheduling import handlers as by_clock
from careloop.scheduling import sessions, waitlist
from careloop.scheduling.models import Appointment, WaitlistEntry, WaitlistOffer

from .support import Story


class Waiting(Story):
    """A full half hour tomorrow morning, and people who wait for it."""

    def wish(self, someone, **more) -> WaitlistEntry:
        with self.inside():
            values = {
                "first_date": date(2026, 3, 16),
                "last_date": date(2026, 4, 16),
                "now": self.now,
                "by": None,
                **more,
            }
            return waitlist.join(patient_id=someone, service_id=self.clinic.service.pk, **values)

    def read(self) -> None:
        for name in ("waitlist.wishes", "waitlist"):
            while run_reader(READERS[name], self.organization.id, now=self.now):
                pass
        super().read()

    def turn(self, **later) -> None:
        self.now += timedelta(**later)
        by_clock.by_the_clock(self.organization.id, now=self.now)
        super().turn()

    def full(self, **how):
        """One half hour, taken by somebody else."""
        held = self.session(hours=0.5, **how)
        return held, self.book(held, self.patient())

    def tap(self, message, answer: str, *, turn: int = 0) -> None:
        """The patient taps on a button of a message."""
        with self.inside():
            inbound.hear(
                patient_id=message.patient_id, channel="line", account_id=None, event_id=f"tap:{message.pk}:{answer}:{turn}", kind="POSTBACK",
                text="", answer=answer, label="", occurred_at=self.now, now=self.now,
                message={"id": message.pk, "origin": message.origin, "origin_id": message.origin_id, "message_class": "OPERATIONAL",
                         "template": "place-offered"},
            )  # fmt: skip

    def asked(self, someone):
        with self.inside():
            return Message.objects.get(patient_id=someone, key__endswith=":offer")

    def texts(self, someone) -> list[str]:
        with self.inside():
            return [one["text"] for one in phone_of(someone)]

    def page(self, message, data=None, query=""):
        url = f"/p/a/{links.token_of(self.organization.id, message.pk)}/{query}"
        with mock.patch("django.utils.timezone.now", return_value=self.now):
            return Client().post(url, data) if data is not None else Client().get(url)


@pytest.fixture
def story(committed_organization, now):
    made = Waiting(committed_organization, now)
    yield made
    made.close()


@pytest.fixture
def asked(story):
    """Somebody waits, the place comes free, and they are asked: (patient, wish, session)."""
    held, taken = story.full()
    someone = story.patient()
    entry = story.wish(someone)
    story.cancel(taken)
    story.turn(minutes=1)
    return someone, entry, held


def test_who_waits_is_told_time_place_and_deadline_with_three_buttons_and_never_the_service(story, asked):
    someone, _entry, _held = asked
    with story.inside():
        (said,) = phone_of(someone)
        service = story.clinic.service.name
        offer = WaitlistOffer.objects.get()

    until = offer.answer_by + timedelta(hours=8)
    for part in ("有空位", "3月17日（二） 09:00", "林怡君", f"保留到 3月16日（一） {until:%H:%M}", "仍在候補名單"):
        assert part in said["text"], part
    assert service not in said["text"]
    assert [tap["label"] for tap in said["buttons"]] == ["我要這個時段", "這次不要", "不再候補"]
    take, decline, leave = said["buttons"]
    assert take["data"]
    assert decline["data"]
    assert "?a=OFF_LIST" in leave["url"]


def test_one_tap_takes_the_place_and_one_confirmation_follows(story, asked):
    someone, entry, _held = asked
    story.tap(story.asked(someone), "TAKE")
    story.turn(minutes=1)
    story.tap(story.asked(someone), "TAKE", turn=1)
    story.turn(minutes=1)

    with story.inside():
        booked = Appointment.objects.get(patient_id=someone, state="booked")
        assert WaitlistEntry.objects.get(pk=entry.pk).state == "BOOKED"
    assert story.said(booked) == ["offer", "booked"]


def test_a_clinic_without_confirmations_still_answers_the_tap(story, asked):
    from careloop.reminders import services

    with story.inside():
        services.save(given={"confirmation": False}, now=story.now, by=None)
    story.tap(story.asked(asked[0]), "TAKE")
    story.turn(minutes=1)

    assert len(story.texts(asked[0])) == 2


def test_who_does_not_want_it_hears_that_they_stay_and_the_next_is_asked(story, asked):
    someone, entry, _held = asked
    other = story.patient()
    story.wish(other)
    story.tap(story.asked(someone), "PASS")
    story.turn(minutes=1)
    story.turn(minutes=1)

    assert "仍在候補名單" in story.texts(someone)[-1]
    assert len(story.texts(other)) == 1
    with story.inside():
        assert WaitlistEntry.objects.get(pk=entry.pk).state == "WAITING"


def test_a_tap_that_comes_too_late_hears_so(story, asked):
    someone, _entry, held = asked
    other = story.patient()
    story.wish(other)
    late = story.asked(someone)
    story.turn(hours=1, minutes=2)
    story.turn(minutes=1)
    story.tap(story.asked(other), "TAKE")
    story.turn(minutes=1)

    story.tap(late, "TAKE")
    story.turn(minutes=1)

    assert "不再為您保留" in story.texts(someone)[-1]
    assert "仍在候補名單" in story.texts(someone)[-1]
    with story.inside():
        assert Appointment.objects.get(session=held, state="booked").patient_id == other


def test_no_after_yes_shows_the_visit_with_the_way_to_call_it_off(story, asked):
    someone, _entry, _held = asked
    message = story.asked(someone)
    story.tap(message, "TAKE")
    story.turn(minutes=1)
    story.tap(message, "PASS")
    story.turn(minutes=1)

    with story.inside():
        assert Appointment.objects.get(patient_id=someone).state == "booked"
        assert [tap["label"] for tap in phone_of(someone)[-1]["buttons"]] == ["我會到", "改時間", "不能來"]


def test_an_offer_that_is_over_before_its_message_leaves_is_never_spoken_of(story):
    held, taken = story.full()
    someone = story.patient()
    story.wish(someone)
    story.cancel(taken)
    story.read()
    with story.inside():
        assert Message.objects.get(patient_id=someone).state == "planned"
        sessions.close_session(session_id=held.pk, reason="颱風", now=story.now, by=None)
    story.send()
    story.turn(minutes=1)

    assert story.texts(someone) == []
    with story.inside():
        assert Message.objects.get(patient_id=someone).reason == "version"


def test_a_message_that_waited_past_the_deadline_does_not_leave(story):
    _held, taken = story.full(days=3)
    someone = story.patient()
    story.wish(someone)
    story.cancel(taken)
    story.read()
    story.now += timedelta(hours=2)  # the worker stood still; nobody has ended the offer yet
    story.send()

    assert story.texts(someone) == []


def test_who_was_asked_is_told_when_the_place_is_taken_back(story, asked):
    someone, _entry, held = asked
    with story.inside():
        sessions.close_session(session_id=held.pk, reason="颱風", now=story.now, by=None)
    story.turn(minutes=1)

    said = story.texts(someone)
    assert len(said) == 2
    assert "不再為您保留" in said[1]


def test_at_night_the_message_waits_for_the_morning_and_so_does_the_deadline(story):
    story.now = datetime(2026, 3, 16, 15, 0, tzinfo=UTC)  # eleven at night in Taipei
    _held, taken = story.full(days=3)
    someone = story.patient()
    story.wish(someone)
    story.cancel(taken)
    story.turn(minutes=1)
    assert story.texts(someone) == []

    story.until(datetime(2026, 3, 17, 0, 0, tzinfo=UTC))
    story.turn(minutes=2)

    assert len(story.texts(someone)) == 1
    with story.inside():
        assert WaitlistOffer.objects.get().answer_by > story.now


def test_who_cannot_be_reached_by_message_is_called(story):
    _held, taken = story.full()
    someone = story.patient(name="沒有電話")
    entry = story.wish(someone)
    story.cancel(taken)
    story.turn(minutes=1)

    with story.inside():
        call = FollowUp.objects.get(patient_id=someone)
        assert call.priority == 1
        assert "林怡君" in call.title
        waitlist.accept(offer_id=WaitlistOffer.objects.get(entry=entry).pk, now=story.now, by=None)
    story.turn(minutes=1)
    with story.inside():
        assert FollowUp.objects.get(patient_id=someone).state == "CANCELLED"


@pytest.mark.parametrize("way", ["phone", "email"])
def test_sms_and_mail_lead_to_a_page_where_one_tap_takes_it(story, way):
    _held, taken = story.full()
    someone = story.patient(**{way: True})
    story.wish(someone)
    story.cancel(taken)
    story.turn(minutes=1)
    with story.inside():
        (said,) = phone_of(someone)
    assert "/p/a/" in (said["text"] if way == "phone" else said["buttons"][0]["url"])
    message = story.asked(someone)

    assert "有空位" in story.page(message).content.decode()
    with story.inside():
        assert WaitlistOffer.objects.get().state == "OPEN", "looking does nothing"
    assert "是您的了" in story.page(message, {"do": "take"}).content.decode()
    assert "是您的了" in story.page(message, {"do": "take"}).content.decode(), "a double click is one"
    with story.inside():
        assert Appointment.objects.filter(patient_id=someone, state="booked").count() == 1


def test_the_page_leaves_the_place_or_the_list_and_says_what_is_gone(story, asked):
    someone, entry, held = asked
    message = story.asked(someone)

    assert story.page(message, {"do": "dance"}).status_code == 422
    story.page(message, {"do": "pass"})
    page = story.page(message, {"do": "take"})
    assert page.status_code == 409
    assert "仍在候補名單" in page.content.decode()

    story.page(message, {"do": "leave"})
    with story.inside():
        assert WaitlistEntry.objects.get(pk=entry.pk).state == "LEFT"
        assert not Appointment.objects.filter(session=held, state="booked").exists()
    assert "不在候補名單" in story.page(message).content.decode()


def test_an_earlier_place_says_which_visit_is_given_up_for_it(story):
    _held, taken = story.full()
    someone = story.patient()
    later = story.book(story.session(days=9), someone)
    story.turn(minutes=1)
    story.wish(someone, instead_of_id=later.pk)
    story.cancel(taken)
    story.turn(minutes=1)

    asked = story.asked(someone)
    assert "3月25日（三） 09:00 的看診會取消" in story.texts(someone)[-1]
    assert "3月25日（三） 09:00" in story.page(asked).content.decode()

    story.tap(asked, "TAKE")
    story.turn(minutes=1)
    with story.inside():
        assert Appointment.objects.get(pk=later.pk).cancel_reason == "replaced"


def test_nobody_waits_for_what_they_have_found_some_other_way(story):
    story.full()
    someone = story.patient()
    entry = story.wish(someone)
    story.book(story.session(days=4), someone)
    story.turn(minutes=1)

    with story.inside():
        assert WaitlistEntry.objects.get(pk=entry.pk).state == "LEFT"


def test_who_calls_the_later_visit_off_does_not_wait_for_an_earlier_one(story):
    story.full()
    someone = story.patient()
    later = story.book(story.session(days=9), someone)
    entry = story.wish(someone, instead_of_id=later.pk)
    story.cancel(later)
    story.turn(minutes=1)

    with story.inside():
        assert WaitlistEntry.objects.get(pk=entry.pk).state == "LEFT"
