"""SMTP as it goes well, badly, and halfway."""

import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP

from careloop.integrations.channels.fakes.smtp import SmtpSink
from careloop.integrations.channels.smtp import SmtpChannel, open_channel
from careloop.integrations.channels.smtp.errors import Reply, error_from
from careloop.messaging.ports import Ambiguous, ChannelError, Outgoing, Reason, Sent


def mails(count: int, domain: str = "example.com") -> list[Outgoing]:
    return [Outgoing(id=n, key=uuid4(), to=f"p{n}@{domain}", text=f"第{n}位您好", subject="提醒") for n in range(count)]


def channel_to(port: int, **settings: object) -> SmtpChannel:
    return open_channel(
        {"host": "localhost", "port": port, "security": "none", "from_address": "hello@clinic.example",
         "connections": 4, "timeout_seconds": 2, **settings}
    )  # fmt: skip


def with_sink(story: Callable[[SmtpSink, int], Awaitable[None]], **arrangements: object) -> None:
    async def act() -> None:
        sink = SmtpSink(**arrangements)  # type: ignore[arg-type]
        port = await sink.start()
        try:
            await story(sink, port)
        finally:
            await sink.stop()

    asyncio.run(act())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost, made for this run, and a server's context with it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


def test_every_mail_arrives_once_over_a_few_kept_connections():
    async def story(sink: SmtpSink, port: int) -> None:
        channel = channel_to(port)

        first = await channel.send_many(mails(300))
        second = await channel.send_many(mails(300))
        await channel.close()

        assert all(isinstance(result, Sent) for result in (*first, *second))
        assert sink.report() == {"accepted": 600, "messages": 600, "twice": 0, "connections": 4}

    with_sink(story)


def test_a_server_without_pipelining_is_spoken_to_line_by_line():
    async def story(sink: SmtpSink, port: int) -> None:
        sink.refusals["p3@example.com"] = "550 5.1.1 nobody"

        results = await channel_to(port).send_many(mails(20))

        assert sum(isinstance(result, Sent) for result in results) == 19
        assert isinstance(results[3], ChannelError)

    with_sink(story, pipelining=False)


def test_refusals_between_good_mails_touch_only_their_own():
    async def story(sink: SmtpSink, port: int) -> None:
        for number in (0, 5, 6, 19):
            sink.refusals[f"p{number}@example.com"] = "550 5.1.1 nobody"
        sink.content_refusals["p7@example.com"] = "554 5.7.1 spam"

        results = await channel_to(port, connections=1).send_many(mails(20))

        failed = {n: result.reason for n, result in enumerate(results) if isinstance(result, ChannelError)}
        assert failed == {
            0: Reason.BAD_ADDRESS, 5: Reason.BAD_ADDRESS, 6: Reason.BAD_ADDRESS, 19: Reason.BAD_ADDRESS,
            7: Reason.REFUSED,
        }  # fmt: skip
        assert len(sink.counts) == 15

    with_sink(story)


def test_lost_answers_are_ambiguous_and_never_sent_again():
    async def story(sink: SmtpSink, port: int) -> None:
        messages = mails(1000)

        results = await channel_to(port).send_many(messages)

        unknown = [result for result in results if isinstance(result, Ambiguous)]
        sent = [result for result in results if isinstance(result, Sent)]
        assert len(unknown) == 25
        assert len(sent) == 975
        assert set(sink.counts.values()) == {1}
        assert len(sink.counts) == 1000  # in truth all arrived; from here nobody could know

    with_sink(story, drop_after=40)


def test_a_connection_lost_before_the_content_costs_nothing():
    async def story(sink: SmtpSink, port: int) -> None:
        channel = channel_to(port)
        await channel.send_many(mails(40))
        for session in tuple(sink._open):
            session.transport.abort()  # the server restarts between two batches

        results = await channel.send_many(mails(40))

        assert all(isinstance(result, Sent) for result in results)
        assert set(sink.counts.values()) == {1}

    with_sink(story)


def test_a_closing_server_is_left_for_another_connection():
    async def story(sink: SmtpSink, port: int) -> None:
        sink.refusals["p2@example.com"] = "421 4.3.2 shutting down"

        results = await channel_to(port, connections=1).send_many(mails(6))

        assert [type(result) for result in results].count(Sent) == 5
        refused = results[2]
        assert isinstance(refused, ChannelError)
        assert refused.retry

    with_sink(story)


def test_a_silent_server_is_not_waited_for_forever():
    async def story(sink: SmtpSink, port: int) -> None:
        sink.silent.add("p1@example.com")

        async with asyncio.timeout(10):
            results = await channel_to(port, timeout_seconds=0.4).send_many(mails(3))

        assert isinstance(results[0], Sent)
        assert isinstance(results[2], Sent)
        silent = results[1]
        assert isinstance(silent, ChannelError)
        assert (silent.retry, silent.reason) == (True, Reason.UNAVAILABLE)

    with_sink(story)


def test_no_server_means_try_again_later_for_every_mail():
    async def story(sink: SmtpSink, port: int) -> None:
        await sink.stop()

        results = await channel_to(port).send_many(mails(50))
        check = await channel_to(port).check()

        assert {type(result) for result in results} == {ChannelError}
        assert all(isinstance(r, ChannelError) and r.retry and r.reason is Reason.UNAVAILABLE for r in results)
        assert not check.ok

    with_sink(story)


