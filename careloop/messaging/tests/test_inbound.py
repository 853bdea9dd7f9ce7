"""What comes back: who said it, what it means, what happens at once."""

from datetime import timedelta

import pytest

from careloop.consent import services as consent
from careloop.consent.models import Consent
from careloop.events.registry import Published
from careloop.followups.handlers import open_for
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.messaging import handlers, inbound, links, privacy, sealing, services, texts, words
from careloop.messaging.models import Conversation, InboundMessage, Message
from careloop.messaging.ports import Inbound, InboundKind
from careloop.patients.models import ContactPoint

from .support import account, line_id, patient


@pytest.fixture
def clinic(organization, now):
    texts.install_library(now=now)
    organization.channel = account("line", now=now)
    account("sms", now=now)
    return organization


def sent(someone, now, *, template="recall", key="k", **more):
    """A message that this patient got on LINE."""
    message = services.plan_one(
        template_key=template, patient_id=someone, key=f"{key}:{someone}", due_at=now, now=now, **more
    )
    Message.objects.filter(pk=message.pk).update(state="accepted", accepted_at=now)
    return Message.objects.get(pk=message.pk)


def hear(clinic, now, *, text="", data="", address="", who=None, kind=InboundKind.TEXT, event_id="e1", provider="p1"):
    event = Inbound(
        event_id=event_id,
        kind=kind,
        occurred_at=now + timedelta(minutes=1),
        address=address,
        patient_id=who,
        text=text,
        data=data,
        provider_message_id=provider,
    )
    new = services.receive(channel_id=clinic.channel.pk, events=[event], now=now)
    inbound.process_waiting(now=now)
    return new


def test_a_reply_lands_on_the_timeline_with_the_message_it_answers(clinic, now):
    someone = patient(line=line_id(900), now=now)
    message = sent(someone, now, origin="journey", origin_id="e7")

    hear(clinic, now, text="好的", address=line_id(900))

    said = InboundMessage.objects.get()
    assert (said.answer, said.in_reply_to_id) == ("YES", message.pk)
    assert sealing.open_heard(someone, said.pk, said.text_sealed)["text"] == "好的"
    payload = sql.row("select payload from events_event where kind = 'message.received'")["payload"]
    assert (payload["answer"], payload["origin"], payload["origin_id"]) == ("YES", "journey", "e7")
    assert "好的" not in str(payload)
    assert Message.objects.get(pk=message.pk).answer == "YES"


def test_the_same_event_twice_is_heard_once(clinic, now):
    patient(line=line_id(901), now=now)

    assert hear(clinic, now, text="你好", address=line_id(901)) == 1
    assert hear(clinic, now, text="你好", address=line_id(901)) == 0
    assert InboundMessage.objects.count() == 1


def test_a_tap_names_the_family_member_it_is_about(clinic, now):
    """Mother and child share a LINE account; the child's message came first, the mother's later."""
    mother, child = patient(line=line_id(902), now=now), patient(line=line_id(902), now=now, name="王小寶")
    about_child = sent(child, now)
    sent(mother, now + timedelta(seconds=30))

    hear(
        clinic,
        now,
        data=f"{links.tap_of(clinic.id, about_child.pk)}&a=BOOK",
        address=line_id(902),
        kind=InboundKind.POSTBACK,
    )

    said = InboundMessage.objects.get()
    assert (said.patient_id, said.answer, said.unsure) == (child, "BOOK", False)


def test_plain_words_on_a_shared_phone_go_to_the_last_one_written_to_and_say_so(clinic, now):
    one, other = patient(line=line_id(903), now=now), patient(line=line_id(903), now=now)
    sent(one, now)
    sent(other, now + timedelta(seconds=30))

    hear(clinic, now, text="請問幾點開門", address=line_id(903))

    assert InboundMessage.objects.get().patient_id == other
    assert InboundMessage.objects.get().unsure is True


@pytest.mark.parametrize("word", ["退訂", "ＳＴＯＰ", "unsubscribe", " 取消訂閱。", "停止", "退订🙏🏻", "不要再传了"])
def test_a_word_of_opting_out_works_at_once_for_one_person_and_is_confirmed(clinic, now, word):
    one, other = patient(line=line_id(904), now=now), patient(line=line_id(904), now=now)
    for person in (one, other):
        consent.give(patient_id=person, purpose="MARKETING", source="desk", now=now, by=None)
    sent(one, now, template="clinic-news", params={"text": "週六也看診"})
    waiting = services.plan_one(
        template_key="clinic-news",
        patient_id=one,
        key="later",
        due_at=now + timedelta(days=1),
        now=now,
        params={"text": "消息"},
    )

    hear(clinic, now, text=word, address=line_id(904))

    decisions = dict(Consent.objects.filter(ended_at=None, purpose="MARKETING").values_list("patient_id", "decision"))
    assert decisions == {one: "deny", other: "permit"}
    assert Message.objects.get(pk=waiting.pk).reason == "opted_out"
    confirmation = Message.objects.get(origin="reply")
    assert (confirmation.patient_id, confirmation.state, confirmation.at_once) == (one, "planned", True)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("I can’t breathe", "EMERGENCY"), ("請不要再打給我了", ""), ("别打电话给我", ""), ("don’t call me", ""),
        ("不要寄簡訊，打給我", "CALL_ME"), ("不要再打給我，叫王醫師打給我", "CALL_ME"), ("回电", "CALL_ME"), ("好👍", "YES"), ("晚点", "LATER"), ("做过了", "DONE"),
        ("👍", ""), ("…", ""),
    ],
)  # fmt: skip
def test_words_mean_the_same_however_a_phone_writes_them(said, means):
    assert words.meaning(said) == means


