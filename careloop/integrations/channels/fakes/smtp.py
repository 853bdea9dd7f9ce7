"""A counting SMTP sink: takes mail at full speed, delivers nothing, forgets no Message-ID."""

import argparse
import asyncio
import re
import ssl
from collections import Counter
from pathlib import Path
from typing import Any

from .common import Every, Spool, run_as_process

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class SmtpSink:
    """`counts[message_id]` says how often each message was accepted.

    `refusals` maps a recipient to the answer it gets at RCPT; `content_refusals` to the one it gets after
    the content. `drop_after` closes the connection after accepting every nth message, without an answer:
    the sender cannot know. `drop_before` closes before accepting. `silent` recipients are never answered.
    """

    def __init__(
        self,
        *,
        spool: str | Path | None = None,
        keep: bool = False,
        drop_after: int = 0,
        drop_before: int = 0,
        pipelining: bool = True,
        password: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.mails: list[tuple[str, bytes]] = []
        self.refusals: dict[str, str] = {}
        self.content_refusals: dict[str, str] = {}
        self.silent: set[str] = set()
        self.connections = 0
        self.keep = keep
        self.drop_after = Every(drop_after)
        self.drop_before = Every(drop_before)
        self.pipelining = pipelining
        self.password = password
        self.tls = tls
        self.spool = Spool(spool)
        self._server: asyncio.Server | None = None
        self._open: set[_Session] = set()

    async def start(self, port: int = 0) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), "127.0.0.1", port, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._open):
            session.transport.abort()
        self.spool.close()

    def report(self) -> dict[str, Any]:
        return {
            "accepted": sum(self.counts.values()),
            "messages": len(self.counts),
            "twice": sum(1 for count in self.counts.values() if count > 1),
            "connections": self.connections,
        }

    def accept(self, recipient: str, content: bytes) -> None:
        found = _MESSAGE_ID.search(content[:4096])
        message_id = found[1].decode("ascii", "replace") if found else "(none)"
        self.counts[message_id] += 1
        self.spool.write(id=message_id)
        if self.keep:
            self.mails.append((recipient, content))


class _Session(asyncio.Protocol):
    """One sender. Commands are answered in order, so pipelined ones need nothing special."""

    def __init__(self, sink: SmtpSink) -> None:
        self.sink = sink
        self.buffer = bytearray()
        self.recipient = ""
        self.in_content = False
        self.closing = False
        self.securing: asyncio.Future[None] | None = None
        self.signed_in = sink.password is None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.sink.connections += 1
        self.sink._open.add(self)
        if not transport.get_extra_info("ssl_object"):
            self.transport.write(b"220 sink ESMTP\r\n")

    def connection_lost(self, exception: Exception | None) -> None:
        self.sink._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        answers = bytearray()
        while not (self.securing or self.closing or self.transport.is_closing()):
            if self.in_content:
                # The lone dot may stand at the very beginning (no content at all).
                end = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                skip = 3 if self.buffer.startswith(b".\r\n") else 5
                content = bytes(self.buffer[:end])
                del self.buffer[: end + skip]
                self.in_content = False
                answer = self._content(content)
            else:
                end = self.buffer.find(b"\r\n")
                if end < 0:
                    break
                line = bytes(self.buffer[:end])
                del self.buffer[: end + 2]
                answer = self._command(line)
            answers += answer
        if answers and not self.transport.is_closing():
            self.transport.write(bytes(answers))
            if self.closing:
                self.transport.close()

    def _content(self, content: bytes) -> bytes:
        if self.sink.drop_before():
            self.transport.abort()
            return b""
        if refusal := self.sink.content_refusals.get(self.recipient):
            return refusal.encode() + b"\r\n"
        self.sink.accept(self.recipient, content)
        if self.sink.drop_after():
            self.transport.abort()
            return b""
        return b"250 2.0.0 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            names = ["sink", "SIZE 10485760", *(["PIPELINING"] if self.sink.pipelining else [])]
            if self.sink.password:
                names.append("AUTH PLAIN LOGIN")
            if self.sink.tls and not self.transport.get_extra_info("ssl_object"):
                names.append("STARTTLS")
            return "".join(f"250{' ' if name is names[-1] else '-'}{name}\r\n" for name in names).encode()
        if verb == b"HELO":
            return b"250 sink\r\n"
        if verb == b"QUIT":
            self.closing = True
            return b"221 bye\r\n"
        if verb == b"STAR" and self.sink.tls:
            self.transport.write(b"220 go\r\n")
            self.transport.pause_reading()  # the sender's next bytes belong to the encryption
            self.securing = asyncio.ensure_future(self._secure())
            return b""
        if verb == b"AUTH":
            return self._auth(line)
        if not self.signed_in:
            return b"530 5.7.0 sign in first\r\n"
        if verb == b"MAIL":
            self.recipient = ""
            return b"250 2.1.0 ok\r\n"
        if verb == b"RCPT":
            return self._rcpt(line)
        if verb == b"DATA":
            if not self.recipient:
                return b"503 5.5.1 no recipient\r\n"
            self.in_content = True
            return b"354 go\r\n"
        if verb in (b"RSET", b"NOOP"):
            return b"250 2.0.0 ok\r\n"
        return b"502 5.5.1 unknown\r\n"

    def _rcpt(self, line: bytes) -> bytes:
        recipient = line.partition(b"<")[2].partition(b">")[0].decode("utf-8", "replace")
        if refusal := self.sink.refusals.get(recipient):
            if refusal.startswith("421"):
                self.closing = True
            return refusal.encode() + b"\r\n"
        if recipient in self.sink.silent:
            self.buffer.clear()
            return b""
        self.recipient = recipient
        return b"250 2.1.5 ok\r\n"

    def _auth(self, line: bytes) -> bytes:
        from base64 import b64decode

        assert self.sink.password is not None
        given = b64decode(line.split()[-1]).split(b"\0")
        if given[-2:] == [part.encode() for part in self.sink.password]:
            self.signed_in = True
            return b"235 2.7.0 welcome\r\n"
        return b"535 5.7.8 wrong password\r\n"

    async def _secure(self) -> None:
        assert self.sink.tls is not None
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(self.transport, self, self.sink.tls, server_side=True)
        except OSError:  # the sender does not trust us
            self.transport.abort()
            return
        if secured is not None:
            self.transport = secured  # type: ignore[assignment]
        # The sender's first words may have come before this task was back.
        self.securing = None
        self.data_received(b"")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--spool")
    parser.add_argument("--drop-after", type=int, default=0, help="drop after accepting every nth message")
    parser.add_argument("--drop-before", type=int, default=0, help="drop before accepting every nth message")
    given = parser.parse_args()
    sink = SmtpSink(spool=given.spool, drop_after=given.drop_after, drop_before=given.drop_before)
    run_as_process(lambda: sink.start(given.port), sink.stop, sink.report)


if __name__ == "__main__":
    main()
