"""The calendar file in e-mail: put in when booked, moved when moved, taken out when called off; on no other channel."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from careloop.integrations.channels.smtp import CAPABILITIES
from careloop.integrations.icalendar.tests.support import events
from careloop.messaging import outgoing, recording
from careloop.messaging.models import ChannelAccount
from careloop.messaging.ports import Sent
from careloop.messaging.ready import Account
from careloop.reminders.tests.support import Story

TEN = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)


@pytest.fixture
def story(committed_organization):
    made = Story(committed_organization, TEN, channels=("email",))
    yield made
    made.close()


def leaving(story, *, capabilities=CAPABILITIES):
    """What is ready to leave by e-mail now, and is then as good as sent."""
    story.read()
    with story.inside():
        found = ChannelAccount.objects.get(channel="email")
        sending = Account(found.pk, "email", capabilities, None)
        lease = outgoing.new_lease()
        ready = outgoing.claim(sending, lease=lease, now=story.now)
        recording.record(ready, [Sent("x", story.now) for _one in ready], lease=lease, now=story.now)
    return [one.outgoing for one in ready]


def calendar(message):
    (file,) = message.attachments
    (one,) = events(file.content).values()
    return file.content_type.split("method=")[1].split(";")[0], str(one["UID"]), int(one["SEQUENCE"])


def test_booked_moved_and_called_off_are_one_entry_with_a_rising_sequence(story):
    booked = story.book(story.session(days=10), story.patient(email=True))
    (confirmation,) = leaving(story)
    story.move(booked, story.session(days=11))
    (moved,) = leaving(story)
    story.cancel(booked, reason="clinic")
    (cancelled,) = leaving(story)

    uid = f"appointment-{booked.pk}@careloop"
    assert [calendar(one) for one in (confirmation, moved, cancelled)] == [
        ("REQUEST", uid, 0), ("REQUEST", uid, 1), ("CANCEL", uid, 2),
    ]  # fmt: skip
    assert f"mailto:{confirmation.to}".encode() in confirmation.attachments[0].content.replace(b"\r\n ", b"")


def test_a_reminder_brings_no_file(story):
    booked = story.book(story.session(days=10), story.patient(email=True))
    leaving(story)
    story.now = booked.starts_at - timedelta(days=5)
    story.plan()
    story.now += timedelta(hours=3)

    (reminder,) = leaving(story)

    assert reminder.attachments == ()


def test_a_channel_that_carries_no_files_gets_none(story):
    story.book(story.session(days=10), story.patient(email=True))

    (message,) = leaving(story, capabilities=replace(CAPABILITIES, attachments=False))

    assert message.attachments == ()
