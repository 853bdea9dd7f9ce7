"""E-mail over SMTP: a few kept connections, shared by the messages of a batch."""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from careloop.messaging.ports import (
    Ambiguous,
    Capabilities,
    ChannelError,
    ChannelKind,
    Check,
    Outgoing,
    Reason,
    Result,
    Sent,
    SettingField,
    Unit,
    refusal,
)

from .connection import Connection, Lost, Server, connect
from .errors import Reply, error_from, without_addresses
from .mime import Composer, address

CAPABILITIES = Capabilities(
    text_limit=100_000,
    text_unit=Unit.CHARS,
    html=True,
    subject=True,
    one_click_unsubscribe=True,
    attachments=True,
    pictures=False,
    # Message-ID lets a patient's program hide a copy; no server promises to. So a lost answer stays
    # `unknown`.
    deduplicates=False,
)

# A message whose connection is lost before its content was sent is tried again on a fresh one, this many
# times.
_TRIES = 3


class _Job:
    """One message on its way: the bytes, and where its result goes."""

    __slots__ = ("content", "envelope", "index", "message_id", "tries")

    def __init__(self, index: int, message_id: str, envelope: tuple[bytes, bytes], content: bytes) -> None:
        self.index = index
        self.message_id = message_id
        self.envelope = envelope
        self.content = content
        self.tries = 0


