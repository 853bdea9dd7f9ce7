"""A family's day on one phone is one message; each visit keeps its own answer, and each person their own refusal."""

from datetime import timedelta

import pytest

from careloop.consent import services as consent
from careloop.integrations.channels.sandbox.models import SandboxDelivery
from careloop.kernel import sql
from careloop.messaging import inbound, links
from careloop.messaging.models import Message
from careloop.messaging.services import receive
from careloop.messaging.tests.support import phone_of
from careloop.patients import sealing
from careloop.reminders import services
from careloop.scheduling.models import Appointment

from .support import Story

HALF = timedelta(minutes=30)


@pytest.fixture
def story(committed_organization, now):
    made = Story(committed_organization, now)
    yield made
    made.close()


def family(story, *, way="line", count=3):
    """Members of a family who share one address, all booked on the same morning; confirmations are not looked at."""
    with story.inside():
        services.save(given={"confirmation": False, "early": False, "same_day": False}, now=story.now, by=None)
    value = {"line": "U" + "a" * 32, "phone": "0912345678", "email": "family@example.test"}[way]
    session = story.session(days=3)
    people = [story.patient(**{way: value}, name=name) for name in ("王大明", "王小美", "王小華")[:count]]
    return people, [story.book(session, one, at=session.starts_at + n * HALF) for n, one in enumerate(people)]


def deliveries(story):
    with story.inside():
        return list(SandboxDelivery.objects.order_by("id"))


def test_one_message_tells_all_with_masked_names_and_a_tap_for_each(story):
    _people, booked = family(story)
    story.until(booked[0].starts_at)

    (one,) = deliveries(story)
    with story.inside():
        (said,) = phone_of(one.patient_id)
        carried = Message.objects.exclude(carried_by=None)
        assert {message.carried_by for message in carried} == {one.message_key}
        assert carried.count() == 3
        assert sql.value("select count(*) from events_event where kind = 'message.sent'") == 3
    for name in ("王○明", "王○美", "王○華"):
        assert name in said["text"]
    assert "王大明" not in said["text"]
    assert "洗牙" not in said["text"]
    assert [tap["label"] for tap in said["quick_replies"]] == ["王○明會到", "王○美會到", "王○華會到"]
    assert said["text"].count("/p/a/") == 3
    assert story.said() == ["day"] * 3


def test_a_tap_confirms_that_member_only(story):
    people, booked = family(story)
    story.until(booked[0].starts_at - timedelta(hours=20))
    with story.inside():
        (one,) = SandboxDelivery.objects.all()
        (said,) = phone_of(one.patient_id)
        tap = said["quick_replies"][1]["data"]
        from careloop.integrations.channels.sandbox import services as sandbox
        from careloop.messaging import channels

        account = next(each for each in channels.sandbox_accounts() if each.channel == "line")
        sandbox.answer(
            channel_id=account.pk, patient_id=one.patient_id, kind="quick_reply", text="王○美會到", data=tap, receive=receive,
            now=story.now, event_id="tap-1",
        )  # fmt: skip
        inbound.process_waiting(now=story.now)
    story.turn(minutes=1)

    with story.inside():
        confirmed = set(Appointment.objects.exclude(confirmed_at=None).values_list("patient_id", flat=True))
    assert confirmed == {people[1]}
    assert "thanks" in story.said(booked[1])


def test_who_moved_is_left_out_of_the_one_message(story):
    people, booked = family(story)
    story.until(booked[0].starts_at - timedelta(hours=24))
    story.plan()
    story.move(booked[1], story.session(days=5))
    story.send()  # the readers have not seen the move: the claim has
    story.until(booked[0].starts_at)

    said = [one for one in story.messages() if one.key.endswith(":day") and one.appointment_sequence == 0]
    assert {one.patient_id for one in said} == {people[0], people[2]}
    with story.inside():
        texts = [each["text"] for person in people for each in phone_of(person) if "王○明" in each["text"]]
    assert len(texts) == 1
    assert "王○美" not in texts[0]


def test_a_refusal_is_one_persons_own(story):
    people, booked = family(story)
    with story.inside():
        consent.withdraw(patient_id=people[0], purpose="CARE", source="desk", now=story.now, by=None)
    story.until(booked[0].starts_at)

    (one,) = deliveries(story)
    with story.inside():
        (said,) = phone_of(one.patient_id)
    assert "王○明" not in said["text"]
    assert {message.patient_id for message in story.messages()} == set(people[1:])


def test_by_sms_one_link_leads_to_a_page_with_all_of_them(story, client):
    from careloop.portal import linked_visits as visits

    people, booked = family(story, way="phone")
    story.until(booked[0].starts_at - timedelta(hours=12))

    (one,) = deliveries(story)
    with story.inside():
        (said,) = phone_of(one.patient_id)
        own = {
            message.patient_id: links.token_of(story.organization.id, message.pk) for message in Message.objects.all()
        }
        sql.execute("update messaging_answer_link set expires_at = now() + interval '1 day'")
    assert said["text"].count("/p/a/") == 1
    assert visits  # the page is the portal's
    shown = client.get(f"/p/a/{own[people[0]]}/").content.decode()
    for person in people[1:]:
        assert f"/p/a/{own[person]}/" in shown


def test_a_child_without_a_phone_is_told_of_together_with_the_mother(story):
    with story.inside():
        services.save(given={"confirmation": False, "early": False, "same_day": False}, now=story.now, by=None)
    mother = story.patient(line=True, name="陳美玲")
    child = story.patient(guardian=mother, name="王小明")
    with story.inside():
        sealing.create_keys([child])
    session = story.session(days=3)
    booked = story.book(session, mother)
    story.book(session, child, at=session.starts_at + HALF)
    story.until(booked.starts_at)

    (one,) = deliveries(story)
    with story.inside():
        (said,) = phone_of(one.patient_id)
    assert "陳○玲" in said["text"]
    assert "王○明" in said["text"]


def test_two_phones_are_two_messages(story):
    session = story.session(days=3)
    with story.inside():
        services.save(given={"confirmation": False, "early": False, "same_day": False}, now=story.now, by=None)
    booked = [story.book(session, story.patient(), at=session.starts_at + n * HALF) for n in range(3)]
    story.until(booked[0].starts_at)

    assert len(deliveries(story)) == 3
    with story.inside():
        assert not Message.objects.exclude(carried_by=None).exists()
