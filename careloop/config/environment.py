"""Every setting that comes from outside, in one typed class, with defaults that work.

Set them in the environment, or in `careloop.env` in the data folder (`careloop.env.sample` shows all).
"""

import os
import secrets
import sys
from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_home() -> Path:
    """Return the data folder used when CARELOOP_HOME is not set.

    Root gets a folder that the database's own system user may walk to, instead of opening root's home.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/careloop")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "careloop"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "careloop"


class Environment(BaseSettings):
    """CARELOOP_… variables; DATABASE_URL keeps its usual name."""

    model_config = SettingsConfigDict(env_prefix="CARELOOP_", extra="ignore")

    home: Path = Field(default_factory=default_home, description="the data folder: database, keys, files, backups")
    database_url: str = Field("", validation_alias="DATABASE_URL", description="a PostgreSQL server of one's own")
    database_name: str = Field("careloop", description="name of the database on our own server")
    database_pool: int = Field(12, ge=4, description="connections a process may hold; an import takes three")
    postgres_bin: str = Field("", description="bin folder of another PostgreSQL installation")
    host: str = Field("127.0.0.1", description="address the web server listens on")
    port: int = Field(8400, description="port the web server listens on; 0 asks for a free one")
    workers: int = Field(2, description="web processes")
    public_url: str = Field("", description="address patients reach, for links in messages")
    allowed_hosts: str = Field("", description="host names served, separated by commas; empty: local names only")
    https: bool = Field(False, description="served behind HTTPS: secure cookies and strict transport security")
    debug: bool = Field(False, description="show error pages with details; never on a machine with patients")
    secret_key: str = Field("", description="signs cookies; made once and kept in the data folder when empty")
    time_zone: str = Field("Asia/Taipei", description="zone of a new organization")
    line_api: str = Field("https://api.line.me", description="where the LINE Messaging API is")
    metrics_token: str = Field("", description="bearer token for /metrics; empty: this machine only")
    trusted_proxies: int = Field(0, description="proxies in front that add to X-Forwarded-For; 0: none is believed")
    session_hours: int = Field(12, description="how long somebody stays signed in at most")
    session_idle_minutes: int = Field(60, description="how long somebody stays signed in without a click")
    mail_url: str = Field(
        "",
        description="mail server for invitations and password resets: smtp://user:password@host:587; empty: mails are kept as files",
    )
    mail_from: str = Field("CareLoop <no-reply@localhost>", description="sender of mails to staff")
    log_format: str = Field("", description="json or plain; empty: plain on a terminal, JSON otherwise")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING, ERROR")

    @property
    def patients_address(self) -> str:
        """Where links in messages lead: what was set, or this machine's own address."""
        return self.public_url or local_address(self.host, self.port)

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def files(self) -> Path:
        return self.home / "files"

    @cached_property
    def django_secret(self) -> str:
        """The secret that signs cookies: given, or made once and kept beside the keys."""
        if self.secret_key:
            return self.secret_key
        path = self.keys / "django-secret"
        if not path.exists():
            self.keys.mkdir(parents=True, exist_ok=True)
            self.keys.chmod(0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
        return path.read_text().strip()


def local_address(host: str, port: int) -> str:
    """Return where a browser on this machine finds a server that listens there.

    >>> local_address("0.0.0.0", 8500), local_address("fd00::2", 8400)
    ('http://localhost:8500', 'http://[fd00::2]:8400')
    """
    if host in ("127.0.0.1", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the settings of this process, read once."""
    home = Path(os.environ.get("CARELOOP_HOME") or default_home())
    return Environment(_env_file=home / "careloop.env")  # type: ignore[call-arg]
