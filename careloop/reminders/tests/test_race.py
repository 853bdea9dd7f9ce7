"""A visit is moved while its message is on its way: the last moment before it leaves decides."""

import threading
from datetime import timedelta

import pytest

from careloop.messaging import outgoing
from careloop.messaging.dispatch import Dispatcher
from careloop.messaging.models import ChannelAccount, Message
from careloop.messaging.tests.support import phone_of

from .support import Story


@pytest.fixture
def story(committed_organization, now):
    made = Story(committed_organization, now, channels=("line",))
    yield made
    made.close()


def in_a_thread(work):
    """Do it on a connection of its own, as another process would, and wait until it is committed."""
    from django.db import connection

    problems = []

    def run():
        try:
            work()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    if problems:
        raise problems[0]


def state_of(story, key):
    with story.inside():
        found = Message.objects.get(key=key)
        return found.state, found.reason


def test_a_move_committed_after_the_claim_stops_what_was_claimed(story, monkeypatch):
    someone = story.patient()
    booked = story.book(story.session(days=4), someone)
    later = story.session(days=5)
    story.read()
    claim = outgoing.claim

    def claim_then_move(*given, **named):
        ready = claim(*given, **named)
        if ready and not moved:
            moved.append(True)
            then.append(lambda: story.move(booked, later))
        return ready

    # the move commits once the claim has: between the two transactions of the dispatcher
    moved, then = [], []
    monkeypatch.setattr(outgoing, "claim", claim_then_move)
    without = outgoing.without_changed

    def move_first(*given, **named):
        while then:
            in_a_thread(then.pop())
        return without(*given, **named)

    monkeypatch.setattr(outgoing, "without_changed", move_first)
    story.send()

    assert moved
    assert state_of(story, f"appointment:{booked.pk}:0:booked") == ("cancelled", "version")
    story.turn(minutes=1)
    assert story.said(booked) == ["moved"]
    with story.inside():
        assert len(phone_of(someone)) == 1


def test_a_move_while_it_is_handed_over_is_told_after_it(story, monkeypatch):
    """Nothing can call back what is leaving; the notice of the move follows, and the last word is the right one."""
    someone = story.patient()
    booked = story.book(story.session(days=4), someone)
    later = story.session(days=5)
    story.read()
    leave, moved = Dispatcher._leave, []

    def leave_and_move(self, *given):
        if not moved:
            moved.append(True)
            in_a_thread(lambda: story.move(booked, later))
        return leave(self, *given)

    monkeypatch.setattr(Dispatcher, "_leave", leave_and_move)
    story.send()
    story.turn(minutes=1)

    assert story.said(booked) == ["booked", "moved"]
    with story.inside():
        assert "3月21日" in phone_of(someone)[-1]["text"]


def test_a_whole_batch_waiting_for_its_turn_is_asked_again(story, monkeypatch):
    """On a channel that cannot tell copies apart a batch leaves in small parts; a session closed meanwhile stops the rest."""
    from dataclasses import replace

    from careloop.integrations.channels.sandbox import adapter
    from careloop.scheduling import sessions

    monkeypatch.setitem(adapter.PLAYS, "line", replace(adapter.PLAYS["line"], deduplicates=False))
    session = story.session(days=4, hours=6, mode="NUMBERS", numbers=40)
    people = [story.patient() for _n in range(20)]
    for someone in people:
        story.book(session, someone)
    story.read()
    with story.inside():
        ChannelAccount.objects.update(changed_at=story.now + timedelta(seconds=1))
    hand_over, closed = outgoing.hand_over, []

    def close_after_the_first(*given, **named):
        hand_over(*given, **named)
        closed.append(True)

    monkeypatch.setattr(outgoing, "hand_over", close_after_the_first)
    leave = Dispatcher._leave

    def leave_and_close(self, *given):
        going = leave(self, *given)
        going[1].result()
        if len(closed) == 1:
            with story.inside():
                sessions.close_session(session_id=session.pk, reason="", now=story.now, by=None)
        return going

    monkeypatch.setattr(Dispatcher, "_leave", leave_and_close)
    story.dispatcher.hand_over = 5
    story.send()

    said = story.messages()
    assert len(said) == 5
    story.turn(minutes=1)
    assert sorted(one.key.split(":")[3] for one in story.messages()) == ["booked"] * 5 + ["closed"] * 20


def test_two_dispatchers_and_a_family_still_send_one_message(story):
    from careloop.reminders import services

    with story.inside():
        services.save(given={"confirmation": False, "early": False, "same_day": False}, now=story.now, by=None)
    session = story.session(days=3)
    booked = [
        story.book(session, story.patient(line="U" + "b" * 32), at=session.starts_at + n * timedelta(minutes=30))
        for n in range(4)
    ]
    story.now = booked[0].starts_at - timedelta(hours=23)
    story.plan()
    others = [Dispatcher(clock=lambda: story.now, batch=1) for _n in range(3)]
    threads = [threading.Thread(target=_pass, args=(one, story.organization.id)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in others:
        one.close()

    assert story.said() == ["day"] * 4
    assert len({one.carried_by for one in story.messages()}) == 1


def _pass(dispatcher, organization_id):
    from django.db import connection

    try:
        dispatcher.pass_over(organization_id)
    finally:
        connection.close()
