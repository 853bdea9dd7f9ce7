"""LINE's webhooks: who may speak, and what is heard."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.integrations.channels.line import LineWebhook, signature
from careloop.messaging.ports import Inbound, InboundKind, MalformedWebhook

SECRET = "0123456789abcdef0123456789abcdef"
BOT = "U0123456789abcdef0123456789abcdef"
LINE_DATA = Path("data/messaging/line")


def cases() -> list[dict[str, Any]]:
    path = Path(__file__).resolve().parents[5] / "shared" / LINE_DATA / "signed-webhooks.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def hear(case: dict[str, Any]) -> list[Inbound] | None:
    """What the door does with a case: None when it turns it away."""
    hook = LineWebhook(case["channel_secret"], bot_user_id=BOT)
    body = b64decode(case["body_base64"])
    headers = {} if case["signature"] is None else {case["header"]: case["signature"]}
    if not hook.verify(body, headers):
        return None
    try:
        return hook.parse(body)
    except MalformedWebhook:
        return None


def heard(name: str, shared: Path) -> list[Inbound]:
    found = hear(next(case for case in cases() if case["name"] == name))
    assert found is not None
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_a_signed_case_is_answered_as_it_says(case):
    found = hear(case)

    assert (found is not None) == (case["expect"] == "accept")
    if found and case["name"] not in ("standby-mode", "other-destination"):
        assert len(found) == len(case["event_types"])


def test_all_the_cases_were_there(shared):
    assert len(cases()) == 38


def test_the_vectors_of_line_and_of_its_sdk():
    body = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'

    assert signature("8c570fa6dd201bb328f1c1eac23a96d8", body) == "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="
    assert signature("channel_secret", b"bodybodybodybody") == "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="


def test_a_text_is_heard_with_who_said_it_and_when(shared):
    [event] = heard("text-zh", shared)

    assert event.kind is InboundKind.TEXT
    assert event.address == "U00000000000000000000000000abc065"
    assert event.event_id == "01J00000000000000000000101"
    assert event.occurred_at == datetime(2026, 9, 21, 15, 56, 1, tzinfo=UTC)
    assert event.text
    assert event.provider_message_id
    assert event.reply_token
    assert not event.redelivery


def test_a_redelivery_is_the_same_event_again(shared):
    [first] = heard("redelivery-first", shared)
    [second] = heard("redelivery-second", shared)

    assert (first.redelivery, second.redelivery) == (False, True)
    assert first.event_id == second.event_id
    assert first.text == second.text


def test_events_are_put_in_the_order_of_time(shared):
    events = heard("three-events-out-of-order", shared)

    assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)
    assert len(events) == 3


def test_taking_back_a_message_names_it(shared):
    [event] = heard("unsend", shared)

    assert (event.kind, event.data) == (InboundKind.UNSEND, "468789577898262631")


def test_an_unknown_event_does_not_hide_the_next_one(shared):
    first, second = heard("unknown-event-type", shared)

    assert (first.kind, second.kind) == (InboundKind.UNKNOWN, InboundKind.TEXT)
    assert heard("unknown-message-type", shared)[0].kind is InboundKind.UNKNOWN


def test_following_and_blocking_are_told_apart(shared):
    assert heard("follow", shared)[0].kind is InboundKind.FOLLOW
    assert heard("follow", shared)[0].raw == {"unblocked": False}
    assert heard("follow-unblocked", shared)[0].raw == {"unblocked": True}
    assert heard("unfollow", shared)[0].kind is InboundKind.UNFOLLOW


def test_a_tap_brings_its_data_unread(shared):
    assert heard("postback-confirm", shared)[0].kind is InboundKind.POSTBACK
    assert heard("postback-confirm", shared)[0].data
    assert heard("postback-datetimepicker", shared)[0].raw["params"]
    # Hostile data come through as they are: whoever acts on them must look them up, not believe them.
    assert heard("postback-tampered-data", shared)[0].data


def test_account_links_bring_their_nonce(shared):
    assert heard("account-link-ok", shared)[0].text == "ok"
    failed = heard("account-link-failed", shared)[0]
    assert (failed.kind, failed.text, failed.data, failed.reply_token) == (
        InboundKind.ACCOUNT_LINK, "failed", "deadbeef", "",
    )  # fmt: skip


def test_pictures_and_stickers_are_noted_not_fetched(shared):
    assert [event.data for event in heard("image-set", shared)] == ["image", "image"]
    assert heard("sticker", shared)[0].data == "sticker"
    assert heard("location", shared)[0].raw == {}  # where somebody is, nobody asked


def test_what_is_said_in_a_group_is_not_kept(shared):
    [event] = heard("text-emoji-and-mention", shared)

    assert (event.kind, event.text, event.address) == (InboundKind.UNKNOWN, "", "")


def test_another_module_channel_answers_in_standby(shared):
    assert heard("standby-mode", shared) == []


def test_events_for_another_account_are_never_attributed_to_this_one(shared):
    assert heard("other-destination", shared) == []


def test_the_longest_text_is_heard_whole(shared):
    assert len(heard("text-5000-chars", shared)[0].text) == 5000


def test_every_event_of_the_sdk_is_understood(shared):
    body = (shared / LINE_DATA / "sdk-webhook-28-events.json").read_bytes()

    events = LineWebhook(SECRET).parse(body)

    given = json.loads(body)["events"]
    assert len(given) == 28
    assert len(events) == 28 - sum(event.get("mode") == "standby" for event in given)


def test_a_changed_byte_is_noticed():
    body = b'{"destination":"U0","events":[]}'
    good = signature(SECRET, body)
    hook = LineWebhook(SECRET)

    assert hook.verify(body, {"X-Line-Signature": good})
    assert not hook.verify(body + b" ", {"X-Line-Signature": good})
    assert not hook.verify(body, {"X-Line-Signature": "ＧhRK"})
    assert not hook.verify(body, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EVENT = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "postback", "follow", "unsend", "accountLink"]) | JSON,
        **dict.fromkeys(
            ("mode", "timestamp", "source", "webhookEventId", "deliveryContext", "replyToken",
             "message", "postback", "follow", "unsend", "link", "delivery"),
            JSON,
        ),
    },
)  # fmt: skip


@given(st.binary() | st.fixed_dictionaries({"events": JSON | st.lists(EVENT | JSON)}) | JSON)
def test_nothing_that_is_signed_can_crash_it(body):
    import orjson

    if not isinstance(body, bytes):
        try:
            body = orjson.dumps(body)
        except (TypeError, orjson.JSONEncodeError):
            return
    hook = LineWebhook(SECRET)

    assert hook.verify(body, {"x-line-signature": signature(SECRET, body)})
    try:
        events = hook.parse(body)
    except MalformedWebhook:
        return

    assert all(0 < len(event.event_id) <= 100 and "\x00" not in event.text for event in events)
