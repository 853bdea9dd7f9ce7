"""Sending: what leaves, what is written down, what happens when the outside fails."""

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest

from careloop.consent import services as consent
from careloop.integrations.channels.fakes.line import TOKEN, FakeLine
from careloop.integrations.channels.fakes.smtp import SmtpSink
from careloop.integrations.channels.sandbox.models import SandboxDelivery
from careloop.kernel import sql
from careloop.messaging import channels, outgoing, recording, sealing, services, texts
from careloop.messaging.dispatch import Dispatcher, send_due
from careloop.messaging.models import ChannelAccount, Message, MessageNote
from careloop.messaging.ready import Account
from careloop.patients.models import ContactPoint
from careloop.tenancy.context import in_organization

from .support import account, patient, phone_of


@contextmanager
def serving(fake):
    """Run a fake of the outside on a loop of its own; yields its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(fake.start(), loop).result(5)
    finally:
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(5)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result(5)  # let the sockets close
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture
def clinic(committed_organization, now):
    with in_organization(committed_organization.id):
        texts.install_library(now=now)
        for channel in ("line", "sms", "email"):
            account(channel, now=now)
    return committed_organization


def line_account(port, *, now):
    ChannelAccount.objects.filter(channel="line").delete()
    saved = channels.save_account(
        account_id=None, kind="line", name="LINE", given={"access_token": TOKEN, "channel_secret": "s"}, now=now
    )
    saved.settings["host"] = f"http://127.0.0.1:{port}"
    saved.save()
    return saved


def smtp_account(port, *, now):
    ChannelAccount.objects.filter(channel="email").delete()
    return channels.save_account(
        account_id=None, kind="email", name="Mail", now=now,
        given={"host": "127.0.0.1", "port": port, "security": "none", "from_address": "clinic@example.test"},
    )  # fmt: skip


def plan(patients, now, key="recall:1", template="recall", **more):
    return services.plan_many(template_key=template, patients=patients, key_prefix=key, due_at=now, now=now, **more)


def test_a_message_arrives_on_the_phone_in_the_patients_words(clinic, now):
    with in_organization(clinic.id):
        someone = patient(line=True, now=now, sex="male")
        plan([someone], now)

    tally = send_due(clinic.id, now=now)

    with in_organization(clinic.id):
        [arrived] = phone_of(someone)
        message = Message.objects.get()
        assert tally.sent == 1
        assert arrived["text"].startswith("王小明先生您好，這裡是安心診所。")
        assert [item["label"] for item in arrived["quick_replies"]][:2] == ["幫我安排", "請打給我"]
        assert message.state == "accepted"
        assert sealing.open_content(someone, message.pk, message.content_sealed)["text"] == arrived["text"]
        assert sql.value("select payload->>'template' from events_event where kind = 'message.sent'") == "recall"


def test_the_patients_language_is_used(clinic, now):
    with in_organization(clinic.id):
        ann = patient(line=True, now=now, language="en", name="Ann")
        plan([ann], now)

    send_due(clinic.id, now=now)

    with in_organization(clinic.id):
        assert phone_of(ann)[0]["text"].startswith("Dear Ann, this is 安心診所.")


def test_a_refusal_after_planning_stops_the_message_when_it_is_due(clinic, now):
    with in_organization(clinic.id):
        someone = patient(line=True, now=now)
        plan([someone], now)
        consent.withdraw(patient_id=someone, purpose="CARE", source="desk", now=now, by=None)

    send_due(clinic.id, now=now)

    with in_organization(clinic.id):
        message = Message.objects.get()
        assert (message.state, message.reason) == ("blocked", "consent_refused")
        assert not SandboxDelivery.objects.exists()
        assert sql.value("select count(*) from events_event where kind = 'message.blocked'") == 1


def test_a_way_that_closed_in_the_meantime_is_replaced_by_another(clinic, now):
    with in_organization(clinic.id):
        someone = patient(line=True, email=True, now=now)
        plan([someone], now)
        ContactPoint.objects.filter(system="line").update(reach="blocked")

    send_due(clinic.id, now=now)
    send_due(clinic.id, now=now)

    with in_organization(clinic.id):
        message = Message.objects.get()
        assert (message.state, message.channel) == ("accepted", "email")
        assert MessageNote.objects.filter(what="rerouted").count() == 1


def test_in_quiet_hours_a_due_message_waits(clinic, now):
    night = now.replace(hour=15)  # 23:00 in Taipei
    with in_organization(clinic.id):
        plan([patient(line=True, now=now)], now)

    send_due(clinic.id, now=night)

    with in_organization(clinic.id):
        message = Message.objects.get()
        assert (message.state, message.due_at) == ("planned", now.replace(hour=0) + timedelta(days=1))


def test_a_greeting_whose_day_is_over_is_not_sent(clinic, now):
    with in_organization(clinic.id):
        plan([patient(line=True, now=now)], now, template="birthday", expires_at=now + timedelta(hours=12))

    send_due(clinic.id, now=now + timedelta(days=1))

    with in_organization(clinic.id):
        assert Message.objects.get().reason == "too_late"


def test_line_gets_the_messages_id_as_its_retry_key(clinic, now):
    line = FakeLine()
    with serving(line) as port:
        with in_organization(clinic.id):
            line_account(port, now=now)
            plan([patient(line=True, now=now)], now)
        send_due(clinic.id, now=now)
    with in_organization(clinic.id):
        message = Message.objects.get()
        assert list(line.accepted) == [str(message.pk)]
        assert message.state == "accepted"


def test_a_patient_who_blocked_us_on_line_gets_it_by_mail(clinic, now):
    line = FakeLine()
    with serving(line) as port:
        with in_organization(clinic.id):
            line_account(port, now=now)
            someone = patient(line="Unot-a-user-id", email=True, now=now)
            plan([someone], now)
        send_due(clinic.id, now=now)
    send_due(clinic.id, now=now)
    with in_organization(clinic.id):
        assert ContactPoint.objects.get(system="line").reach == "bounced"
        assert Message.objects.get().channel == "email"
        assert Message.objects.get().state == "accepted"


def test_the_months_quota_pauses_the_account_and_loses_nothing(clinic, now):
    line = FakeLine(quota=3)
    with serving(line) as port:
        with in_organization(clinic.id):
            line_account(port, now=now)
            plan([patient(line=True, now=now) for _ in range(5)], now)
        send_due(clinic.id, now=now)
    with in_organization(clinic.id):
        states = sorted(Message.objects.values_list("state", flat=True))
        paused = ChannelAccount.objects.get(channel="line")
        assert states.count("accepted") == 3
        assert states.count("planned") == 2
        assert paused.pause_reason == "quota" or paused.paused_until is None


def test_mail_that_may_have_arrived_is_unknown_and_not_sent_again(clinic, now):
    sink = SmtpSink(drop_after=2)
    with serving(sink) as port:
        with in_organization(clinic.id):
            smtp_account(port, now=now)
            plan([patient(email=True, now=now) for _ in range(6)], now)
        send_due(clinic.id, now=now)
        send_due(clinic.id, now=now + timedelta(hours=1))
    with in_organization(clinic.id):
        states = list(Message.objects.values_list("state", flat=True))
        assert max(sink.counts.values()) == 1
        assert states.count("unknown") >= 1
        assert len(sink.counts) == 6


def test_a_dead_process_leaves_mail_unknown_only_where_it_was_handed_over(clinic, now):
    with in_organization(clinic.id):
        sending = smtp_account(1, now=now)
        plan([patient(email=True, now=now) for _ in range(4)], now)
        mine = Account(sending.pk, "email", channels.capabilities(sending), None)
        lease = outgoing.new_lease()
        ready = outgoing.claim(mine, lease=lease, now=now)
        outgoing.hand_over([ready[0].outgoing.id], lease=lease, now=now)
    later = now + timedelta(minutes=6)
    with in_organization(clinic.id):
        assert recording.recover(mine, now=later) == {"unknown": 1, "planned": 3}


def test_staff_settle_an_unknown_message(clinic, now, member_of):
    with in_organization(clinic.id):
        user = member_of("nurse")
        plan([patient(line=True, now=now)], now)
        message = Message.objects.get()
        Message.objects.update(state="unknown", reason="crashed", closed_at=now)

        services.resolve_unknown(message_id=message.pk, decision="arrived", by=user, now=now)

        message.refresh_from_db()
        assert message.state == "accepted"
        assert sql.value("select count(*) from events_event where kind = 'message.sent'") == 1


def test_an_unknown_offer_is_left_after_a_day_and_a_care_message_is_not(clinic, now):
    with in_organization(clinic.id):
        plan([patient(line=True, now=now), patient(line=True, now=now)], now)
        one, other = Message.objects.order_by("id")
        Message.objects.update(state="unknown", reason="crashed", closed_at=now)
        Message.objects.filter(pk=one.pk).update(message_class="MARKETING")

        recording.settle_unknown(now=now + timedelta(hours=25))

        assert Message.objects.get(pk=one.pk).reason == "left"
        assert Message.objects.get(pk=other.pk).state == "unknown"


def test_several_dispatchers_at_once_send_each_message_once(clinic, now):
    with in_organization(clinic.id):
        plan([patient(line=True, now=now) for _ in range(120)], now)
    tallies = []

    def work():
        from django.db import connection

        dispatcher = Dispatcher(clock=lambda: now, batch=10)
        try:
            tallies.append(dispatcher.pass_over(clinic.id).sent)
        finally:
            dispatcher.close()
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    with in_organization(clinic.id):
        assert sum(tallies) == 120
        assert SandboxDelivery.objects.count() == 120
        assert set(Message.objects.values_list("state", flat=True)) == {"accepted"}


def test_words_written_by_staff_are_sealed_until_and_after_they_leave(clinic, now, member_of):
    with in_organization(clinic.id):
        user = member_of("nurse")
        someone = patient(line=True, now=now)
        first = services.write_to(patient_id=someone, text="您的收據已備好。", key="write:1", by=user, now=now)
        again = services.write_to(patient_id=someone, text="您的收據已備好。", key="write:1", by=user, now=now)
        assert first.pk == again.pk
        assert "收據" not in str(first.params)

    send_due(clinic.id, now=now)

    with in_organization(clinic.id):
        assert "您的收據已備好。" in phone_of(someone)[0]["text"]


def test_words_that_the_law_stops_after_they_were_published_do_not_leave(clinic, now, member_of):
    with in_organization(clinic.id):
        clinic.legal_profile = "INTL"
        clinic.save()
        user, someone = member_of("owner"), patient(line=True, now=now)
        consent.give(patient_id=someone, purpose="MARKETING", source="desk", now=now, by=None)
        made = texts.create_template(key="gift", name="禮券", message_class="MARKETING", by=user, now=now)
        words = {"zh-hant": {"subject": "回診好禮", "text": "看診就送禮券 500 元"}}
        draft = texts.save_draft(template=made, texts=words, by=user, now=now)
        texts.publish(version_id=draft.pk, by=user, now=now)
        plan([someone], now, template="gift")
        clinic.legal_profile = "TW"
        clinic.save()

    send_due(clinic.id, now=now)

    with in_organization(clinic.id):
        message = Message.objects.get()
        assert (message.state, message.reason) == ("blocked", "policy")
        assert phone_of(someone) == []
