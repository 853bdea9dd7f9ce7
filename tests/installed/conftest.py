"""The wheel, built and installed into an empty environment, and the program run from there: how a clinic's PC gets it."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from careloop.cli.tests.conftest import Result

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network by the back end itself."""
    # what setup does: catalogues and assets that are new since then
    subprocess.run([sys.executable, "scripts/build_assets.py"], cwd=ROOT, check=True, capture_output=True)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


class Installation:
    """A virtual environment with nothing but the wheel, a data folder, and commands run there as somebody at a terminal would."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir(mode=0o711)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        self.python = folder / "venv" / "bin" / "python"
        subprocess.run(
            [self.python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True
        )
        # the network is not needed for this test: dependencies are those of the running environment, found after our own
        (library,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (library / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CARELOOP_", "DJANGO_", "DATABASE_"))
        }
        self.environment = kept | {"CARELOOP_HOME": str(self.home), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(self.python.with_name("careloop")), *arguments],
            cwd=self.folder,
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
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def installation(wheel: Path) -> Iterator[Installation]:
    """The wheel, installed beside an empty data folder that the database's system user may walk through."""
    folder = Path(tempfile.mkdtemp(prefix="careloop-installed-"))
    folder.chmod(0o711)
    made = Installation(folder, wheel)
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
        if parent == pid and b"careloop.config.server" in words:
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
