"""Kept HTTP/1.1 connections for one request that is made a thousand times a minute.

A push is always the same request with another body, and the answer is short: what aiohttp does for any request on earth
(sessions, cookies, redirects, timers, streams) cost 170 µs a push, this costs 40. The answers are parsed by httptools, the
parser of uvicorn; TLS is the standard library's. Everything that is not a push goes by aiohttp, and so do pushes where the
clinic has a proxy.
"""

import asyncio
import ssl

import httptools
from yarl import URL

_MAX_BODY = 256 * 1024  # LINE's answers have some hundred bytes


class Lost(ConnectionError):
    """The connection ended or fell silent while an answer was awaited."""


class Connection(asyncio.Protocol):
    """One conversation: one request, then its answer, then the next."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.deadline = float("inf")  # loop time after which the watchdog ends this conversation
        self.idle_since = 0.0
        self.answered = 0
        self.alive = False
        self.headers: dict[str, str] = {}
        self.body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[int] | None = None

    async def ask(self, request: bytes) -> int:
        """Send one request and return its status; `headers` (names in lower case) and `body` are then the answer's.

        Raises:
            Lost: no answer, or not a whole one. LINE may have taken the message.
        """
        if self.transport is None or not self.alive:
            raise Lost("The connection is closed.")
        self.headers, self.body = {}, b""
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.end("The sender was stopped.")  # an answer to nobody must not become the next one's
            raise
        finally:
            self._waiter = None

    def end(self, why: str) -> None:
        """End the conversation at once; whoever waits for an answer gets `Lost`."""
        self.alive = False
        if self.transport is not None:
            self.transport.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Lost(why))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.end("LINE spoke without being asked.")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.end("The answer is not HTTP.")

    def connection_lost(self, exception: Exception | None) -> None:
        self.end("The server closed the connection.")

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > _MAX_BODY:
            self.end("The answer is too long.")

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # "continue" and the like: the answer itself follows
            self.headers, self.body = {}, b""
            return
        self.alive = self.alive and self._parser.should_keep_alive()
        self.answered += 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(status)


class Pool:
    """The connections to one host. `close()` ends them."""

    def __init__(self, url: URL, *, timeout: float, keep_seconds: float = 60.0) -> None:
        self._host, self._port = url.host or "", url.port or 443
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._timeout = timeout
        self._keep = keep_seconds
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()

    async def ask(self, request: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers (names in lower case) of the answer to one request that may be repeated.

        Raises:
            Lost, OSError, TimeoutError: there was none.
        """
        loop = asyncio.get_running_loop()
        while True:
            connection = self._kept(loop.time()) or await self._connect(loop)
            used_before = connection.answered > 0
            connection.deadline = loop.time() + self._timeout
            self._busy.add(connection)
            try:
                status = await connection.ask(request)
            except Lost:
                # A server closes an idle connection just when we use it again: another one, at once.
                if used_before and loop.time() < connection.deadline:
                    continue
                raise
            finally:
                self._busy.discard(connection)
            if connection.alive:
                connection.idle_since = loop.time()
                self._idle.append(connection)
            elif connection.transport is not None:
                connection.transport.close()
            return status, connection.body, connection.headers

    async def watch(self) -> None:
        """End conversations whose server fell silent, until cancelled. One ticker is cheaper than a timer per push."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self._timeout / 4))
            for connection in tuple(self._busy):
                if loop.time() > connection.deadline:
                    connection.end(f"No answer within {self._timeout:g} seconds.")

    def close(self) -> None:
        for connection in (*self._idle, *self._busy):
            connection.end("The channel is closed.")
        self._idle.clear()

    def _kept(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive and now - connection.idle_since < self._keep:
                return connection
            connection.end("Not used for a while.")
        return None

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        opening = loop.create_connection(
            Connection, self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
        )
        _transport, connection = await asyncio.wait_for(opening, self._timeout)
        return connection
