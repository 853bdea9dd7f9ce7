"""The process tree of `careloop up`: web and worker, watched, and stopped together."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from careloop.cli.output import CommandFailed, Output
from careloop.config.environment import environment

RESTART_PAUSE = 2.0
BLOCKING_THREADS = 4


def pid_file() -> Path:
    return environment().home / "run" / "careloop.pid"


def running_pid() -> int | None:
    """Return the process id of a running `careloop up` of this data folder, or None."""
    try:
        pid = int(pid_file().read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    return pid


def free_port(host: str, wanted: int) -> int:
    """Return `wanted` if nothing listens there, or a free port when `wanted` is 0.

    Raises:
        CommandFailed: another program has the port.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            raise CommandFailed(
                f"port {wanted} is in use by another program; choose another: careloop up --port 8500"
            ) from None
        return int(probe.getsockname()[1])


def ensure_demo(output: Output, *, patients: int = 1200, seed: int = 20260316) -> dict[str, Any]:
    """Make the demo clinic if it is not there yet, and return its sign-ins."""
    from careloop.demo import clinic

    return clinic.ensure(patients=patients, seed=seed, say=output.say)


class Supervisor:
    """Starts the children, starts a fallen one again, stops all when told to."""

    def __init__(self, output: Output, *, host: str, port: int, workers: int) -> None:
        self.output = output
        self.host, self.port, self.workers = host, port, workers
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = False

    def commands(self) -> dict[str, list[str]]:
        python = sys.executable
        return {
            "web": [
                python, "-m", "granian", "--interface", "wsgi", "careloop.config.wsgi:application", "--host", self.host,
                "--port", str(self.port), "--workers", str(self.workers), "--blocking-threads", str(BLOCKING_THREADS),
                "--no-ws", "--log-level", "warning", "--respawn-failed-workers",
            ],
            "worker": [python, "-m", "careloop", "worker"],
        }  # fmt: skip

    def start(self) -> None:
        path = pid_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(os.getpid()))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for name in self.commands():
            self._launch(name)

    def wait_until_answering(self, seconds: float = 30) -> None:
        """Wait for the web server's first answer.

        Raises:
            CommandFailed: it ended, or does not answer.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stopping:
            if self.children["web"].poll() is not None:
                raise CommandFailed("the web server ended at once; its words are above")
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == 0:
                    return
            time.sleep(0.1)
        if not self.stopping:
            raise CommandFailed(f"the web server does not answer on port {self.port}")

    def watch(self) -> None:
        """Stay until told to stop; start a fallen child again."""
        while not self.stopping:
            time.sleep(0.3)
            for name, child in list(self.children.items()):
                if not self.stopping and child.poll() is not None:
                    self.output.say(f"{name} ended with code {child.returncode}; starting it again")
                    time.sleep(RESTART_PAUSE)
                    if not self.stopping:
                        self._launch(name)

    def shut_down(self) -> None:
        """Stop the children; each finishes what it has in hand."""
        self.stopping = True
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        for child in self.children.values():
            try:
                child.wait(timeout=25)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        pid_file().unlink(missing_ok=True)

    def _launch(self, name: str) -> None:
        # a session of its own, so that Ctrl-C reaches only us and we stop the children in order
        self.children[name] = subprocess.Popen(self.commands()[name], start_new_session=True)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True
