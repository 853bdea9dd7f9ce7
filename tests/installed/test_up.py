"""`careloop up` for real, from the wheel: a data folder of its own, a small demo clinic, processes that fall and rise, and a clean end.

The tests share one installation and tell its story from top to bottom.
"""

import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import stat
import subprocess
import urllib.request
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.installed.conftest import Installation, alive, children_of, members_of, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENTS = "40"


class Running:
    """A started `careloop up`, with what it said first."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        line = process.stdout.readline()
        assert line, process.stderr.read()
        self.answer = json.loads(line)
        self.address = self.answer["address"]

    @property
    def pid(self) -> int:
        return self.process.pid

    def get(self, path: str) -> int:
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.get("/accounts/login/") == 200
        except OSError:
            return False

    def child(self, name: str) -> int:
        return until(lambda: children_of(self.pid).get(name))


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
        body = urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.address + path, body, {"Referer": self.address + path})
        with self.opener.open(request, timeout=60) as answer:
            return answer.url, answer.read().decode()


@pytest.fixture(scope="module")
def started(installation: Installation):
    process = installation.start("up", "--demo", "--patients", PATIENTS, "--port", "0", "--json")
    running = Running(process)
    yield running
    if process.poll() is None:
        process.terminate()
    process.communicate(timeout=60)


def test_it_says_where_it_is_and_who_may_sign_in(started):
    assert urlsplit(started.address).port
    assert {user["role"] for user in started.answer["demo"]["users"]} >= {"owner", "front_desk", "nurse"}
    assert started.answer["demo"]["password"]


def test_it_answers_over_http(started):
    assert started.get("/healthz") == 200
    assert started.get("/accounts/login/") == 200
    assert started.get("/patients/") == 302


def test_the_program_that_runs_is_the_wheels(started, installation):
    told = subprocess.run(
        [installation.python, "-c", "import careloop; print(careloop.__file__)"], cwd=installation.folder,
        env=installation.environment, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip

    assert told.startswith(str(installation.folder)), told


def test_the_front_desk_signs_in_and_sees_today(started):
    desk = next(user for user in started.answer["demo"]["users"] if user["role"] == "front_desk")
    browser = Browser(started.address)

    login = browser.get("/accounts/login/")
    url, today = browser.post(
        "/accounts/login/", login, login=desk["email"], password=started.answer["demo"]["password"]
    )

    assert urlsplit(url).path == "/"
    assert "今日" in today
    assert desk["name"] in today
    assert "林淑芬" in browser.get("/patients/?q=" + quote("林淑芬"))
    style = re.search(r'href="(/static/[^"]+\.css)"', today)[1]
    assert len(browser.get(style)) > 1000


def test_the_demo_has_the_size_asked_for(started, installation):
    counted = installation.run("count", "--json").json

    # those of the history, and some whom the front desk registers while the demo plays
    assert int(PATIENTS) <= counted["Patient"] < int(PATIENTS) + 30
    assert counted["Event"] > counted["Patient"]


def test_the_data_folder_keeps_secrets_to_itself(started, installation):
    for file in (installation.home / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_a_second_start_is_refused_in_one_line(started, installation):
    again = installation.run("up", "--port", "0")

    assert (again.code, again.out) == (1, "")
    assert again.err == f"careloop: CareLoop is running already (process {started.pid}); stop it with: careloop down\n"
    assert started.answers()


def test_the_doctor_finds_nothing_wrong(started, installation):
    checked = installation.run("doctor", "--json")

    assert [one["what"] for one in checked.json["findings"] if one["level"] == "error"] == []
    assert (checked.code, checked.json["healthy"]) == (0, True)
    assert f"CareLoop is running (process {started.pid})" in [one["what"] for one in checked.json["findings"]]


def test_the_doctor_finds_a_key_file_that_others_may_read(started, installation):
    key = installation.home / "keys" / "master.json"
    key.chmod(0o644)
    try:
        checked = installation.run("doctor")
    finally:
        key.chmod(0o600)

    assert checked.code == 1
    assert f"others may read the key file {key} (mode 644)" in checked.out
    assert f"→ run: chmod 600 {key}" in checked.out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is missing"),
        ("{", "cannot be read"),
        ({"current": 1, "masters": {"1": "00" * 32}, "index_secret": "00" * 32}, "cannot be opened"),
    ],
    ids=["missing", "damaged", "another one"],
)
def test_the_doctor_finds_a_key_file_that_does_not_fit(started, installation, content, words):
    key = installation.home / "keys" / "master.json"
    kept = key.read_text()
    try:
        if content is None:
            key.unlink()
        else:
            key.write_text(content if isinstance(content, str) else json.dumps(content))
        checked = installation.run("doctor")
    finally:
        key.write_text(kept)
        key.chmod(0o600)

    assert checked.code == 1
    assert words in checked.out
    assert "restore the key file from your backup of the keys" in checked.out
    assert "no keys yet" not in checked.out
    assert checked.out.count("FAIL") == 1 or content is not None, checked.out


def test_the_doctor_finds_waiting_migrations(started, installation):
    (last,) = superuser(installation, "select max(name) from django_migrations where app = 'tenancy'")
    superuser(installation, "delete from django_migrations where app = 'tenancy' and name = %s", last)
    try:
        checked = installation.run("doctor", "--json")
    finally:
        superuser(
            installation, "insert into django_migrations (app, name, applied) values ('tenancy', %s, now())", last
        )

    assert checked.code == 1
    assert checked.json["findings"][-1] == {
        "level": "error",
        "what": "migrations are waiting",
        "cure": "run: careloop migrate",
    }
    assert installation.run("migrate", "--json").json == {"migrated": True}
    assert installation.run("doctor").code == 0


def test_the_doctor_finds_an_audit_chain_that_was_changed(started, installation):
    change = "update audit_event set reason = %s where number = (select min(number) + 5 from audit_event)"
    superuser(installation, change, "nothing")
    try:
        checked = installation.run("doctor")
        verified = installation.run("audit", "verify", "--json")
    finally:
        superuser(installation, change, "")

    assert checked.code == verified.code == 1
    assert "the audit chain is broken: demo: entry 6 was changed" in checked.out
    assert verified.json["whole"] is False
    assert installation.run("audit", "verify").code == 0


def superuser(installation: Installation, statement: str, *params: str) -> tuple[str, ...]:
    """What somebody does who broke into the database server."""
    import psycopg

    folder = installation.home / "postgres"
    password = (folder / "superuser-password").read_text().strip()
    with psycopg.connect(
        host=str(folder / "socket"), user="postgres", password=password, dbname="careloop", autocommit=True
    ) as connection:
        found = connection.execute(statement, params or None)
        return (found.fetchone() or ()) if found.description else ()


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_fallen_child_is_started_again(started, name):
    before = started.child(name)
    other = started.child("worker" if name == "web" else "web")

    os.kill(before, signal.SIGKILL)

    after = until(lambda: (found := children_of(started.pid).get(name)) != before and found)
    assert after != before
    assert members_of(before) == []
    until(started.answers)
    assert alive(other)


def test_down_stops_everything(started, installation):
    children = [started.child("web"), started.child("worker")]
    postmaster = installation.postmaster()
    assert postmaster

    stopped = installation.run("down", "--json")

    assert stopped.json == {"stopped": True}
    assert started.process.wait(timeout=30) == 0
    assert not any(alive(pid) for pid in [started.pid, *children, postmaster])
    assert [members_of(group) for group in children] == [[], []]
    assert installation.postmaster() is None


def test_down_again_is_no_fault(installation):
    result = installation.run("down")

    assert (result.code, result.out) == (0, "CareLoop was not running.\n")


def test_a_pid_file_left_behind_means_nothing(installation):
    """After a crash its number may belong to somebody else's process, which must not be stopped."""
    stranger = subprocess.Popen(["sleep", "600"])
    file = installation.home / "run" / "careloop.pid"
    file.write_text(str(stranger.pid))
    try:
        assert installation.run("down", "--json").json == {"stopped": False}
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_in_use_is_refused_and_nothing_is_left_running(installation):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = installation.run("up", "--port", str(port))

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.splitlines() == [
        f"careloop: port {port} is in use by another program; choose another: careloop up --port 8500"
    ]
    assert installation.postmaster() is None


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_wrong_address_is_refused(installation, host):
    refused = installation.run("up", "--port", "0", "--host", host)

    assert refused.code == 1
    assert f"{host} is no address" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_children_and_the_database(installation, number):
    running = Running(installation.start("up", "--port", "0", "--json"))
    children = [running.child("web"), running.child("worker")]
    postmaster = installation.postmaster()

    running.process.send_signal(number)

    running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert not any(alive(pid) for pid in [*children, postmaster])


def test_children_do_not_outlive_a_killed_parent_and_it_starts_again(installation):
    running = Running(installation.start("up", "--demo", "--port", "0", "--json"))
    children = [running.child("web"), running.child("worker")]

    running.process.kill()
    running.process.communicate(timeout=60)

    until(lambda: not any(alive(pid) for pid in children))
    again = Running(installation.start("up", "--demo", "--port", "0", "--json"))
    assert until(again.answers)
    assert int(PATIENTS) <= installation.run("count", "--json").json["Patient"] < int(PATIENTS) + 30
    assert installation.run("down").code == 0
    again.process.communicate(timeout=60)
    assert again.process.returncode == 0


def test_no_proxy_of_the_shell_stands_between_us_and_our_own_server(monkeypatch):
    from careloop.cli import processes

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert not any(isinstance(one, urllib.request.ProxyHandler) and one.proxies for one in processes.DIRECT.handlers)
