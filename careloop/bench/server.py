"""The program as `careloop up` runs it, for benches that ask it over HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from careloop.kernel import open_files


class Server:
    """Where it listens, and its processes."""

    def __init__(self, port: int, processes: list[subprocess.Popen[bytes]]) -> None:
        self.port, self.processes = port, processes

    def memory(self) -> float:
        """Proportional memory of the process trees: shared pages count once."""
        total = 0
        for pid in _tree([process.pid for process in self.processes]):
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        return round(total / 1024, 1)


def _tree(pids: list[int]) -> list[int]:
    found = list(pids)
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


@contextmanager
def serving() -> Iterator[Server]:
    """Two web workers as `careloop up` starts them, and a background worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    web = [
        sys.executable, "-m", "careloop.config.server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2",
        "--log-level", "error",
    ]  # fmt: skip
    environment = {"MALLOC_ARENA_MAX": "2"} | dict(os.environ)
    open_files.allow()
    processes = [
        subprocess.Popen(web, stderr=subprocess.DEVNULL, env=environment),
        subprocess.Popen([sys.executable, "-m", "careloop", "worker"], stderr=subprocess.DEVNULL, env=environment),
    ]
    try:
        wait_until_open(port, processes)
        yield Server(port, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


def wait_until_open(port: int, processes: Sequence[subprocess.Popen[bytes]], *, seconds: float = 40) -> None:
    """Wait until something answers at the port.

    Raises:
        RuntimeError: nothing did in time, or a process ended before.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        for process in processes:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode} before the server answered")
        time.sleep(0.1)
    raise RuntimeError(f"the server to be measured did not answer at port {port} within {seconds:g} seconds")
