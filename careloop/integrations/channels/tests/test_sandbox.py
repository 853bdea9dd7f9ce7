"""The sandbox phone: what the demo's patients see, and how they answer."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from careloop.integrations.channels import privacy
from careloop.integrations.channels.sandbox import selectors, services
from careloop.integrations.channels.sandbox.adapter import PLAYS, SandboxChannel, open_channel
from careloop.messaging.ports import (
    Button,
    ChannelError,
    Inbound,
    InboundKind,
    Outgoing,
    QuickReply,
    Reason,
    Sent,
)
from careloop.patients.tests import make


def deliver(organization: Any, messages: list[Outgoing], *, plays: str = "line") -> list[Any]:
    """Send in this test's own transaction: a thread of its own would not see the patient."""
    import asyncio

    channel = SandboxChannel(
        organization_id=organization.id,
        channel_id=UUID(int=7),
        plays=plays,
        deliver=lambda organization_id, rows: waiting.extend(rows) or {row["message_key"] for row in rows},
    )
    waiting: list[Any] = []
    results = asyncio.run(channel.send_many(messages))
    services.put_on_phones(waiting)
    return results


def message(patient_id: UUID, text: str = "王小明您好，該洗牙了", **fields: Any) -> Outgoing:
    return Outgoing(id=1, key=uuid4(), to="0912345678", text=text, patient_id=patient_id, **fields)


def test_a_message_appears_on_its_patients_phone_only(organization, now):
    ming, mei = make.patient(), make.patient()

    [result] = deliver(organization, [message(ming, quick_replies=(QuickReply("好", data="yes"),))])

    assert isinstance(result, Sent)
    [shown] = selectors.phone(ming)
    assert (shown.text, shown.plays, shown.quick_replies[0]["data"]) == (
        "王小明您好，該洗牙了",
        "line",
        "yes",
    )
    assert selectors.phone(mei) == []
    assert selectors.patients_with_phones() == [ming]


def test_the_same_key_appears_once(organization, now):
    ming = make.patient()
    same = message(ming)

    deliver(organization, [same])
    deliver(organization, [same])

    assert len(selectors.phone(ming)) == 1


def test_what_lies_on_a_phone_cannot_be_read_in_the_table(organization, now):
    ming = make.patient()

    deliver(organization, [message(ming, buttons=(Button("確認", data="secret-token"),))])

    with connection.cursor() as cursor:
        cursor.execute("select to_jsonb(d)::text, content_sealed from channels_sandbox_delivery d")
        [(row, sealed)] = cursor.fetchall()
    assert "王小明" not in row
    assert "0912345678" not in row
    assert b"secret-token" not in bytes(sealed)


def test_an_erased_patients_phone_is_empty(organization, now):
    ming = make.patient()
    deliver(organization, [message(ming)])

    assert privacy.export(ming)["sandbox_phone"][0]["text"] == "王小明您好，該洗牙了"
    privacy.erase(ming)
    assert privacy.export(ming) == {"sandbox_phone": []}
    assert selectors.phone(ming) == []


def test_it_can_do_what_the_played_channel_can_and_no_more(organization):
    ming = make.patient()

    [line] = deliver(organization, [message(ming, "牙" * 400)], plays="line")
    [sms] = deliver(organization, [message(ming, "牙" * 400)], plays="sms")

    assert isinstance(line, Sent)
    assert isinstance(sms, ChannelError)
    assert sms.reason is Reason.TOO_LONG
    assert PLAYS["email"].subject
    assert not PLAYS["sms"].subject
    with pytest.raises(ValueError, match="plays"):
        open_channel({"plays": "pigeon", "organization_id": uuid4(), "channel_id": uuid4()})


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("text", InboundKind.TEXT),
        ("quick_reply", InboundKind.QUICK_REPLY),
        ("button", InboundKind.POSTBACK),
        ("block", InboundKind.UNFOLLOW),
        ("unblock", InboundKind.FOLLOW),
    ],
)
def test_an_answer_goes_the_way_of_a_real_webhook(said, heard, now):
    received: list[Inbound] = []

    def receive(*, channel_id: UUID, events: list[Inbound], now: datetime) -> int:
        received.extend(events)
        return len(events)

    ming = uuid4()
    count = services.answer(
        channel_id=UUID(int=7), patient_id=ming, kind=said, text="好的\x00", data="yes",
        receive=receive, now=now, event_id="form-1",
    )  # fmt: skip

    assert count == 1
    assert (received[0].kind, received[0].patient_id, received[0].event_id) == (heard, ming, "form-1")
    assert received[0].text == "好的"


def test_a_phone_cannot_do_everything(now):
    with pytest.raises(ValueError, match="phone"):
        services.answer(channel_id=uuid4(), patient_id=uuid4(), kind="call", receive=lambda **_: 0, now=now)


def test_the_channel_itself_commits_in_the_organization(committed_organization, now):
    import asyncio

    from careloop.tenancy.context import in_organization

    with in_organization(committed_organization.id):
        ming = make.patient()
    channel = open_channel(
        {"plays": "line", "organization_id": str(committed_organization.id), "channel_id": str(uuid4())}
    )
    same = message(ming)

    [first] = asyncio.run(channel.send_many([same]))
    [second] = asyncio.run(channel.send_many([same]))

    assert isinstance(first, Sent)
    assert not first.repeated
    assert isinstance(second, Sent)
    assert second.repeated
    with in_organization(committed_organization.id):
        assert [shown.text for shown in selectors.phone(ming)] == [same.text]
