"""A LINE that stays on this machine: checks each call against the official description and honours retry
keys.

What it accepts it writes down before it answers (`--spool`), so that after a sender was killed one can
count. A key seen before is answered 409 with the first request's id, as LINE does for 24 hours. Raw
asyncio, because the fake must be faster than what it measures.
"""

import argparse
import asyncio
import re
from collections import Counter, deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from .common import Every, Spool, read_spool, run_as_process
from .openapi import Description

BOT_USER_ID = "U0123456789abcdef0123456789abcdef"
TOKEN = "fake-channel-access-token"  # noqa: S105 (opens nothing)
_USER = re.compile(r"U[0-9a-f]{32}\Z")
_KEY = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict"}

Answer = tuple[int, dict[str, Any], dict[str, str]]


class FakeLine:
    """`accepted[key]` is the request id of each message taken; `calls` counts every push, repeats included.

    `next` is a queue of misbehaviours for the coming pushes: "429", "quota", "401", "500", "silent" (no
    answer, not taken), "silent-taken" (taken, no answer), "close" (closed before taking), "close-taken"
    (taken, then closed). The `*_every` arguments do the same to each nth push.
    """

    def __init__(
        self,
        *,
        openapi: str | Path | None = None,
        spool: str | Path | None = None,
        quota: int | None = None,
        close_taken_every: int = 0,
        error_every: int = 0,
        rate_every: int = 0,
    ) -> None:
        self.accepted: dict[str, str] = {}
        self.bodies: list[dict[str, Any]] = []
        self.keep = True
        self.calls: Counter[str] = Counter()
        self.invalid: list[str] = []
        self.next: deque[str] = deque()
        self.blocked: set[str] = set()
        self.quota = quota
        self.webhook = {"endpoint": "https://clinic.example/hooks/line/", "active": True}
        self._every = (
            (Every(close_taken_every), "close-taken"),
            (Every(error_every), "500"),
            (Every(rate_every), "429"),
        )
        self._description = Description(openapi) if openapi else None
        if spool:
            self.accepted = {line["key"]: line["id"] for line in read_spool(spool) if line.get("key")}
        self.spool = Spool(spool)
        self._request_ids = _request_ids()
        self._server: asyncio.Server | None = None
        self._open: set[_Client] = set()

    async def start(self, port: int = 0) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", port, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for client in tuple(self._open):
            client.transport.abort()
        self.spool.close()

    def report(self) -> dict[str, Any]:
        return {
            "accepted": len(self.accepted),
            "calls": sum(self.calls.values()),
            "repeats": sum(count - 1 for count in self.calls.values()),
            "invalid": self.invalid[:20],
        }

    # One request

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | str:
        """Return the answer, or the name of a misbehaviour that needs the connection."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Authentication failed. Confirm that the access token is valid."}, {}
        operation = None
        if self._description is not None:
            operation = self._description.operation(method, path)
            if operation is None:
                return self._refuse(404, "Not found", f"{method} {path} is not in the description")
        if method == "POST" and path == "/v2/bot/message/push":
            return self._push(headers, body, operation)
        return self._other(method, path)

    def _other(self, method: str, path: str) -> Answer:
        if path == "/v2/bot/info":
            return 200, {
                "userId": BOT_USER_ID, "basicId": "@clinic", "displayName": "好牙診所",
                "chatMode": "bot", "markAsReadMode": "auto",
            }, {}  # fmt: skip
        if path == "/v2/bot/message/quota":
            return (
                200,
                {"type": "none"} if self.quota is None else {"type": "limited", "value": self.quota},
                {},
            )
        if path == "/v2/bot/message/quota/consumption":
            return 200, {"totalUsage": len(self.accepted)}, {}
        if path == "/v2/bot/channel/webhook/endpoint":
            return 200, self.webhook, {}
        if path.startswith("/v2/bot/profile/"):
            user = path.rpartition("/")[2]
            if user in self.blocked or not _USER.match(user):
                return 404, {"message": "Not found"}, {}
            return 200, {"displayName": "王小明", "userId": user, "language": "zh-TW"}, {}
        if method == "POST" and path.endswith("/linkToken"):
            return 200, {"linkToken": uuid4().hex}, {}
        return 404, {"message": "Not found"}, {}

    def _push(self, headers: dict[str, str], body: bytes, operation: dict[str, Any] | None) -> Answer | str:
        request_id, key = next(self._request_ids), headers.get("x-line-retry-key", "")
        named = {"x-line-request-id": request_id}
        try:
            push = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self._refuse(400, "The request body is not JSON.", "not JSON")
        problems = self._description.check(operation, push) if self._description and operation else []
        problems += _beyond_the_description(push)
        if key and not _KEY.match(key):
            problems.append("X-Line-Retry-Key: not a UUID")
        if problems:
            return self._refuse(400, f"The request body has {len(problems)} error(s)", problems[0])
        self.calls[key] += 1
        misbehaviour = self.next.popleft() if self.next else next((what for due, what in self._every if due()), "")
        if misbehaviour in ("silent", "close"):
            return misbehaviour
        if misbehaviour == "429":
            return 429, {"message": "The API rate limit has been exceeded. Try again later."}, named
        if misbehaviour == "500":
            return 500, {"message": "Internal server error"}, named
        if misbehaviour == "401":
            return 401, {"message": "Authentication failed."}, named
        if key and key in self.accepted:
            first = self.accepted[key]
            return 409, {
                "message": "The retry key is already accepted", "sentMessages": [_sent(first)],
            }, {**named, "x-line-accepted-request-id": first}  # fmt: skip
        if misbehaviour == "quota" or (self.quota is not None and len(self.accepted) >= self.quota):
            return 429, {"message": "You have reached your monthly limit."}, named
        self.accepted[key or request_id] = request_id
        if self.keep:
            self.bodies.append(push)
        self.spool.write(key=key, id=request_id, to=push["to"])
        if misbehaviour in ("silent-taken", "close-taken"):
            return misbehaviour
        return 200, {"sentMessages": [_sent(request_id)]}, named

    def _refuse(self, status: int, message: str, problem: str) -> Answer:
        self.invalid.append(problem)
        if "'to'" in problem:
            message = problem
        return (
            status,
            {"message": message, "details": [{"message": problem, "property": problem.split(":")[0]}]},
            {},
        )


def _request_ids() -> Iterator[str]:
    """Give request ids no other fake gives, without asking the system for randomness each time."""
    own = uuid4()
    for n in count(own.time_low << 24):
        yield str(UUID(int=(n & (1 << 52) - 1) << 76 | own.int & (1 << 76) - 1))


def _sent(request_id: str) -> dict[str, str]:
    return {"id": str(int(request_id[:13].replace("-", ""), 16)), "quoteToken": request_id.replace("-", "")}


def _beyond_the_description(push: Any) -> list[str]:
    """Limits that LINE documents in words only."""
    found: list[str] = []
    if not isinstance(push, dict):
        return ["the body is not an object"]
    if not _USER.match(str(push.get("to", ""))):
        found.append("The property, 'to', in the request body is invalid")

    def walk(node: Any, at: str) -> None:
        if isinstance(node, list):
            for index, item in enumerate(node):
                walk(item, f"{at}/{index}")
            return
        for name, value in node.items() if isinstance(node, dict) else ():
            if isinstance(value, str):
                limit = _LIMITS.get(name) or (name == "text" and _text_limit(node.get("type"))) or 0
                if limit and not (value and (len(value) * 2 <= limit or _units(value) <= limit)):
                    found.append(f"{at}/{name}: Length must be between 1 and {limit}")
            elif isinstance(value, dict | list):
                walk(value, f"{at}/{name}")

    walk(push.get("messages"), "messages")
    return found


_LIMITS = {"label": 20, "altText": 400, "data": 300}


def _text_limit(kind: str | None) -> int:
    return 240 if kind == "confirm" else 5000 if kind in ("text", None) else 0


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class _Client(asyncio.Protocol):
    """One kept HTTP/1.1 connection; only what a well-behaved client of LINE needs."""

    def __init__(self, line: FakeLine) -> None:
        self.line = line
        self.buffer = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.line._open.add(self)

    def connection_lost(self, exception: Exception | None) -> None:
        self.line._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.transport.is_closing():
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ", 2)
            pairs = (line.partition(":") for line in lines)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            length = int(headers.get("content-length", 0))
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            self._answer(self.line.answer(method, path.partition("?")[0], headers, body))

    def _answer(self, answer: Answer | str) -> None:
        if isinstance(answer, str):
            if answer.startswith("close"):
                self.transport.abort()
            return  # silent: the client waits until it is tired of it
        status, content, extra = answer
        body = orjson.dumps(content)
        names = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{names}\r\n"
        )
        self.transport.write(head.encode("latin-1") + body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--spool", help="file for what was accepted; read again at the next start")
    parser.add_argument("--openapi", help="LINE's messaging-api.yml: check every call against it")
    parser.add_argument("--quota", type=int, help="messages a month")
    parser.add_argument("--close-taken-every", type=int, default=0, help="accept, then close without an answer")
    parser.add_argument("--error-every", type=int, default=0, help="answer 500")
    parser.add_argument("--rate-every", type=int, default=0, help="answer 429")
    given = vars(parser.parse_args())
    port = given.pop("port")
    line = FakeLine(**given)
    line.keep = False
    run_as_process(lambda: line.start(port), line.stop, line.report)


if __name__ == "__main__":
    main()
