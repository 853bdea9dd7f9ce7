"""Roles and databases on a server.

* `careloop_owner` owns the schema and runs migrations;
* `careloop_app` is what the program runs as: it owns nothing and row-level security binds it;
* `careloop_search` cannot sign in; it owns the few listed functions that must look across row-level security.
"""

import json
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
from psycopg import sql

OWNER = "careloop_owner"
APP = "careloop_app"
SEARCH = "careloop_search"
DATABASE = "careloop"


@dataclass(frozen=True)
class Endpoint:
    """Where a database is and as whom to enter: host is a socket folder or a name."""

    host: str
    port: int
    database: str
    user: str
    password: str
    options: tuple[tuple[str, str], ...] = ()

    def as_user(self, user: str, password: str) -> "Endpoint":
        return replace(self, user=user, password=password)

    def at(self, database: str) -> "Endpoint":
        return replace(self, database=database)

    def django(self, **extra: Any) -> dict[str, Any]:
        """Return this as an entry of Django's DATABASES."""
        return {
            "ENGINE": "careloop.kernel.postgres.pooled",
            "NAME": self.database, "USER": self.user, "PASSWORD": self.password,
            "HOST": self.host, "PORT": str(self.port),
        } | extra  # fmt: skip

    def conninfo(self) -> str:
        """Return this as libpq connection text."""
        parts: dict[str, Any] = {"host": self.host, "port": self.port, "dbname": self.database, "user": self.user}
        return psycopg.conninfo.make_conninfo("", **parts, password=self.password, **dict(self.options))

    @classmethod
    def from_url(cls, url: str) -> "Endpoint":
        """Read `postgresql://user:password@host:port/name?sslmode=require`.

        Raises:
            ValueError: not such an address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
            raise ValueError("DATABASE_URL must look like postgresql://user:password@host:5432/name")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        host = query.pop("host", None) or unquote(parts.hostname or "localhost")
        return cls(
            host=host, port=parts.port or 5432, database=unquote(parts.path.strip("/")),
            user=unquote(parts.username or "postgres"), password=unquote(parts.password or ""),
            options=tuple(sorted(query.items())),
        )  # fmt: skip


@dataclass(frozen=True)
class Passwords:
    """The passwords of our two roles, kept in the key folder."""

    owner: str
    app: str

    @classmethod
    def load_or_create(cls, path: Path) -> "Passwords":
        if path.exists():
            return cls(**json.loads(path.read_text()))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        fresh = cls(owner=secrets.token_urlsafe(24), app=secrets.token_urlsafe(24))
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another process was first
            return cls(**json.loads(path.read_text()))
        with os.fdopen(descriptor, "w") as file:
            json.dump({"owner": fresh.owner, "app": fresh.app}, file)
        return fresh


def prepare(admin: Endpoint, passwords: Passwords, *, database: str = DATABASE) -> None:
    """Create our roles and the database where they are missing. Running it again changes nothing.

    `admin` may create roles and databases (a superuser on our own server).
    """
    with psycopg.connect(admin.at("postgres").conninfo(), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(4242001)")
        _ensure_role(connection, OWNER, login=passwords.owner)
        _ensure_role(connection, APP, login=passwords.app)
        _ensure_role(connection, SEARCH, login=None, extra=sql.SQL("BYPASSRLS"))
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(SEARCH), sql.Identifier(OWNER)))
        _ensure_database(connection, database)
    with psycopg.connect(admin.at(database).conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("alter schema public owner to {}").format(sql.Identifier(OWNER)))
        connection.execute("revoke create on schema public from public")
        for name in (APP, SEARCH):
            connection.execute(sql.SQL("grant usage on schema public to {}").format(sql.Identifier(name)))
        # a function's new owner must be able to create in its schema at the moment of the change
        connection.execute(sql.SQL("grant create on schema public to {}").format(sql.Identifier(SEARCH)))
        for extension in ("pg_trgm", "btree_gist"):
            connection.execute(f"create extension if not exists {extension}")


def create_database(admin: Endpoint, name: str, *, template: str | None = None) -> None:
    """Create a database owned by our owner role, as a copy of `template` if given."""
    with psycopg.connect(admin.at("postgres").conninfo(), autocommit=True) as connection:
        base = sql.SQL(" template {}").format(sql.Identifier(template)) if template else sql.SQL("")
        connection.execute(
            sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(OWNER)) + base
        )


def drop_database(admin: Endpoint, name: str) -> None:
    """Drop a database and everybody's connections to it."""
    with psycopg.connect(admin.at("postgres").conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _ensure_role(
    connection: psycopg.Connection[Any], name: str, *, login: str | None, extra: sql.SQL | None = None
) -> None:
    known = connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
    verb = sql.SQL("alter") if known else sql.SQL("create")
    word = sql.SQL("login password {}").format(sql.Literal(login)) if login else sql.SQL("nologin")
    connection.execute(
        sql.SQL("{} role {} {} nosuperuser nocreaterole nocreatedb {}").format(
            verb, sql.Identifier(name), word, extra or sql.SQL("NOBYPASSRLS")
        )
    )


def _ensure_database(connection: psycopg.Connection[Any], name: str) -> None:
    if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
        connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
    connection.execute(sql.SQL("alter database {} set timezone to 'UTC'").format(sql.Identifier(name)))
