"""The door for LINE's webhooks: proved, stored, answered at once."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from careloop.integrations.channels.line import signature
from careloop.messaging import services
from careloop.messaging.channels import save_account
from careloop.messaging.models import InboundEvent
from careloop.messaging.ports import Door, Inbound
from careloop.tenancy.context import current_organization_id, in_organization

SECRET = "0123456789abcdef0123456789abcdef"
BOT = "U0123456789abcdef0123456789abcdef"
CHANNEL = UUID(int=9)


@pytest.fixture
def stored(organization, monkeypatch) -> list[tuple[UUID, UUID, Inbound]]:
    """A LINE channel of the clinic, and what messaging was given to store for it."""
    kept: list[tuple[UUID, UUID, Inbound]] = []

    def find_door(channel_id: UUID) -> Door | None:
        if channel_id != CHANNEL:
            return None
        return Door(CHANNEL, organization.id, "line", {"channel_secret": SECRET, "bot_user_id": BOT})

    def receive(*, channel_id: UUID, events: Sequence[Inbound], now: datetime) -> int:
        kept.extend((current_organization_id(), channel_id, event) for event in events)
        return len(events)

    monkeypatch.setattr(services, "find_door", find_door)
    monkeypatch.setattr(services, "receive", receive)
    return kept


def webhook(*texts: str, destination: str = BOT) -> bytes:
    events = [
        {"type": "message", "mode": "active", "timestamp": 1790006161000 + n, "webhookEventId": f"e{n}",
         "source": {"type": "user", "userId": BOT}, "deliveryContext": {"isRedelivery": False},
         "replyToken": "r", "message": {"type": "text", "id": str(n), "text": text}}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    return json.dumps({"destination": destination, "events": events}).encode()


def post(body: bytes, *, sign: str | None = None, channel: UUID = CHANNEL) -> Any:
    headers = {"X-Line-Signature": signature(SECRET, body) if sign is None else sign}
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/hooks/line/{channel}", body, content_type="application/json", headers=headers)


def test_what_a_patient_says_is_stored_in_the_clinic_of_the_channel(stored, organization):
    answer = post(webhook("我要預約", "謝謝"))

    assert answer.status_code == 200
    assert [(where, channel, event.text) for where, channel, event in stored] == [
        (organization.id, CHANNEL, "我要預約"),
        (organization.id, CHANNEL, "謝謝"),
    ]


def test_pressing_verify_in_the_console_is_answered(stored):
    assert post(webhook()).status_code == 200
    assert stored == []


def test_nobody_else_can_speak_for_line(stored):
    body = webhook("我要預約")

    assert post(body, sign="").status_code == 403
    assert post(body, sign=signature("another secret", body)).status_code == 403
    assert stored == []


def test_a_channel_that_is_not_there_is_not_found(stored):
    assert post(webhook("我要預約"), channel=uuid4()).status_code == 404


def test_signed_rubbish_is_refused_without_a_crash(stored):
    assert post(b'{"destination":"U0","events":[').status_code == 400
    assert post(b"").status_code == 400


def test_events_for_another_account_are_answered_but_not_kept(stored):
    assert post(webhook("我要預約", destination="U" + "f" * 32)).status_code == 200
    assert stored == []


def test_a_body_that_is_too_large_is_turned_away_unread(stored):
    assert post(b" " * 1_000_001).status_code == 413


def test_looking_is_not_allowed(stored):
    assert Client().get(f"/hooks/line/{CHANNEL}").status_code == 405


def test_the_answer_comes_within_200_ms(stored):
    body = webhook(*["我要預約"] * 100)
    post(body)

    started = time.perf_counter()
    assert post(body).status_code == 200
    assert time.perf_counter() - started < 0.2


def test_a_real_channel_is_found_by_its_id_alone_and_keeps_each_event_once(committed_organization, now):
    with in_organization(committed_organization.id):
        account = save_account(
            account_id=None,
            kind="line",
            name="好牙診所 LINE",
            given={"access_token": "token", "channel_secret": SECRET, "bot_user_id": BOT},
            now=now,
        )
    body = webhook("我要預約", "謝謝")

    first, again = post(body, channel=account.pk), post(body, channel=account.pk)

    assert (first.status_code, again.status_code) == (200, 200)
    assert post(body, channel=account.pk, sign=signature("another", body)).status_code == 403
    with in_organization(committed_organization.id):
        assert InboundEvent.objects.filter(account_id=account.pk).count() == 2
