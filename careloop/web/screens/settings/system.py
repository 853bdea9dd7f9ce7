"""Settings: what may be shown of the installation's state. `careloop doctor` on the machine says more."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from careloop import __version__
from careloop.accounts.access import requires
from careloop.events.readers import STUCK_AFTER_FAILURES
from careloop.kernel import sql
from careloop.web.health import migrations_current
from careloop.web.http import respond

LEAST_FREE_BYTES = 2_000_000_000
SLOW_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what helps."""

    tone: Literal["success", "warning", "danger"]
    what: str
    detail: str
    cure: str = ""


@requires("system.health")
@require_GET
def system(request: HttpRequest) -> HttpResponse:
    """Look at everything this organization may know about."""
    findings = [*_database(), *_readers(), *_jobs(), *_audit(), *_channels(), *_disk()]
    worst = next((tone for tone in ("danger", "warning") if any(one.tone == tone for one in findings)), "success")
    return respond(request, "settings/system.html", {"findings": findings, "worst": worst, "version": __version__})


def _database() -> Iterator[Finding]:
    version = connection.cursor().connection.info.server_version // 10000
    yield Finding("success", _("Database"), f"PostgreSQL {version}")
    if migrations_current():
        yield Finding("success", _("Schema"), _("The database is at this version."))
    else:
        yield Finding("danger", _("Schema"), _("Migrations are waiting."), "careloop migrate")


def _readers() -> Iterator[Finding]:
    stuck = sql.rows("select reader, failures from events_position where failures > 0 order by reader")
    for row in stuck:
        yield Finding(
            "danger" if row["failures"] >= STUCK_AFTER_FAILURES else "warning", _("Event readers"),
            _("%(reader)s failed %(failures)s times and tries again by itself.") % {"reader": row["reader"], "failures": row["failures"]},
            _("The log of the worker says why."),
        )  # fmt: skip
    if not stuck:
        moved = sql.value("select count(*) from events_position")
        yield Finding(
            "success",
            _("Event readers"),
            ngettext("%(count)s reader keeps up.", "%(count)s readers keep up.", moved) % {"count": moved},
        )


def _jobs() -> Iterator[Finding]:
    row = sql.row(
        """select count(*) filter (where status = 'failed') as failed,
                  count(*) filter (where status = 'todo' and coalesce(scheduled_at, now()) < now() - make_interval(mins => %s)) as late
             from procrastinate_jobs where status in ('failed', 'todo')""",
        [SLOW_MINUTES],
    ) or {"failed": 0, "late": 0}  # fmt: skip
    if row["late"]:
        yield Finding(
            "danger", _("Background work"),
            ngettext("%(count)s job has waited for more than 15 minutes.", "%(count)s jobs have waited for more than 15 minutes.", row["late"]) % {"count": row["late"]},
            _("Start a worker: careloop worker"),
        )  # fmt: skip
    if row["failed"]:
        yield Finding(
            "warning", _("Background work"), ngettext("%(count)s job failed for good.", "%(count)s jobs failed for good.", row["failed"]) % {"count": row["failed"]},
            _("Imports can be started again from their page."),
        )  # fmt: skip
    if not row["late"] and not row["failed"]:
        yield Finding("success", _("Background work"), _("Nothing waits for long, nothing failed."))


def _audit() -> Iterator[Finding]:
    head = sql.value("select number from audit_head where day is null") or 0
    yield Finding(
        "success", _("Audit chain"), ngettext("%(count)s entry.", "%(count)s entries.", head) % {"count": f"{head:,}"},
        _("Its state is checked on the audit page."),
    )  # fmt: skip


def _channels() -> Iterator[Finding]:
    rows = sql.rows("select name, pause_reason, check_ok from messaging_channel_account where enabled order by name")
    for row in rows:
        if row["pause_reason"]:
            yield Finding("warning", _("Channel"), _("%(name)s is paused.") % row, _("Open Settings, Channels."))
        elif row["check_ok"] is False:
            yield Finding(
                "warning", _("Channel"), _("%(name)s did not pass its last check.") % row, _("Open Settings, Channels.")
            )
        else:
            yield Finding("success", _("Channel"), _("%(name)s is connected.") % row)
    if not rows:
        yield Finding(
            "warning",
            _("Channel"),
            _("No channel is connected, so no message can leave."),
            _("Open Settings, Channels."),
        )


def _disk() -> Iterator[Finding]:
    home = Path(settings.CARELOOP_FILES).parent
    free = shutil.disk_usage(home if home.exists() else "/").free
    shown = _("%(size)s GB free.") % {"size": f"{free / 1e9:,.0f}"}
    yield Finding("success" if free > LEAST_FREE_BYTES else "warning", _("Disk"), shown)