def test_a_sentence_with_the_word_in_it_is_no_opt_out(clinic, now):
    someone = patient(line=line_id(905), now=now)
    consent.give(patient_id=someone, purpose="MARKETING", source="desk", now=now, by=None)

    hear(clinic, now, text="請不要停止提醒我", address=line_id(905))

    assert Consent.objects.get(ended_at=None).decision == "permit"


def test_blocking_and_following_change_the_reach(clinic, now):
    patient(line=line_id(906), now=now)

    hear(clinic, now, address=line_id(906), kind=InboundKind.UNFOLLOW, event_id="a")
    assert ContactPoint.objects.get().reach == "blocked"
    hear(clinic, now, address=line_id(906), kind=InboundKind.FOLLOW, event_id="b")
    assert ContactPoint.objects.get().reach == "reached"


def test_what_was_taken_back_loses_its_words(clinic, now):
    patient(line=line_id(907), now=now)
    hear(clinic, now, text="打錯了", address=line_id(907), provider="p77")

    hear(clinic, now, data="p77", provider="p77", address=line_id(907), kind=InboundKind.UNSEND, event_id="u")

    said = InboundMessage.objects.get()
    assert said.text_sealed is None
    assert said.taken_back_at is not None


def test_a_stranger_is_heard_by_nobody_and_nothing_of_it_is_kept(clinic, now):
    hear(clinic, now, text="你好", address=line_id(999))

    assert not InboundMessage.objects.exists()
    assert sql.row("select state, body_sealed from messaging_inbound_event") == {
        "state": "stranger",
        "body_sealed": None,
    }


def test_a_tap_that_we_did_not_write_is_no_answer(clinic, now):
    someone = patient(line=line_id(908), now=now)
    message = sent(someone, now)

    hear(
        clinic,
        now,
        data=f"m={message.pk.hex}.00000000000000000000&a=BOOK",
        address=line_id(908),
        kind=InboundKind.POSTBACK,
    )

    assert InboundMessage.objects.get().answer == ""


def published(now):
    row = sql.row(
        "select id, kind, patient_id, occurred_at, recorded_at, source, batch_id, historical, payload "
        "from events_event where kind = 'message.received' order by id desc limit 1"
    )
    return Published(**row)


def test_please_call_me_becomes_a_task_once_with_what_to_say(clinic, now):
    patient(line=line_id(909), now=now)
    hear(clinic, now, text="可以請你們打給我嗎", address=line_id(909))

    handlers.open_follow_ups([published(now)])  # whichever reader comes first
    open_for([published(now)], now=now)
    handlers.open_follow_ups([published(now)])

    task = FollowUp.objects.get()
    assert (task.kind, task.script != "") == ("CALL", True)


def test_an_emergency_comes_with_what_to_do_whichever_reader_is_first(clinic, now):
    patient(line=line_id(908), now=now)
    hear(clinic, now, text="我胸痛", address=line_id(908))

    handlers.open_follow_ups([published(now)])
    open_for([published(now)], now=now)

    task = FollowUp.objects.get()
    assert task.priority == 1
    assert "119" in task.script


def test_words_that_no_rule_understands_are_read_by_a_person(clinic, now):
    patient(line=line_id(910), now=now)
    hear(clinic, now, text="我昨天忘了帶東西走", address=line_id(910))

    handlers.open_follow_ups([published(now)])

    assert FollowUp.objects.get().kind == "REPLY"
    assert Conversation.objects.get().unread == 1


def test_a_patient_can_have_the_conversation_and_have_it_erased(clinic, now):
    someone = patient(line=line_id(912), now=now)
    sent(someone, now)
    hear(clinic, now, text="謝謝你們", address=line_id(912))

    assert privacy.export(someone)["answers"][0]["said"]["text"] == "謝謝你們"
    privacy.erase(someone)

    assert privacy.export(someone)["answers"] == []
    assert Message.objects.get().content_sealed is None
