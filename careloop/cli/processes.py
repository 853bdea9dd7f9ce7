"""The process tree of `careloop up`: web and worker, watched, and stopped together."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any

from careloop.cli.output import CommandFailed, Output
from careloop.config import parenthood
from careloop.config.environment import environment, local_address
from careloop.kernel import open_files
from careloop.kernel.postgres.cluster import Cluster, ClusterError

RESTART_PAUSE = 2.0
DATABASE_EVERY = 2.0  # seconds between looks at the database: each makes it start a process
CHILD_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore:No directory at",
    # glibc keeps an arena of memory for every thread; two are enough where one interpreter lock lets one run at a time
    "MALLOC_ARENA_MAX": "2",
    parenthood.SUPERVISED: "1",
}
# our own server is not behind anybody's proxy
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# when we are killed outright the worker still finishes what it has in hand; the web server, told to end while it starts its processes,
# may wait for them for ever
DEATH_SIGNALS = {"web": signal.SIGKILL, "worker": signal.SIGTERM}


def pid_file() -> Path:
    return environment().home / "run" / "careloop.pid"


def running_pid() -> int | None:
    """Return the process id of a running `careloop up` of this data folder, or None.

    The lock on the file is what counts: after a crash or a restart of the machine the number in it may belong to a
    stranger.
    """
    try:
        with pid_file().open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


def claim() -> IO[str]:
    """Become the one `careloop up` of this data folder; the claim ends with this process, however it ends.

    Raises:
        CommandFailed: another one is running.
    """
    pid_file().parent.mkdir(parents=True, exist_ok=True)
    file = pid_file().open("a+")
    for attempt in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # `running_pid` holds the lock for a moment while it looks
            if attempt == 9:
                file.close()
                raise CommandFailed(
                    f"CareLoop is running already (process {running_pid()}); stop it with: careloop down"
                ) from None
            time.sleep(0.05)
        else:
            break
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def free_port(host: str, wanted: int) -> int:
    """Return `wanted` if nothing listens there, or a free port when `wanted` is 0.

    Raises:
        CommandFailed: another program has the port, we may not have it, or `host` is no address of this machine.
    """
    try:
        family, kind, _protocol, _name, address = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror:
        raise CommandFailed(f"{host} is no address; 127.0.0.1 serves this machine, 0.0.0.0 the network") from None
    except OSError as error:
        raise CommandFailed(_why_not(error, host, wanted)) from None


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program; choose another: careloop up --port 8500"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} is reserved for the system; choose one above 1023: careloop up --port 8500"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; 127.0.0.1 serves this machine, 0.0.0.0 the network"
    return f"cannot listen on {host} port {port}: {error.strerror}"


def ensure_demo(output: Output, *, patients: int = 1200, seed: int = 20260316) -> dict[str, Any]:
    """Make the demo clinic if it is not there yet, and return its sign-ins."""
    from django.db import connections

    from careloop.demo import clinic

    demo = clinic.ensure(patients=patients, seed=seed, say=output.say)
    # whoever watches the others for months keeps no connection, and no threads beside which it would have to fork
    connections["default"].close()
    connections["default"].close_pool()  # type: ignore[attr-defined]
    return demo


def sign_ins(demo: dict[str, Any]) -> list[str]:
    """Who may sign in to the demo clinic, a line each."""
    return [
        f"Demo sign-ins (password for all: {demo['password']})",
        *(f"  {user['email']:32} {user['name']} · {user['role']}" for user in demo["users"]),
        *(f"  {path}  {name}" for name, path in demo.get("screens", {}).items()),
    ]


class Supervisor:
    """Starts the children, starts a fallen one again, stops all when told to.

    `cluster` is the database server, if it is ours: it is started again, too.
    """

    def __init__(self, output: Output, *, host: str, port: int, workers: int, cluster: Cluster | None = None) -> None:
        self.output = output
        self.cluster = cluster
        self.host, self.port, self.workers = host, port, workers
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = False

    def commands(self) -> dict[str, list[str]]:
        python = sys.executable
        return {
            "web": [
                python, "-m", "careloop.config.server", "--host", self.host, "--port", str(self.port),
                "--workers", str(self.workers),
            ],
            "worker": [python, "-m", "careloop", "worker"],
        }  # fmt: skip

    def surroundings(self) -> dict[str, str]:
        """The children's environment. They know where we listen: links in messages lead there when no other address is set."""
        here = {"CARELOOP_HOST": self.host, "CARELOOP_PORT": str(self.port)}
        return CHILD_ENVIRONMENT | dict(os.environ) | here

    def start(self) -> None:
        """Start the children; from here on a signal to stop is obeyed in order."""
        # a closed terminal (SIGHUP) stops us too: otherwise the children would live on unwatched
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        open_files.allow()
        for name in self.commands():
            self._launch(name)

    def wait_until_answering(self, seconds: float = 60) -> None:
        """Wait for the web server's first answer.

        Raises:
            CommandFailed: it ended, or does not answer.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stopping:
            if self.children["web"].poll() is not None:
                raise CommandFailed("the web server ended at once; its words are above")
            if self._answers():
                return
            time.sleep(0.1)
        if not self.stopping:
            raise CommandFailed(f"the web server does not answer on port {self.port}")

    def watch(self) -> None:
        """Stay until told to stop; start again what fell."""
        look_at = 0.0
        while not self.stopping:
            time.sleep(0.3)
            if time.monotonic() >= look_at:
                self.keep_database()
                look_at = time.monotonic() + DATABASE_EVERY
            for name, child in list(self.children.items()):
                if not self.stopping and child.poll() is not None:
                    self.output.say(f"{name} ended with code {child.returncode}; starting it again")
                    _sweep(child)
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
            _sweep(child)

    def address(self) -> str:
        """Where a browser on this machine finds us."""
        return local_address(self.host, self.port) + "/"

    def _answers(self) -> bool:
        try:
            with DIRECT.open(self.address() + "healthz", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True  # it speaks HTTP; whether all is well is for the doctor to say
        except OSError:
            return False

    def keep_database(self) -> None:
        """Start our database again if it ended; the children wait for it by themselves."""
        if self.cluster is None or self.stopping or (self.cluster.is_running() and not self.cluster.is_stopping()):
            return
        self.output.say("the database ended; starting it again")
        try:
            self.cluster.stop()
            self.cluster.start()
        except ClusterError as error:
            # its last processes may be on their way out, or the disk is full: both can pass
            self.output.say(f"the database does not start, trying on: {error}")

    def _launch(self, name: str) -> None:
        # a session of its own, so that Ctrl-C reaches only us and we stop the children in order
        self.children[name] = subprocess.Popen(
            self.commands()[name],
            env=self.surroundings(),
            start_new_session=True,
            preexec_fn=partial(parenthood.end_with, os.getpid(), DEATH_SIGNALS[name]),
        )

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True


def _sweep(child: "subprocess.Popen[bytes]") -> None:
    """End what a fallen child had started itself: web processes would go on serving on its port, unseen."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