def test_it_signs_in_inside_encryption(certificate):
    path, context = certificate

    async def story(sink: SmtpSink, port: int) -> None:
        settings = {"security": "starttls", "ca_file": str(path), "username": "clinic", "password": "secret"}
        channel = channel_to(port, **settings)

        results = await channel.send_many(mails(20))
        check = await channel.check()
        await channel.close()

        assert all(isinstance(result, Sent) for result in results), results[0]
        assert check.ok
        assert check.details["security"] == "starttls"

    with_sink(story, tls=context, password=("clinic", "secret"))


def test_a_wrong_password_fails_every_mail_without_a_retry(certificate):
    path, context = certificate

    async def story(sink: SmtpSink, port: int) -> None:
        settings = {"security": "starttls", "ca_file": str(path), "username": "clinic", "password": "wrong"}

        results = await channel_to(port, **settings).send_many(mails(30))

        assert {(r.reason, r.retry) for r in results if isinstance(r, ChannelError)} == {(Reason.AUTH, False)}
        assert len(results) == 30
        assert "wrong" not in "".join(str(result).replace("wrong password", "") for result in results)

    with_sink(story, tls=context, password=("clinic", "secret"))


def test_encryption_that_was_asked_for_is_never_done_without(certificate):
    async def story(sink: SmtpSink, port: int) -> None:
        results = await channel_to(port, security="starttls").send_many(mails(3))

        assert all(isinstance(result, ChannelError) for result in results)
        assert sink.counts == {}

    with_sink(story)


def test_a_certificate_nobody_vouches_for_is_not_trusted(certificate):
    async def story(sink: SmtpSink, port: int) -> None:
        results = await channel_to(port, security="starttls").send_many(mails(3))

        assert all(isinstance(result, ChannelError) for result in results)
        assert sink.counts == {}

    with_sink(story, tls=certificate[1])


def test_a_password_never_travels_in_clear():
    with pytest.raises(ValueError, match="unencrypted"):
        channel_to(25, username="clinic", password="secret")


def test_the_reference_server_understands_every_word():
    """aiosmtpd, strict about the protocol, is the real thing our sink is checked against."""

    class Keeper:
        def __init__(self) -> None:
            self.got: list[bytes] = []

        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("p4@"):
                return "550 5.1.1 nobody"
            envelope.rcpt_tos.append(address)
            return "250 ok"

        async def handle_DATA(self, server, session, envelope):
            self.got.append(envelope.content)
            return "250 2.0.0 taken"

    keeper = Keeper()

    async def act() -> list[object]:
        server = await asyncio.get_running_loop().create_server(lambda: SMTP(keeper), "127.0.0.1", 0)
        channel = channel_to(server.sockets[0].getsockname()[1], host="127.0.0.1")
        results = await channel.send_many(mails(60))
        await channel.close()
        await asyncio.sleep(0.05)  # aiosmtpd's own goodbye
        server.close()
        return list(results)

    results = asyncio.run(act())

    assert sum(isinstance(result, Sent) for result in results) == 59
    assert isinstance(results[4], ChannelError)
    assert len(keeper.got) == 59
    assert all(content.startswith(b"From: ") and b".\r\n.\r\n" not in content for content in keeper.got)


@pytest.mark.parametrize(
    ("stage", "code", "text", "retry", "reason"),
    [
        ("rcpt", 450, "4.2.0 greylisted", True, Reason.RATE),
        ("rcpt", 452, "4.2.2 mailbox full", True, Reason.UNAVAILABLE),
        ("rcpt", 550, "5.1.1 no such user", False, Reason.BAD_ADDRESS),
        ("rcpt", 550, "unknown user", False, Reason.BAD_ADDRESS),
        ("rcpt", 550, "5.2.1 disabled", False, Reason.BAD_ADDRESS),
        ("rcpt", 552, "5.2.2 full", False, Reason.BLOCKED),
        ("rcpt", 554, "5.7.1 blocked by the recipient", False, Reason.BLOCKED),
        ("mail", 550, "5.7.0 sender refused", False, Reason.AUTH),
        ("mail", 530, "5.7.0 sign in first", False, Reason.AUTH),
        ("auth", 535, "5.7.8 wrong", False, Reason.AUTH),
        ("auth", 454, "4.7.0 later", True, Reason.AUTH),
        ("content", 550, "5.7.515 not authenticated", False, Reason.REFUSED),
        ("content", 554, "spam", False, Reason.REFUSED),
        ("content", 552, "5.3.4 too big", False, Reason.TOO_LONG),
        ("content", 451, "4.3.0 try later", True, Reason.RATE),
    ],
)
def test_an_answer_means(stage, code, text, retry, reason):
    error = error_from(Reply(code, text), stage=stage)

    assert (error.retry, error.reason) == (retry, reason)


def test_an_answer_that_names_the_patient_is_masked():
    error = error_from(Reply(550, "5.1.1 <ming@example.com>: user ming@example.com unknown"), stage="rcpt")

    assert "ming" not in str(error)
