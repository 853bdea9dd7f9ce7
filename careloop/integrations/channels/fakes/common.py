"""What both fakes need: a durable list of what was accepted, and running as a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any


class Spool:
    """One JSON line per accepted message. Written before the answer, so that a killed sender can be
    audited.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None

    def write(self, **record: Any) -> None:
        if self._file is not None:
            os.write(self._file, json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_spool(path: str | Path) -> list[dict[str, Any]]:
    """Return every accepted message in the order of acceptance; a half-written last line is left out."""
    if not Path(path).exists():
        return []
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.endswith("}")]


class Every:
    """Says yes to each nth question: `Every(10)` → the 10th, 20th, …; `Every(0)` → never."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._asked = 0

    def __call__(self) -> bool:
        if not self.n:
            return False
        self._asked += 1
        return self._asked % self.n == 0


def run_as_process(
    start: Callable[[], Awaitable[int]],
    stop: Callable[[], Awaitable[None]],
    report: Callable[[], dict[str, Any]],
) -> None:
    """Serve until SIGTERM or SIGINT. First line on stdout: {"port": …}; last line: the report."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        port = await start()
        sys.stdout.write(json.dumps({"port": port}) + "\n")
        sys.stdout.flush()
        await ended.wait()
        await stop()
        sys.stdout.write(json.dumps(report()) + "\n")
        sys.stdout.flush()

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(serve())


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a cheap loop where there is one: a stand-in shares the machine's cores with what is measured."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
