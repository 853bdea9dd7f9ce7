"""A whole installation for browser tests: web server and worker as processes, a mail server and a LINE that stay on this machine."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from careloop.cli.output import Output
from careloop.cli.processes import Supervisor, free_port
from careloop.integrations.channels.fakes.common import read_spool

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "careloop" / "web" / "static" / "build"


@dataclass
class Installation:
    """Where it is, who may sign in, and what left it."""

    url: str
    known: dict[str, Any]
    mails: Path
    pushes: Path
    log: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> None:
        """Run Python with these arguments, as the installation's own programs run."""
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self._environment, check=True, capture_output=True)

    @property
    def database(self) -> str:
        """The name of its database on the tests' server."""
        return self._environment["CARELOOP_DATABASE_NAME"]

    def mailed(self) -> int:
        """How many mails the mail server has taken."""
        return len(read_spool(self.mails))

    def pushed_to(self, line_id: str) -> int:
        """How many messages LINE has taken for one of its users."""
        return sum(one["to"] == line_id for one in read_spool(self.pushes))

    def stop(self) -> None:
        self._stack.close()


def start(folder: Path, *, database: str) -> Installation:
    """Start everything on free ports; `database` is migrated and empty."""
    stack = ExitStack()
    try:
        return _start(folder, database=database, stack=stack)
    except BaseException:
        stack.close()
        raise


def _start(folder: Path, *, database: str, stack: ExitStack) -> Installation:
    port = free_port("127.0.0.1", 0)
    mails, pushes, log = folder / "mails.jsonl", folder / "pushes.jsonl", folder / "log.txt"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "DJANGO_SETTINGS_MODULE": "careloop.config.settings",
        "CARELOOP_DATABASE_NAME": database,
        "CARELOOP_DATABASE_POOL": "6",
        "CARELOOP_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PYTHONWARNINGS": "ignore",
    }
    words = stack.enter_context(log.open("ab"))

    def run(*arguments: str, wait_for_line: bool = False) -> dict[str, Any]:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stderr=words,
            stdout=subprocess.PIPE if wait_for_line else words,
        )  # fmt: skip
        stack.callback(_stop, process)
        if not wait_for_line:
            return {}
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        return dict(json.loads(process.stdout.readline() or b"{}"))

    fakes = "careloop.integrations.channels.fakes"
    smtp = run("-m", f"{fakes}.smtp", "--spool", str(mails), wait_for_line=True)
    line = run("-m", f"{fakes}.line", "--spool", str(pushes), wait_for_line=True)
    environment["CARELOOP_LINE_API"] = f"http://127.0.0.1:{line['port']}"
    prepared = subprocess.run(
        [sys.executable, "-m", "tests.browser.prepare", str(smtp["port"])],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if prepared.returncode:
        raise RuntimeError(f"the clinic could not be made:\n{prepared.stderr[-4000:]}")
    known = json.loads(prepared.stdout.splitlines()[-1])
    supervisor = Supervisor(Output(as_json=False), host="127.0.0.1", port=port, workers=1)
    commands = supervisor.commands()
    run(*commands["web"][1:])
    run(*commands["worker"][1:])
    _wait_for(f"http://127.0.0.1:{port}/healthz", log)
    return Installation(f"http://127.0.0.1:{port}", known, mails, pushes, log, stack, environment)


def _wait_for(address: str, log: Path) -> None:
    import time
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with direct.open(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the web server does not answer:\n{log.read_text()[-4000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
