"""The wheel is how a clinic's PC gets CareLoop: built, installed into an empty virtual environment, started, signed in, stopped."""

import http.cookiejar
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "careloop"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def inside(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(*suffixes: str) -> set[str]:
    """Files of the package under version control, with these endings, tests left out."""
    listed = subprocess.run(
        ["git", "ls-files", "careloop"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    if not listed:
        pytest.skip("this is no git checkout")
    names = (name for name in listed.splitlines() if name.endswith(suffixes) and (ROOT / name).exists())
    return {name for name in names if "/tests/" not in name}


def test_everything_the_program_reads_is_in_the_wheel(inside):
    wanted = tracked(".py", ".html", ".txt", ".xml", ".svg", ".toml", ".json", ".csv", ".sql", ".md")

    assert wanted
    assert wanted - inside == set()


def test_translations_are_compiled_in_the_wheel(inside):
    wanted = {name.removesuffix(".po") + ".mo" for name in tracked(".po")}

    assert wanted
    assert wanted - inside == set()


def test_style_sheets_and_scripts_are_in_the_wheel(inside):
    built = [name for name in inside if name.startswith("careloop/web/static/build/")]

    assert any(name.endswith(".css") for name in built)
    assert any(name.endswith(".js") for name in built)


def test_no_tests_are_in_the_wheel(inside):
    assert [
        name for name in inside if "/tests/" in name or name.startswith("tests/") or name.endswith("conftest.py")
    ] == []


def test_the_wheel_says_what_it_needs_and_brings_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        information = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(information).decode()
        commands = archive.read(information.replace("METADATA", "entry_points.txt")).decode()

    assert "Requires-Python: >=3.11" in metadata
    assert re.search(r"^Requires-Dist: django", metadata, re.MULTILINE)
    assert "careloop = careloop.cli.main:main" in commands


class ClinicPc:
    """A virtual environment with nothing but the wheel, and a data folder."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o711)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        self.bin = folder / "venv" / "bin"
        subprocess.run(
            [self.bin / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True
        )
        # the network is not needed for this test: dependencies are those of the running environment, found after our own
        (library,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (library / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.environment = kept | {"CARELOOP_HOME": str(self.home), "HOME": str(folder)}

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        with (self.folder / "stderr.log").open("w") as log:
            return subprocess.Popen(
                [str(self.bin / "careloop"), *arguments],
                env=self.environment,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def pc(wheel: Path) -> Iterator[ClinicPc]:
    folder = Path(tempfile.mkdtemp(prefix="careloop-wheel-"))
    folder.chmod(0o711)
    made = ClinicPc(folder, wheel)
    yield made
    made.run("careloop", "down")
    shutil.rmtree(folder, ignore_errors=True)


def test_the_installed_program_is_the_wheels(pc):
    told = pc.run("python", "-c", "import careloop; print(careloop.__file__)").stdout.strip()

    assert told.startswith(str(pc.folder)), told


class Browser:
    """Signs in and reads pages as a person's browser does, without scripts."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )

    def get(self, path: str) -> str:
        with self.opener.open(self.address + path, timeout=60) as answer:
            return answer.read().decode()

    def post(self, path: str, page: str, **fields: str) -> tuple[str, str]:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.address + path, body, {"Referer": self.address + path})
        with self.opener.open(request, timeout=60) as answer:
            return answer.url, answer.read().decode()


def test_the_front_desk_signs_in_and_sees_today(pc):
    process = pc.start("up", "--demo", "--patients", "40", "--port", "0", "--json")
    try:
        line = process.stdout.readline()
        assert line, (pc.folder / "stderr.log").read_text()[-3000:]
        answer = json.loads(line)
        desk = next(user for user in answer["demo"]["users"] if user["role"] == "front_desk")
        browser = Browser(answer["address"])

        login = browser.get("/accounts/login/")
        url, today = browser.post("/accounts/login/", login, login=desk["email"], password=answer["demo"]["password"])

        assert urllib.parse.urlsplit(url).path == "/"
        assert "今日" in today
        assert desk["name"] in today
        assert "林淑芬" in browser.get("/patients/?q=" + urllib.parse.quote("林淑芬"))
        style = re.search(r'href="(/static/[^"]+\.css)"', today)[1]
        assert len(browser.get(style)) > 1000

        stopped = pc.run("careloop", "down", "--json")
        assert json.loads(stopped.stdout) == {"stopped": True}
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=90)
        process.stdout.close()
        time.sleep(0.1)


def test_nothing_is_left_running(pc):
    told = pc.run("careloop", "down", "--json")

    assert (told.returncode, json.loads(told.stdout)) == (0, {"stopped": False})
    assert not (pc.home / "postgres" / "data" / "postmaster.pid").exists()
