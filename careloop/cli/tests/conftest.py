"""Running commands: in this process on the tests' database, or for real in a data folder of their own."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from careloop.cli.main import main


@dataclass
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@pytest.fixture
def command(
    django_db_setup: str, django_db_blocker: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Result]]:
    """Run `careloop …` in this process, on the tests' database; changes are really committed."""
    monkeypatch.setenv("LANG", "C.UTF-8")

    def run(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    with django_db_blocker.unblock():
        yield run
        connections["default"].close()
        connections["owner"].close()


class Installation:
    """A data folder, and commands run in it as somebody at a terminal would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CARELOOP_", "DJANGO_", "DATABASE_"))
        }
        self.environment = kept | {"CARELOOP_HOME": str(home), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "careloop", *arguments],
            env=self.environment | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, **settings: str) -> Result:
        process = self.start(*arguments, **settings)
        out, err = process.communicate(timeout=240)
        return Result(process.returncode, out, err)

    def postmaster(self) -> int | None:
        """The process id of this folder's database server, if it runs."""
        try:
            pid = int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return pid if alive(pid) else None

    def destroy(self) -> None:
        pid = self.postmaster()
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            until(lambda: not alive(pid))
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """An empty data folder that the database's system user may walk through."""
    home = Path(tempfile.mkdtemp(prefix="careloop-cli-"))
    home.chmod(0o711)
    made = Installation(home)
    yield made
    made.destroy()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> dict[str, int]:
    """The processes that `careloop up` started: web and worker, by name."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"granian" in words:
            found["web"] = int(status.parent.name)
        elif parent == pid and b"worker" in words:
            found["worker"] = int(status.parent.name)
    return found


def members_of(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(words[2]) == group and words[0] != "Z":
            found.append(int(status.parent.name))
    return found


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")
