"""Pushing to LINE: once each, in LINE's own words, and with the right conclusion from every answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from careloop.integrations.channels.fakes.line import BOT_USER_ID, TOKEN, FakeLine
from careloop.integrations.channels.fakes.openapi import Description
from careloop.integrations.channels.line import open_channel
from careloop.integrations.channels.line.adapter import LineChannel
from careloop.integrations.channels.line.errors import error_from
from careloop.integrations.channels.line.messages import objects, shorten
from careloop.messaging.ports import Button, ChannelError, Link, Outgoing, QuickReply, Reason, Sent

USER = "U" + "0123456789abcdef" * 2


def push(text: str = "您好", **fields: Any) -> Outgoing:
    return Outgoing(**{"id": 1, "key": uuid4(), "to": USER, "text": text, **fields})


def with_line(
    story: Callable[[FakeLine, LineChannel], Awaitable[None]], *, token: str = TOKEN, timeout: float = 0.5,
    **arrangements: Any,
) -> None:  # fmt: skip
    async def act() -> None:
        fake = FakeLine(**arrangements)
        port = await fake.start()
        channel = open_channel({"host": f"http://127.0.0.1:{port}", "access_token": token, "timeout_seconds": timeout})
        try:
            await story(fake, channel)
        finally:
            await channel.close()
            await fake.stop()

    asyncio.run(act())


def openapi(shared: Path) -> Path:
    return shared / "data/messaging/line/openapi/messaging-api.yml"


SHAPES = {
    "text": push("您好"),
    "text with emoji": push("您好 😀👨‍👩‍👧\n第二行"),
    "longest text": push("牙" * 5000),
    "quick replies": push(
        quick_replies=(QuickReply("我要預約", data="book:1"), QuickReply("請打電話給我", text="請打電話給我"))
    ),
    "most quick replies": push(quick_replies=tuple(QuickReply(f"選項{n}", data=str(n)) for n in range(13))),
    "very long labels": push(quick_replies=(QuickReply("很長的按鈕文字" * 5, data="x"),)),
    "confirm": push("您要在三月二日來嗎？", buttons=(Button("確認", data="yes"), Button("改期", data="no"))),
    "one button": push("請確認", buttons=(Button("確認", data="yes"),)),
    "three buttons": push("請選擇", buttons=tuple(Button(f"第{n}項", data=str(n)) for n in range(3))),
    "links": push("看診", links=(Link("地圖", "https://c.example/map"), Link("電話", "tel:+886212345678"))),
    "long text with buttons": push("牙" * 3000, buttons=(Button("好", data="1"), Button("不好", data="0"))),
    "everything": push(
        "全部", buttons=(Button("確認", data="yes"),), links=(Link("地圖", "https://clinic.example/map"),),
        quick_replies=(QuickReply("好"), QuickReply("不好", data="no")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_message_is_what_line_describes(shape, shared):
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        [result] = await channel.send_many([SHAPES[shape]])

        assert fake.invalid == []
        assert isinstance(result, Sent), result
        assert fake.report()["accepted"] == 1

    with_line(story, openapi=openapi(shared))


def test_two_thousand_calls_are_checked_one_by_one(shared):
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        shapes = list(SHAPES.values())
        messages = [replace(shapes[n % len(shapes)], key=uuid4()) for n in range(2000)]

        started = time.perf_counter()
        results = [result for at in range(0, 2000, 500) for result in await channel.send_many(messages[at : at + 500])]

        assert time.perf_counter() - started < 30
        assert all(isinstance(result, Sent) for result in results)
        assert fake.report() == {"accepted": 2000, "calls": 2000, "repeats": 0, "invalid": []}

    with_line(story, openapi=openapi(shared), timeout=20)  # checking takes a while on a busy machine


def test_the_checker_itself_notices_what_is_wrong(shared):
    description = Description(openapi(shared))
    operation = description.operation("POST", "/v2/bot/message/push")
    assert operation is not None
    assert description.takes_retry_key(operation)

    def wrong(**changes: Any) -> list[str]:
        return description.check(operation, {"to": USER, "messages": [{"type": "text", "text": "a"}], **changes})

    button = {"type": "button", "action": {"type": "uri", "label": "a", "uri": "https://c.example"}}
    assert wrong() == []
    assert wrong(messages=[]) != []
    assert wrong(messages=[{"type": "text", "text": "a"}] * 6) != []
    assert wrong(messages=[{"type": "text"}]) != []
    assert wrong(messages=[{"type": "hologram", "text": "a"}]) != []
    assert wrong(messages=[{"type": "text", "text": "a", "quickreply": {}}]) != []  # misspelt
    assert wrong(notificationDisable=True) != []  # misspelt
    assert wrong(messages=[{"type": "flex", "altText": "a", "contents": button}]) != []
    too_many = [{"type": "action", "action": {"type": "message", "label": "a", "text": "a"}}] * 14
    assert wrong(messages=[{"type": "text", "text": "a", "quickReply": {"items": too_many}}]) != []
    long_data = {"type": "postback", "label": "a", "data": "x" * 301}
    item = {"type": "action", "action": long_data}
    assert wrong(messages=[{"type": "text", "text": "a", "quickReply": {"items": [item]}}]) != []
    assert description.operation("POST", "/v2/bot/message/shove") is None


def test_the_other_calls_are_in_the_description_too(shared):
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        check = await channel.check()
        profile = await channel.profile(USER)
        token = await channel.link_token(USER)

        assert fake.invalid == []
        assert check.ok
        assert check.details == {
            "bot_user_id": BOT_USER_ID, "name": "好牙診所", "basic_id": "@clinic", "quota": 200, "used": 0,
            "webhook": "https://clinic.example/hooks/line/", "webhook_active": True,
        }  # fmt: skip
        assert profile is not None
        assert profile.display_name == "王小明"
        assert token

    with_line(story, openapi=openapi(shared), quota=200)


def test_somebody_who_is_no_friend_has_no_profile():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        fake.blocked.add(USER)

        assert await channel.profile(USER) is None

    with_line(story)


@pytest.mark.parametrize("way", ["direct", "by proxy"])
@pytest.mark.parametrize("trouble", ["500", "close", "close-taken", "silent", "silent-taken", "429"])
def test_after_trouble_the_same_key_is_asked_again_and_the_patient_hears_once(trouble, way):
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        if way == "by proxy":
            channel._pool = None  # as where the clinic has one: pushes go by aiohttp
        fake.next.append(trouble)
        message = push()

        [result] = await channel.send_many([message])

        assert isinstance(result, Sent), result
        assert result.repeated == trouble.endswith("taken")
        assert fake.calls[str(message.key)] == 2
        assert list(fake.accepted) == [str(message.key)]

    with_line(story)


def test_the_first_request_already_carries_the_key():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        messages = [push() for _ in range(5)]

        await channel.send_many(messages)

        assert set(fake.accepted) == {str(message.key) for message in messages}

    with_line(story)


def test_a_connection_that_line_closed_meanwhile_is_replaced_at_once():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        await channel.send_many([push()])
        for client in tuple(fake._open):
            client.transport.pause_reading()  # the next request on it gets no further than the socket …
            asyncio.get_running_loop().call_later(0.05, client.transport.abort)  # … and no answer

        started = time.perf_counter()
        [result] = await channel.send_many([push()])

        assert isinstance(result, Sent)
        assert time.perf_counter() - started < 0.4
        assert set(fake.calls.values()) == {1}

    with_line(story)


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Line-Request-Id: r1\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\nx-line-request-id: r1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nx-line-request-id: r1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"220 mail.example ESMTP\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 300_000, False),
    ],
    ids=["after a 100", "in chunks", "and closed", "no HTTP", "far too long"],
)  # fmt: skip
def test_an_answer_is_read_as_http_says(said, taken):
    async def act() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"}]}")
            for at in range(0, len(said), 7 if taken else 100_000):
                writer.write(said[at : at + (7 if taken else 100_000)])
                await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        channel = open_channel({"host": f"http://127.0.0.1:{port}", "access_token": TOKEN, "timeout_seconds": 0.5})
        results = [(await channel.send_many([push()]))[0] for _ in range(2)]
        await channel.close()
        server.close()

        assert [isinstance(result, Sent) and result.provider_id == "r1" for result in results] == [taken, taken]

    asyncio.run(act())


def test_a_repeat_long_after_is_told_as_accepted_with_the_first_id():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        message = push()

        [first] = await channel.send_many([message])
        [second] = await channel.send_many([message])

        assert isinstance(first, Sent)
        assert isinstance(second, Sent)
        assert second.repeated
        assert first.provider_id == second.provider_id
        assert second.detail == fake.accepted[str(message.key)]

    with_line(story)


def test_a_used_up_month_stops_the_batch():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        results = await channel.send_many([push() for _ in range(200)])

        reasons = [result.reason for result in results if isinstance(result, ChannelError)]
        assert len(reasons) == 190
        assert set(reasons) == {Reason.QUOTA}
        assert sum(fake.calls.values()) < 60  # those on their way, not all 200

    with_line(story, quota=10)


def test_a_wrong_token_is_found_out_once():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        results = await channel.send_many([push() for _ in range(50)])
        check = await channel.check()

        assert {result.reason for result in results if isinstance(result, ChannelError)} == {Reason.AUTH}
        assert not check.ok
        assert len(results) == 50

    with_line(story, token="wrong")


def test_a_token_that_would_break_out_of_its_header_is_not_used():
    with pytest.raises(ValueError, match="token") as refused:
        open_channel({"host": "http://127.0.0.1:1", "access_token": "abc\r\nX-Evil: 1"})
    assert "abc" not in str(refused.value)


def test_nobody_there_means_try_again_later():
    async def story(fake: FakeLine, channel: LineChannel) -> None:
        await fake.stop()

        [result] = await channel.send_many([push()])

        assert isinstance(result, ChannelError)
        assert (result.retry, result.reason) == (True, Reason.UNAVAILABLE)
        assert not (await channel.check()).ok

    with_line(story)


@pytest.mark.parametrize(
    ("status", "message", "retry", "reason"),
    [
        (429, "The API rate limit has been exceeded. Try again later.", True, Reason.RATE),
        (429, "You have reached your monthly limit.", False, Reason.QUOTA),
        (401, "Authentication failed.", False, Reason.AUTH),
        (403, "Access to this API is not available for your account", False, Reason.AUTH),
        (
            400,
            "The property, 'to', in the request body is invalid (line: -, column: -)",
            False,
            Reason.BAD_ADDRESS,
        ),
        (400, "The request body has 2 error(s)", False, Reason.REFUSED),
        (413, "", False, Reason.TOO_LONG),
        (500, "", True, Reason.UNAVAILABLE),
        (503, "", True, Reason.UNAVAILABLE),
    ],
)
def test_an_answer_means(status, message, retry, reason):
    import orjson

    error = error_from(status, orjson.dumps({"message": message}), {})

    assert (error.retry, error.reason) == (retry, reason)
    assert error_from(status, b"<html>", {}).reason  # not JSON, still an answer


def test_actions_that_cannot_be_are_refused_before_they_leave():
    for fields in (
        {"quick_replies": (QuickReply("a", data="x" * 301),)},
        {"links": (Link("a", "javascript:alert(1)"),)},
        {"links": (Link("a", "https://c.example/" + "x" * 1000),)},
        {"buttons": (Button("a"),)},
    ):
        with pytest.raises(ChannelError):
            objects(push(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("短", 20, "短"),
        ("牙" * 21, 20, "牙" * 19 + "…"),
        ("😀" * 11, 20, "😀" * 9 + "…"),
        ("😀" * 10, 20, "😀" * 10),
    ],
)
def test_labels_are_cut_between_characters(text, limit, short):
    assert shorten(text, limit) == short
    assert len(short.encode("utf-16-le")) // 2 <= limit