class SmtpChannel:
    """Fulfils `Channel`. Belongs to one event loop."""

    kind = "email"
    capabilities = CAPABILITIES

    def __init__(
        self,
        server: Server,
        composer: Composer,
        *,
        connections: int = 8,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._composer = composer
        self._most = connections
        self._tls = tls
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()

    async def send_many(self, messages: Sequence[Outgoing]) -> list[Result]:
        """Send a batch. A message composed wrongly is refused alone; the others go."""
        results: list[Result | None] = [None] * len(messages)
        # Composed when a connection is free for it, so that the first mail leaves at once and memory stays
        # small.
        waiting = deque(enumerate(messages))
        again: deque[_Job] = deque()

        def take() -> _Job | None:
            while again or waiting:
                if again:
                    return again.popleft()
                index, message = waiting.popleft()
                try:
                    return self._job(index, message)
                except ChannelError as error:
                    results[index] = error
            return None

        def give_back(job: _Job, error: ChannelError) -> None:
            job.tries += 1
            if job.tries < _TRIES:
                again.append(job)
            else:
                results[job.index] = error

        batch = _Batch(results, take, give_back)
        workers = min(self._most, len(messages) // 4 + 1)
        watchdog = asyncio.create_task(self._watch())
        try:
            while waiting or again:
                problems = await asyncio.gather(*(self._work(batch) for _ in range(workers)))
                if (waiting or again) and (problem := next((p for p in problems if p), None)):
                    while job := take():
                        results[job.index] = problem
        finally:
            watchdog.cancel()
        return [result or _unavailable("not tried") for result in results]

    async def check(self) -> Check:
        """Connect, secure and sign in; nothing is sent."""
        try:
            connection = await connect(self._server, tls=self._tls)
        except ChannelError as error:
            if error.reason is Reason.AUTH:
                return Check(False, _("The mail server refuses to let us in: %(why)s") % {"why": error.message})
            return Check(False, _("The mail server answers with an error: %(why)s") % {"why": error.message})
        except OSError as error:  # includes Lost, TimeoutError and certificate errors
            return Check(False, _("The mail server cannot be reached: %(why)s") % {"why": _why(error)})
        details = {"extensions": sorted(connection.extensions), "security": self._server.security}
        await connection.quit()
        return Check(True, _("The mail server accepts us."), details)

    async def close(self) -> None:
        for connection in (*self._idle, *self._busy):
            await connection.quit()
        self._idle.clear()

    # One batch

    def _job(self, index: int, message: Outgoing) -> _Job:
        if error := refusal(self.capabilities, message):
            raise error
        to = address(message.to)
        content = self._composer.compose(message, to) + b".\r\n"
        envelope = (
            b"MAIL FROM:<" + self._composer.sender.encode("ascii") + b">\r\n",
            b"RCPT TO:<" + to.encode("ascii") + b">\r\n",
        )
        return _Job(index, self._composer.message_id(message.key), envelope, content)

    async def _work(self, batch: "_Batch") -> ChannelError | None:
        """Send until nothing is left. Returns an error when no connection could be had at all."""
        while job := batch.take():
            try:
                connection = await self._connection()
            except ChannelError as error:
                if error.retry:
                    batch.give_back(job, error)
                else:
                    batch.results[job.index] = error
                return error
            except OSError as error:
                problem = _unavailable(_why(error))
                batch.give_back(job, problem)
                return problem
            self._busy.add(connection)
            try:
                await batch.deliver(connection, job, self._server.timeout)
            finally:
                self._busy.discard(connection)
                if connection.alive:
                    self._idle.append(connection)
        return None

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
        return await connect(self._server, tls=self._tls)

    async def _watch(self) -> None:
        """End conversations whose server fell silent. One ticker is cheaper than a timer per answer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self._server.timeout / 4))
            for connection in tuple(self._busy):
                if loop.time() > connection.deadline:
                    connection.abort(f"No answer within {self._server.timeout:g} seconds.")


class _Batch:
    """The state shared by the connections of one `send_many`."""

    def __init__(self, results: list[Result | None], take: Any, give_back: Any) -> None:
        self.results = results
        self.take = take
        self.give_back = give_back

    async def deliver(self, connection: Connection, first: _Job, timeout: float) -> None:
        """Send `first` and whatever else is waiting over one connection, until one of them ends."""
        loop = asyncio.get_running_loop()
        job: _Job | None = first
        spoken_for = False  # `job`'s envelope is already on its way
        try:
            while job is not None:
                connection.deadline = loop.time() + timeout
                if not spoken_for and connection.pipelining:
                    connection.write(_envelope(job))
                refused = await self._open(connection, job)
                if refused is not None:
                    if refused.code == 421:  # closing: this message may go over another connection
                        self.give_back(job, error_from(refused, stage="mail"))
                        connection.abort("The server is closing.")
                        return
                    job, spoken_for = self.take(), False
                    continue
                current, job = job, None
                following = self.take()
                spoken_for = following is not None and connection.pipelining
                job = following
                await self._content(connection, current, following if spoken_for else None)
        except Lost as error:
            # Only a message whose content has not left gets here; `_content` answers for the others.
            if job is not None:
                self.give_back(job, _unavailable(str(error)))
        except BaseException:
            connection.abort("The sender was stopped.")
            raise

    async def _open(self, connection: Connection, job: _Job) -> Reply | None:
        """Have sender and recipient accepted. Returns the refusal, with the connection ready for the next
        one.
        """
        if connection.pipelining:
            mail, rcpt, data = [await connection.reply() for _ in range(3)]
        else:
            mail = await connection.ask(job.envelope[0].decode("ascii").rstrip())
            rcpt = data = mail
            if mail.ok:
                rcpt = data = await connection.ask(job.envelope[1].decode("ascii").rstrip())
            if mail.ok and rcpt.ok:
                data = await connection.ask("DATA")
        if mail.ok and rcpt.ok and data.code == 354:
            return None
        stage, refused = ("mail", mail) if not mail.ok else ("rcpt", rcpt) if not rcpt.ok else ("data", data)
        self.results[job.index] = error_from(refused, stage=stage)
        if refused.code == 421:
            return refused
        if data.code == 354:  # RFC 2920: a server may want content although it refused the only recipient
            await connection.ask(".")
        elif mail.ok:
            await connection.ask("RSET")
        return refused

    async def _content(self, connection: Connection, job: _Job, following: _Job | None) -> None:
        """Send the content, and in the same packet the envelope of the next message."""
        try:
            connection.write(job.content + _envelope(following) if following is not None else job.content)
        except Lost as error:
            self.give_back(job, _unavailable(str(error)))  # it was gone already: nothing has left
            raise
        try:
            answer = await connection.reply()
        except Lost as error:
            # The closing dot may have arrived: the server may or may not have taken the message.
            self.results[job.index] = Ambiguous(f"The connection was lost after the content: {error}")
            raise
        if answer.ok:
            self.results[job.index] = Sent(job.message_id, datetime.now(UTC), without_addresses(answer.text))
        else:
            self.results[job.index] = error_from(answer, stage="content")


def _envelope(job: _Job) -> bytes:
    return job.envelope[0] + job.envelope[1] + b"DATA\r\n"


def _unavailable(why: str) -> ChannelError:
    return ChannelError(
        f"The mail server could not be used: {why}", retry=True, reason=Reason.UNAVAILABLE, retry_after=60.0
    )


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__


def open_channel(settings: Mapping[str, Any]) -> SmtpChannel:
    """Open the channel described by its stored settings.

    Raises:
        ChannelError: the sender's address is not one.
        ValueError: a password would travel unencrypted, or the security is unknown.
    """
    security = settings.get("security") or "starttls"
    if security not in ("starttls", "tls", "none"):
        raise ValueError("security must be starttls, tls or none.")
    if security == "none" and settings.get("username"):
        raise ValueError("A password must not travel unencrypted: choose starttls or tls.")
    composer = Composer(
        sender=settings["from_address"],
        sender_name=settings.get("from_name", ""),
        reply_to=settings.get("reply_to", ""),
    )
    server = Server(
        host=settings["host"],
        port=int(settings.get("port") or {"tls": 465, "starttls": 587, "none": 25}[security]),
        security=security,
        username=settings.get("username", ""),
        password=settings.get("password", ""),
        hello=settings.get("hello") or composer.domain,
        timeout=float(settings.get("timeout_seconds") or 30),
    )
    tls = None
    if security != "none":
        tls = ssl.create_default_context(cafile=settings.get("ca_file") or None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
    return SmtpChannel(server, composer, connections=int(settings.get("connections") or 8), tls=tls)


KIND = ChannelKind(
    kind="email",
    label=_("E-mail (SMTP)"),
    capabilities=CAPABILITIES,
    open=open_channel,
    fields=(
        SettingField("from_address", _("Sender's address"), type="email"),
        SettingField("from_name", _("Sender's name"), required=False),
        SettingField("reply_to", _("Answers go to"), required=False, type="email"),
        SettingField("host", _("Mail server"), help=_("For example smtp.example.com")),
        SettingField("port", _("Port"), required=False, type="number", help=_("Empty: the usual one")),
        SettingField(
            "security",
            _("Encryption"),
            type="choice",
            default="starttls",
            choices=(
                ("starttls", _("STARTTLS (port 587)")),
                ("tls", _("TLS from the start (port 465)")),
                ("none", _("None (only inside this machine or network, without password)")),
            ),
        ),
        SettingField("username", _("User name"), required=False),
        SettingField("password", _("Password"), secret=True, required=False),
        SettingField("connections", _("Connections at once"), required=False, type="number", default=8),
    ),
)
