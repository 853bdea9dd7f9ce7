"""What is said while a patient waits: once, to those who can be reached, and never after they were called."""

from datetime import UTC, datetime, timedelta

import pytest

from careloop.consent import services as consent
from careloop.kernel import sql
from careloop.messaging.models import Message
from careloop.messaging.tests.support import phone_of
from careloop.patients import sealing
from careloop.reminders import services
from careloop.waitingroom import services as queue
from careloop.waitingroom.tests import make as room

from .support import Story

NINE = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)  # Monday, 9:00 in Taipei
MINUTE = timedelta(minutes=1)


class Morning(Story):
    """A session with a queue, in which somebody is told two numbers before."""

    def __init__(self, organization) -> None:
        super().__init__(organization, NINE)
        self.held = self.session(days=0, mode="NUMBERS")
        with self.inside():
            room.rules(near=2, self_check_in="OPEN")

    def come(self, someone=None, *, how="DESK"):
        """Somebody books for today and checks in; return the ticket."""
        booked = self.book(self.held, someone or self.patient())
        self.now += MINUTE
        with self.inside():
            return queue.check_in(appointment_id=booked.pk, how=how, now=self.now, by=None)

    def fill(self, count) -> None:
        """So many others come first, who cannot be reached."""
        for _ in range(count):
            self.come(self.patient(name="陳大文"))

    def see_next(self):
        self.now += MINUTE
        with self.inside():
            called = queue.call_next(session_id=self.held.pk, room_id=None, now=self.now, by=None)
            return queue.finish(ticket_id=called["id"], now=self.now, by=None)

    def told(self, ticket=None, *, state="accepted"):
        with self.inside():
            found = Message.objects.filter(origin="queue").order_by("planned_at", "id")
            if state:
                found = found.filter(state=state)
            if ticket is not None:
                found = found.filter(origin_id=str(ticket["id"]))
            return [one.key.split(":")[3] for one in found]

    def only(self, **chosen) -> None:
        with self.inside():
            services.save(given={"number_link": False, "turn_near": False, **chosen}, now=self.now, by=None)


@pytest.fixture
def morning(committed_organization, now):
    made = Morning(committed_organization)
    yield made
    made.close()


def test_somebody_who_waits_is_called_back_some_numbers_before_their_turn(morning):
    morning.only(turn_near=True)
    someone = morning.patient()
    morning.fill(4)
    ticket = morning.come(someone)
    morning.turn()
    assert morning.told() == []

    morning.see_next()
    morning.turn()
    assert morning.told() == []  # three are before them still

    morning.see_next()
    morning.turn(seconds=20)

    assert morning.told(ticket) == ["near"]
    with morning.inside():
        (said,) = phone_of(someone)
    for part in (f"號碼：{ticket['label']}", "前面還有 2 位", "預估叫號：09:", "林怡君", "門診", "1 診"):
        assert part in said["text"]
    (tap,) = said["buttons"]
    assert tap["label"] == "看診進度"
    assert "/p/n/" in tap["url"]
    for _turn in range(2):
        morning.see_next()
        morning.turn()
    assert morning.told(ticket) == ["near"]


def test_the_desk_checks_somebody_in_and_the_phone_gets_the_number(morning):
    morning.only(number_link=True)
    someone = morning.patient(line=True, language="en")
    ticket = morning.come(someone)
    morning.turn()
    morning.turn(minutes=1)

    assert morning.told() == ["number"]
    with morning.inside():
        (said,) = phone_of(someone)
        message = Message.objects.get(origin="queue")
    assert f"Your number: {ticket['label']}" in said["text"]
    assert (message.message_class, message.channel, message.at_once) == ("OPERATIONAL", "line", True)


def test_who_checks_in_on_the_phone_sees_the_number_there_and_is_sent_nothing(morning):
    morning.only(number_link=True)
    morning.come(how="LINE")
    morning.turn()

    assert morning.told(state="") == []


@pytest.mark.parametrize("what", ["called", "left", "held", "seen"])
def test_nothing_is_said_once_they_do_not_wait_any_more(morning, what):
    ticket = morning.come()
    morning.see_next() if what == "seen" else None
    morning.fill(1)
    with morning.inside():
        if what == "called":
            queue.call_next(session_id=morning.held.pk, room_id=None, now=morning.now, by=None)
        elif what == "left":
            queue.leave(ticket_id=ticket["id"], now=morning.now, by=None)
        elif what == "held":
            queue.hold(ticket_id=ticket["id"], held_for="X 光", now=morning.now, by=None)
    morning.turn()

    assert morning.told(state="") == []


def test_a_message_that_was_planned_dies_when_the_number_is_called(morning):
    morning.only(turn_near=True)
    morning.fill(4)
    morning.see_next()
    ticket = morning.come()
    morning.see_next()
    morning.read()
    assert morning.told(ticket, state="planned") == ["near"]

    with morning.inside():
        queue.call(ticket_id=ticket["id"], room_id=None, now=morning.now, by=None)
    morning.send()

    assert morning.told(ticket) == []
    with morning.inside():
        assert [(one.state, one.reason) for one in Message.objects.filter(origin="queue")] == [("cancelled", "version")]


def test_called_between_the_claim_and_the_leaving_it_does_not_leave(morning, monkeypatch):
    from careloop.messaging import dispatch

    morning.only(number_link=True)
    ticket = morning.come()
    morning.read()
    asked = dispatch.outgoing.without_changed

    def called_meanwhile(*given, **named):
        sql.execute("update waitingroom_ticket set state = 'CALLED', called_at = now() where id = %s", [ticket["id"]])
        return asked(*given, **named)

    monkeypatch.setattr(dispatch.outgoing, "without_changed", called_meanwhile)
    morning.send()

    assert morning.told() == []
    assert morning.told(state="cancelled") == ["number"]


def test_who_has_no_channel_is_left_out_without_a_word(morning):
    morning.come(morning.patient(name="陳大文"))
    morning.turn()

    assert morning.told(state="") == []


def test_a_refused_channel_is_respected(morning):
    someone = morning.patient(line=True)
    with morning.inside():
        consent.withdraw(patient_id=someone, purpose="CARE", channel="line", source="desk", now=morning.now, by=None)
    morning.come(someone)
    morning.turn()

    assert morning.told() == []
    assert morning.told(state="blocked") == ["number"]
    with morning.inside():
        assert phone_of(someone) == []


def test_a_child_s_guardian_is_told(morning):
    mother = morning.patient(line=True, name="林淑芬")
    child = morning.patient(name="王小寶", guardian=mother)
    with morning.inside():
        sealing.create_keys([child])
    ticket = morning.come(child)
    morning.turn()

    assert morning.told(ticket) == ["number"]


def test_both_can_be_switched_off(morning):
    morning.only()
    morning.fill(1)
    morning.see_next()
    morning.come()
    morning.come()
    morning.turn()

    assert morning.told(state="") == []


def test_old_news_from_a_queue_is_no_news(morning):
    morning.come()
    morning.now += timedelta(minutes=20)
    morning.read()

    assert morning.told(state="") == []


def test_who_comes_back_after_leaving_is_told_of_the_new_place(morning):
    morning.only(turn_near=True)
    ticket = morning.come()
    with morning.inside():
        queue.leave(ticket_id=ticket["id"], now=morning.now, by=None)
        morning.now += MINUTE
        again = queue.check_in(appointment_id=ticket["appointment_id"], how="DESK", now=morning.now, by=None)
    morning.fill(3)
    morning.see_next()
    morning.turn()

    assert again["state"] == "WAITING"
    assert len(morning.told(ticket)) <= 1
