"""One kept SMTP connection (RFC 5321), with pipelining where the server announces it (RFC 2920).

Own, and small, because the sending goal needs it: the next message's envelope travels in the same packet as
the last one's content, so a message costs one round trip instead of four. Measured beside aiosmtplib in the
same run by `careloop bench send`; the reasons are in the README beside this package.
"""

import asyncio
import ssl
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field

from careloop.messaging.ports import ChannelError, Reason

from .errors import Reply, error_from

_MAX_BUFFERED = 256 * 1024  # a server that says more than this without an answer is not a mail server


class Lost(ConnectionError):
    """The connection ended or fell silent while an answer was awaited."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send, and how to be let in."""

    host: str
    port: int
    security: str = "starttls"  # starttls | tls | none
    username: str = ""
    password: str = field(default="", repr=False)
    hello: str = "localhost"
    timeout: float = 30.0


class Connection(asyncio.Protocol):
    """The conversation with one server. One user at a time; write commands, then read as many answers."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.deadline = float("inf")  # loop time after which the watchdog ends this conversation
        self.extensions: dict[str, str] = {}
        self._buffer = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: BaseException | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > _MAX_BUFFERED or len(self._lines) > 1000:
            self.abort("The server talks without answering.")
            return
        for line in lines:
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            if not text[:3].isdigit():
                self.abort("The server's answer is not SMTP.")
                return
            self._lines.append(text[4:])
            if text[3:4] != "-":
                self._replies.append(Reply(int(text[:3]), "\n".join(self._lines)[:2000]))
                self._lines = []
        if self._replies:
            self._wake()

    def connection_lost(self, exception: Exception | None) -> None:
        self._lost = self._lost or Lost(str(exception or "The server closed the connection."))
        self._wake()

    def abort(self, why: str) -> None:
        """End the conversation at once; whoever waits for an answer gets `Lost`."""
        self._lost = self._lost or Lost(why)
        if self.transport is not None:
            self.transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The conversation

    @property
    def alive(self) -> bool:
        return self._lost is None and self.transport is not None and not self.transport.is_closing()

    @property
    def has_unread(self) -> bool:
        return bool(self._buffer or self._lines or self._replies)

    @property
    def pipelining(self) -> bool:
        return "PIPELINING" in self.extensions

    def write(self, data: bytes) -> None:
        """Hand bytes over.

        Raises:
            Lost: the connection is already gone, so nothing of `data` can have arrived.
        """
        if not self.alive or self.transport is None:
            raise Lost("The connection is closed.")
        self.transport.write(data)

    async def reply(self) -> Reply:
        """Return the next answer.

        Raises:
            Lost: there will be none.
        """
        while not self._replies:
            if self._lost is not None:
                raise Lost(str(self._lost))
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._replies.popleft()

    async def ask(self, line: str) -> Reply:
        self.write(line.encode("utf-8") + b"\r\n")
        return await self.reply()

    async def greet(self, name: str) -> None:
        """EHLO, and remember what the server can do."""
        answer = await self.ask(f"EHLO {name}")
        if not answer.ok:
            answer = await self.ask(f"HELO {name}")
        if not answer.ok:
            raise error_from(answer, stage="connect")
        words = (line.partition(" ") for line in answer.text.splitlines()[1:])
        self.extensions = {word.upper(): rest for word, _, rest in words}

    async def authenticate(self, username: str, password: str) -> None:
        """AUTH PLAIN, or LOGIN where the server has only that.

        Raises:
            ChannelError: refused (reason `auth`).
        """
        mechanisms = self.extensions.get("AUTH", "PLAIN").upper().split()
        if "PLAIN" in mechanisms or "LOGIN" not in mechanisms:
            answer = await self.ask(f"AUTH PLAIN {_base64(chr(0) + username + chr(0) + password)}")
        else:
            answer = await self.ask("AUTH LOGIN")
            for secret in (username, password):
                if answer.code == 334:
                    answer = await self.ask(_base64(secret))
        if not answer.ok:
            raise error_from(answer, stage="auth")

    async def quit(self) -> None:
        """Say goodbye and close; a server that does not answer is left."""
        if self.alive and self.transport is not None:
            self.transport.write(b"QUIT\r\n")
            self.transport.close()


async def connect(server: Server, *, tls: ssl.SSLContext | None) -> Connection:
    """Open, secure and sign in. The whole handshake has `server.timeout` seconds.

    Raises:
        ChannelError: the server refused (wrong password, no STARTTLS).
        OSError, Lost, TimeoutError: it could not be reached or went silent.
    """
    return await asyncio.wait_for(_handshake(server, tls), server.timeout)


async def _handshake(server: Server, tls: ssl.SSLContext | None) -> Connection:
    loop = asyncio.get_running_loop()
    implicit = tls if server.security == "tls" else None
    _, connection = await loop.create_connection(Connection, server.host, server.port, ssl=implicit)
    try:
        greeting = await connection.reply()
        if not greeting.ok:
            raise error_from(greeting, stage="connect")
        await connection.greet(server.hello)
        if server.security == "starttls":
            await _start_tls(connection, server, tls)
        if server.username:
            await connection.authenticate(server.username, server.password)
    except BaseException:
        connection.abort("The handshake did not finish.")
        raise
    return connection


async def _start_tls(connection: Connection, server: Server, tls: ssl.SSLContext | None) -> None:
    """Turn the connection into an encrypted one. Never optional: a stripped STARTTLS ends the
    conversation.
    """
    if "STARTTLS" not in connection.extensions:
        raise ChannelError("The server offers no STARTTLS.", retry=False, reason=Reason.AUTH)
    answer = await connection.ask("STARTTLS")
    if not answer.ok:
        raise error_from(answer, stage="connect")
    if connection.has_unread:
        # Words said in clear before the encryption would be read as if said inside it (CVE-2011-0411).
        raise ChannelError("The server spoke before the encryption.", retry=False, reason=Reason.AUTH)
    loop = asyncio.get_running_loop()
    assert connection.transport is not None
    assert tls is not None
    secured = await loop.start_tls(connection.transport, connection, tls, server_hostname=server.host)
    connection.transport = secured  # type: ignore[assignment]
    await connection.greet(server.hello)


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8")).decode("ascii")
