"""The checks behind `careloop doctor`. Each says what it found and, where something is wrong, the cure."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from careloop.config.environment import environment

LEAST_FREE = 2_000_000_000


@dataclass
class Finding:
    """One thing looked at."""

    level: Literal["ok", "warning", "error"]
    what: str
    cure: str = ""


def examine() -> list[Finding]:
    """Look at everything, from the ground up; a check that cannot go on says so and ends the list."""
    found: list[Finding] = []
    for check in (
        _python,
        _settings,
        _home,
        _keys,
        _postgres,
        _schema,
        _sealed,
        _walls,
        _assets,
        _readers,
        _jobs,
        _audit,
        _channels,
        _running,
    ):
        try:
            here = list(check())
        except Exception as error:
            here = [
                Finding(
                    "error",
                    f"{check.__name__[1:]}: {type(error).__name__}: {_first_line(error)}",
                    _cure(check.__name__),
                )
            ]
        found += here
        if check in (_settings, _home, _postgres, _schema) and any(finding.level == "error" for finding in here):
            break
    return found


def _cure(check: str) -> str:
    if check == "_postgres" and environment().database_url:
        return "is the server of DATABASE_URL running, and may we reach it? A restart of it, or the right address, mends this"
    return {
        "_home": "make the folder and give it to the user who runs CareLoop, or set CARELOOP_HOME",
        "_keys": "restore the key file from your backup of the keys",
        "_postgres": "the server's log is in CARELOOP_HOME/postgres/data/server.log",
        "_schema": "run: careloop migrate",
    }.get(check, "")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - a wheel can be unpacked by hand
        yield Finding("error", f"Python {version}", "install Python 3.11 or newer")
    else:
        yield Finding("ok", f"Python {version}")


def _settings() -> Iterator[Finding]:
    from pydantic import ValidationError

    from careloop.cli.main import wrong_settings

    try:
        environment()
    except ValidationError as error:
        yield Finding(
            "error", wrong_settings(error), "correct it in the environment or in careloop.env in the data folder"
        )


def _home() -> Iterator[Finding]:
    home = environment().home
    home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK):
        yield Finding("error", f"the data folder {home} cannot be written", "change its owner, or set CARELOOP_HOME")
        return
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE:
        yield Finding("warning", f"only {free / 1e9:.1f} GB free in {home}", "make room; imports and backups need some")
    else:
        yield Finding("ok", f"data folder {home}, {free / 1e9:.0f} GB free")


def _keys() -> Iterator[Finding]:
    from careloop.kernel.vault import fingerprint, load_keyring

    settings = environment()
    path = settings.keys / "master.json"
    if not path.exists():
        return  # whether that is right, only the database can say: see _sealed
    ring = load_keyring(path)
    for file in sorted(settings.keys.iterdir()):
        mode = file.stat().st_mode & 0o777
        if mode & 0o077:
            yield Finding("error", f"others may read the key file {file} (mode {mode:o})", f"run: chmod 600 {file}")
    yield Finding(
        "ok",
        f"keys: version {ring.current} in use ({fingerprint(ring.masters[ring.current])}); back up {settings.keys} apart from the database",
    )


def _postgres() -> Iterator[Finding]:
    import psycopg

    from careloop.config.database import database

    here = database()
    here.start()
    with psycopg.connect(here.app.conninfo()) as connection:
        version = connection.execute("show server_version").fetchone()
        role = connection.execute("select rolsuper, rolbypassrls from pg_roles where rolname = current_user").fetchone()
    kind = "own server" if here.cluster else f"server {here.app.host}"
    yield Finding("ok", f"PostgreSQL {version[0] if version else '?'} ({kind})")
    if role is None or role[0] or role[1]:
        yield Finding(
            "error", "the application's role can step around row-level security",
            "alter role careloop_app nosuperuser nobypassrls",
        )  # fmt: skip


def _schema() -> Iterator[Finding]:
    _django()
    from careloop.config.installation import is_current

    if is_current():
        yield Finding("ok", "the database is at this version")
    else:
        yield Finding("error", "migrations are waiting", "run: careloop migrate")


def _sealed() -> Iterator[Finding]:
    """Open one data key of every organization: only the right key file can."""
    from careloop.kernel.vault import WITNESSES, VaultError, load_keyring

    path = environment().keys / "master.json"
    if not path.exists():
        if any(sealed() for sealed in WITNESSES):
            yield Finding(
                "error", f"the key file {path} is missing, and identifiers are sealed under it", "restore the key file from your backup of the keys"
            )  # fmt: skip
        else:
            yield Finding("ok", "no keys yet; they are made on first use")
        return
    for slug, rows in _everywhere("select patient_id, wrapped from patients_key limit 1"):
        for row in rows:
            try:
                load_keyring(path).unwrap(bytes(row["wrapped"]), owner=row["patient_id"].bytes)
            except VaultError as error:
                yield Finding(
                    "error", f"{slug}: sealed identifiers cannot be opened: {error}", "restore the key file from your backup of the keys"
                )  # fmt: skip


def _walls() -> Iterator[Finding]:
    _django()
    from django.db import connections

    from careloop.tenancy.security import unprotected_tables

    bare = unprotected_tables(connections["owner"])
    if bare:
        yield Finding("error", f"tables without row-level security: {', '.join(bare)}", "run: careloop migrate")
    else:
        yield Finding("ok", "every table is under row-level security")


def _assets() -> Iterator[Finding]:
    built = Path(__file__).resolve().parent.parent / "web" / "static" / "build"
    if any(built.glob("*.js")) and any(built.glob("*.css")):
        yield Finding("ok", "style sheets and scripts are built")
    else:
        yield Finding("error", "style sheets and scripts are missing", "in a checkout run: make setup")


def _readers() -> Iterator[Finding]:
    from careloop.events.readers import STUCK_AFTER_FAILURES

    stuck: list[str] = []
    retrying: list[str] = []
    for slug, rows in _everywhere(
        "select reader, error, failures from events_position where failures > 0 order by reader"
    ):
        for row in rows:
            fallen = stuck if row["failures"] >= STUCK_AFTER_FAILURES else retrying
            fallen.append(f"{slug}: {row['reader']} failed {row['failures']} times ({row['error']})")
    if stuck:
        yield Finding(
            "error",
            "event readers stand still: " + "; ".join(stuck),
            "the worker's log says more; after mending it goes on by itself",
        )
    if retrying:
        yield Finding(
            "warning",
            "event readers try again: " + "; ".join(retrying),
            "they do so by themselves; look again in a minute",
        )
    if not stuck and not retrying:
        yield Finding("ok", "event readers keep up")


def _jobs() -> Iterator[Finding]:
    from careloop.kernel import sql

    failed = sql.value("select count(*) from procrastinate_jobs where status = 'failed'") or 0
    stalled = (
        sql.value(
            "select count(*) from procrastinate_jobs where status = 'todo' and coalesce(scheduled_at, now()) < now() - interval '15 minutes'"
        )
        or 0
    )
    if failed:
        yield Finding(
            "warning",
            f"{failed} background jobs failed for good",
            "see the worker's log; imports can be started again from their page",
        )
    if stalled:
        yield Finding(
            "warning",
            f"{stalled} background jobs have waited for more than 15 minutes",
            "start a worker: careloop worker",
        )
    if not failed and not stalled:
        yield Finding("ok", "background jobs flow")


def _audit() -> Iterator[Finding]:
    from careloop.audit.verify import verify_chain
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import organization_ids

    broken = []
    for organization_id, slug in organization_ids():
        with in_organization(organization_id):
            report = verify_chain(organization_id)
        if not report["whole"]:
            broken.append(f"{slug}: {'; '.join(report['faults'])}")
    if broken:
        yield Finding(
            "error",
            "the audit chain is broken: " + " | ".join(broken),
            "tell the privacy officer; restore from backup to compare",
        )
    else:
        yield Finding("ok", "the audit chain is whole")


def _channels() -> Iterator[Finding]:
    for slug, rows in _everywhere("select kind, name, pause_reason from messaging_channel_account where enabled"):
        paused = [f"{row['name']} ({row['pause_reason']})" for row in rows if row["pause_reason"]]
        if paused:
            yield Finding(
                "warning", f"{slug}: channels are paused: {', '.join(paused)}", "open Settings, Channels and test them"
            )
        elif not rows:
            yield Finding("warning", f"{slug}: no channel is connected", "open Settings, Channels")
        else:
            yield Finding("ok", f"{slug}: {len(rows)} channels connected")


def _running() -> Iterator[Finding]:
    from careloop.cli.processes import running_pid

    pid = running_pid()
    yield Finding(
        "ok", f"CareLoop is running (process {pid})" if pid else "CareLoop is not running; start it with: careloop up"
    )


def _everywhere(statement: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import organization_ids

    for organization_id, slug in organization_ids():
        with in_organization(organization_id):
            yield slug, sql.rows(statement)


def _django() -> None:
    import django
    from django.apps import apps

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings")
    if not apps.ready:
        django.setup()


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else ""
