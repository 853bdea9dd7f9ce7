"""What every channel must do, whatever is behind it. A new adapter adds one `Stage` here and passes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID, uuid4

import pytest

from careloop.integrations.channels import line, smtp
from careloop.integrations.channels.fakes.line import TOKEN, FakeLine
from careloop.integrations.channels.fakes.smtp import SmtpSink
from careloop.integrations.channels.sandbox.adapter import SandboxChannel
from careloop.messaging.ports import (
    Ambiguous,
    Button,
    Channel,
    ChannelError,
    Link,
    Outgoing,
    QuickReply,
    Reason,
    Result,
    Sent,
)

SCRIPTS = {
    "traditional": "王小明您好，您已超過半年未洗牙，請來電預約。",
    "simplified": "王小明您好，您已超过半年未洗牙，请来电预约。",
    "english": "Dear Mr. Wang, it is half a year since your last scaling.",
    "rare and emoji": "𡘙先生 👨‍👩‍👧 您好\n第二行",
}


@dataclass
class Stage:
    """An open channel, and what can be seen and arranged behind it."""

    channel: Channel
    to: str
    arrived: Callable[[], list[tuple[str, str]]]  # (key, text) of each message that reached the patient
    # Makes the next message meet this trouble; returns False when the channel cannot have it.
    arrange: Callable[[str, str], bool]

    def send(self, *messages: Outgoing) -> Awaitable[list[Result]]:
        return self.channel.send_many(messages)

    def message(self, text: str = "您好", **fields: Any) -> Outgoing:
        return Outgoing(
            **{
                "id": 1,
                "key": uuid4(),
                "to": self.to,
                "text": text,
                "subject": "提醒",
                "patient_id": uuid4(),
                **fields,
            }
        )


@asynccontextmanager
async def smtp_stage() -> AsyncIterator[Stage]:
    sink = SmtpSink(keep=True)
    port = await sink.start()
    channel = smtp.open_channel(
        {"host": "127.0.0.1", "port": port, "security": "none", "from_address": "hello@clinic.example",
         "from_name": "好牙診所", "connections": 2, "timeout_seconds": 1}
    )  # fmt: skip

    def arrived() -> list[tuple[str, str]]:
        found = []
        for _, content in sink.mails:
            mail = message_from_bytes(content, policy=policy.SMTP)
            body = mail.get_body(("plain",))
            assert body is not None
            found.append((str(UUID(mail["Message-ID"].strip("<>").split("@")[0])), body.get_content()))
        return found

    def arrange(trouble: str, to: str) -> bool:
        answers = {
            "busy": "450 4.2.0 greylisted",
            "nobody": "550 5.1.1 <someone@example.com> unknown",
            "blocked": "550 5.7.1 you are blocked",
        }
        if trouble in answers:
            sink.refusals[to] = answers[trouble]
        elif trouble == "content refused":
            sink.content_refusals[to] = "554 5.6.0 not like this"
        elif trouble == "answer lost":
            sink.drop_after.n = 1
        else:
            return False
        return True

    try:
        yield Stage(channel, "ming@example.com", arrived, arrange)
    finally:
        await channel.close()
        await sink.stop()


@asynccontextmanager
async def line_stage() -> AsyncIterator[Stage]:
    fake = FakeLine()
    port = await fake.start()
    channel = line.open_channel(
        {"host": f"http://127.0.0.1:{port}", "access_token": TOKEN, "connections": 2, "timeout_seconds": 1}
    )

    def arrived() -> list[tuple[str, str]]:
        found = []
        for key, body in zip(fake.accepted, fake.bodies, strict=True):
            first = body["messages"][0]
            template = first.get("template") or {}
            flex = (first.get("contents") or {}).get("body", {}).get("contents", [{}])[0]
            found.append((key, first.get("text") or template.get("text") or flex.get("text")))
        return found

    def arrange(trouble: str, to: str) -> bool:
        # The adapter tries three times by itself.
        names = {
            "busy": ["429"] * 3,
            "answer lost": ["close-taken"],
            "no credit": ["quota"],
            "locked out": ["401"],
        }
        fake.next.extend(names.get(trouble, []))
        return trouble in names

    try:
        yield Stage(channel, "U" + "0a" * 16, arrived, arrange)
    finally:
        await channel.close()
        await fake.stop()


@asynccontextmanager
async def phone_stage(plays: str, to: str) -> AsyncIterator[Stage]:
    phone: dict[UUID, dict[str, Any]] = {}

    def deliver(_: UUID, rows: Sequence[dict[str, Any]]) -> set[UUID]:
        new = {row["message_key"]: row for row in rows if row["message_key"] not in phone}
        phone.update(new)
        return set(new)

    channel = SandboxChannel(organization_id=uuid4(), channel_id=uuid4(), plays=plays, deliver=deliver)
    yield Stage(
        channel,
        to,
        lambda: [(str(key), row["content"]["text"]) for key, row in phone.items()],
        lambda trouble, to: False,
    )


STAGES: dict[str, Callable[[], AbstractAsyncContextManager[Stage]]] = {
    "smtp": smtp_stage,
    "line": line_stage,
    "sandbox as line": lambda: phone_stage("line", "U" + "0b" * 16),
    "sandbox as sms": lambda: phone_stage("sms", "+886912345678"),
    "sandbox as email": lambda: phone_stage("email", "ming@example.com"),
}


@pytest.fixture(params=list(STAGES))
def on_stage(request: pytest.FixtureRequest) -> Callable[[Callable[[Stage], Awaitable[None]]], None]:
    """Runs a story on each channel in turn."""

    def run(story: Callable[[Stage], Awaitable[None]]) -> None:
        async def act() -> None:
            async with STAGES[request.param]() as stage:
                await story(stage)

        asyncio.run(act())

    return run


def test_it_says_who_it_is_and_what_it_can_carry(on_stage):
    async def story(stage: Stage) -> None:
        assert isinstance(stage.channel, Channel)
        assert stage.channel.kind in ("email", "line", "sandbox")
        assert stage.channel.capabilities.text_limit > 100
        assert stage.channel.capabilities.deduplicates == (stage.channel.capabilities.deduplicates_for_hours > 0)

    on_stage(story)


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_carries_every_script_unchanged(on_stage, script):
    async def story(stage: Stage) -> None:
        message = stage.message(SCRIPTS[script])

        [result] = await stage.send(message)

        assert isinstance(result, Sent), result
        assert result.provider_id
        assert result.accepted_at.tzinfo is not None
        [(key, text)] = stage.arrived()
        assert key == str(message.key)
        assert text.replace("\r\n", "\n").rstrip("\n") == SCRIPTS[script]

    on_stage(story)


def test_a_batch_gets_one_answer_for_each_message_in_order(on_stage):
    async def story(stage: Stage) -> None:
        messages = [stage.message(f"第{number}位") for number in range(60)]
        messages[7] = replace(messages[7], to="nobody at all")
        messages[21] = replace(messages[21], text="")

        results = await stage.send(*messages)

        assert len(results) == 60
        refused = {index for index, result in enumerate(results) if isinstance(result, ChannelError)}
        assert refused <= {7, 21}
        assert 21 in refused
        arrived = dict(stage.arrived())
        for message, result in zip(messages, results, strict=True):
            assert (str(message.key) in arrived) == isinstance(result, Sent)

    on_stage(story)


def test_an_empty_batch_is_no_trouble(on_stage):
    async def story(stage: Stage) -> None:
        assert await stage.channel.send_many([]) == []

    on_stage(story)


def test_the_longest_text_goes_and_one_more_is_refused_before_it_leaves(on_stage):
    async def story(stage: Stage) -> None:
        limit = stage.channel.capabilities.text_limit

        fits, too_long = await stage.send(stage.message("牙" * limit), stage.message("牙" * (limit + 1)))

        assert isinstance(fits, Sent), fits
        assert isinstance(too_long, ChannelError)
        assert (too_long.reason, too_long.retry) == (Reason.TOO_LONG, False)
        assert len(stage.arrived()) == 1

    on_stage(story)


def test_an_emoji_counts_as_the_channel_counts_it(on_stage):
    async def story(stage: Stage) -> None:
        capabilities = stage.channel.capabilities
        most = capabilities.text_limit // capabilities.length("😀")

        fits, too_long = await stage.send(stage.message("😀" * most), stage.message("😀" * (most + 1)))

        assert isinstance(fits, Sent), fits
        assert isinstance(too_long, ChannelError)

    on_stage(story)


def test_answers_and_links_are_carried_up_to_the_limit(on_stage):
    async def story(stage: Stage) -> None:
        most = stage.channel.capabilities.quick_replies_max
        replies = tuple(QuickReply(f"選項{n}", data=f"a={n}", url="https://c.example/a") for n in range(most + 1))

        rich, two = await stage.send(
            stage.message(quick_replies=replies[:most] or replies, links=(Link("地圖", "https://c.example/map"),)),
            stage.message(buttons=(Button("確認", data="yes"), Button("改期", data="no"))),
        )

        assert isinstance(rich, Sent), rich
        assert isinstance(two, Sent), two
        if most:
            [refused] = await stage.send(stage.message(quick_replies=replies))
            assert isinstance(refused, ChannelError)
            assert refused.reason is Reason.TOO_LONG

    on_stage(story)


def test_the_same_key_twice_reaches_the_patient_once_where_the_channel_promises_it(on_stage):
    async def story(stage: Stage) -> None:
        message = stage.message()

        [first] = await stage.send(message)
        [second] = await stage.send(message)

        assert isinstance(first, Sent)
        assert isinstance(second, Sent)
        if stage.channel.capabilities.deduplicates:
            assert not first.repeated
            assert second.repeated
            assert len(stage.arrived()) == 1

    on_stage(story)


def test_an_answer_lost_after_acceptance_is_asked_again_or_said_to_be_ambiguous(on_stage):
    async def story(stage: Stage) -> None:
        if not stage.arrange("answer lost", stage.to):
            return  # the answer of this channel cannot be lost

        [result] = await stage.send(stage.message())

        assert len(stage.arrived()) == 1
        if stage.channel.capabilities.deduplicates:
            assert isinstance(result, Sent)
            assert result.repeated
        else:
            assert isinstance(result, Ambiguous)
            assert (result.retry, result.reason) == (False, Reason.AMBIGUOUS)

    on_stage(story)


@pytest.mark.parametrize(
    ("trouble", "retry", "reasons"),
    [
        ("busy", True, {Reason.RATE, Reason.UNAVAILABLE}),
        ("nobody", False, {Reason.BAD_ADDRESS}),
        ("blocked", False, {Reason.BLOCKED}),
        ("content refused", False, {Reason.REFUSED}),
        ("no credit", False, {Reason.QUOTA}),
        ("locked out", False, {Reason.AUTH}),
    ],
)
def test_a_refusal_says_why_and_whether_to_try_again(on_stage, trouble, retry, reasons):
    async def story(stage: Stage) -> None:
        if not stage.arrange(trouble, stage.to):
            return  # this channel does not know this trouble

        [result] = await stage.send(stage.message("秘密的內容"))

        assert isinstance(result, ChannelError)
        assert not isinstance(result, Ambiguous)
        assert result.retry is retry
        assert result.reason in reasons
        assert (result.retry_after is not None) == retry
        assert stage.arrived() == []
        # Errors are logged and shown: no patient data in them.
        assert stage.to not in str(result)
        assert "someone@" not in str(result)
        assert "秘密" not in str(result)

    on_stage(story)


@pytest.mark.parametrize("bad", ["", "no one", "a@b\r\nRCPT TO:<x@y.zz>", "U123", "a b@example.com", "<a@example.com>"])
def test_an_address_that_cannot_be_one_is_refused_and_harms_nobody(on_stage, bad):
    async def story(stage: Stage) -> None:
        if stage.channel.kind == "sandbox" and "\r" not in bad and bad:
            return  # a sandbox phone has whatever number it is given

        wrong, right = await stage.send(stage.message(to=bad), stage.message())

        assert isinstance(wrong, ChannelError)
        assert (wrong.reason, wrong.retry) == (Reason.BAD_ADDRESS, False)
        assert isinstance(right, Sent)
        assert len(stage.arrived()) == 1

    on_stage(story)


def test_half_a_character_is_refused_not_crashed_on(on_stage):
    async def story(stage: Stage) -> None:
        broken, whole = await stage.send(stage.message("您好\ud83d"), stage.message("您好😀"))

        assert isinstance(broken, ChannelError)
        assert broken.reason is Reason.REFUSED
        assert isinstance(whole, Sent)

    on_stage(story)


def test_hostile_text_arrives_as_text(on_stage):
    hostile = '\'; drop table patients;--\n.\r\nQUIT\r\n<script>alert(1)</script> {{ 7*7 }} =HYPERLINK("x")'

    async def story(stage: Stage) -> None:
        [result] = await stage.send(stage.message(hostile))

        assert isinstance(result, Sent)
        [(_, text)] = stage.arrived()
        assert text.replace("\r\n", "\n").rstrip("\n") == hostile.replace("\r\n", "\n")

    on_stage(story)


def test_marketing_over_email_always_has_its_one_click_way_out(on_stage):
    async def story(stage: Stage) -> None:
        if not stage.channel.capabilities.one_click_unsubscribe:
            return  # other channels carry the way out in their text

        without, with_one = await stage.send(
            stage.message(message_class="MARKETING"),
            stage.message(message_class="MARKETING", unsubscribe_url="https://c.example/u/abc"),
        )

        assert isinstance(without, ChannelError)
        assert without.reason is Reason.REFUSED
        assert isinstance(with_one, Sent)

    on_stage(story)


def test_it_can_be_checked_and_closed_and_opened_again(on_stage):
    async def story(stage: Stage) -> None:
        check = await stage.channel.check()

        assert check.ok
        assert str(check.message)
        await stage.channel.close()
        [result] = await stage.send(stage.message())
        assert isinstance(result, Sent)

    on_stage(story)
