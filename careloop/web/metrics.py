"""Numbers for Prometheus: requests, event readers, outbox, jobs, connections. No label names a patient or an organization.

Each web process writes its counts into files below CARELOOP_HOME/run/metrics; whichever process is asked adds them up.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from careloop.kernel import sql
from careloop.tenancy.context import in_organization
from careloop.tenancy.services import organization_ids

BUCKETS = (0.005, 0.012, 0.03, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 10)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# the state of the whole installation is read from the database at most this often
STATE_SECONDS = 5.0


def folder() -> Path:
    return Path(settings.CARELOOP_FILES).parent / "run" / "metrics"


def _prepare() -> Any:
    """Import the client once its folder is known: it looks at the environment while it is imported."""
    where = folder()
    where.mkdir(parents=True, exist_ok=True)
    if not any(_alive(file) for file in where.glob("*.db")):
        for file in where.glob("*.db"):
            with contextlib.suppress(OSError):
                file.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(where)
    import prometheus_client

    return prometheus_client


def _alive(file: Path) -> bool:
    """Whether the process that wrote a file (`histogram_123.db`) still runs; its counts must not be thrown away."""
    try:
        os.kill(int(file.stem.rsplit("_", 1)[-1]), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


client = _prepare()
REQUESTS = client.Histogram(
    "careloop_request_seconds", "How long requests take.", ["view", "method", "status"], buckets=BUCKETS
)


def observe_request(*, view: str, method: str, status: int, seconds: float) -> None:
    """Count one request."""
    REQUESTS.labels(view, method if method in METHODS else "other", str(status)).observe(seconds)


class State:
    """What the database knows, read when somebody asks."""

    _read_at = 0.0
    _families: list[Any] = []

    def collect(self) -> Iterator[Any]:
        if time.monotonic() - State._read_at > STATE_SECONDS:
            State._families, State._read_at = list(self._gather()), time.monotonic()
        yield from State._families

    def _gather(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        behind: dict[str, float] = {}
        failing: dict[str, int] = {}
        outbox: dict[str, int] = {}
        oldest = 0.0
        for organization_id, _slug in organization_ids():
            with in_organization(organization_id):
                for row in sql.rows(READERS):
                    behind[row["reader"]] = max(behind.get(row["reader"], 0.0), float(row["seconds"]))
                    failing[row["reader"]] = failing.get(row["reader"], 0) + (row["failures"] > 0)
                for row in sql.rows(OUTBOX):
                    outbox[row["state"]] = outbox.get(row["state"], 0) + row["messages"]
                oldest = max(oldest, float(sql.value(OLDEST_DUE) or 0))
        lag = GaugeMetricFamily(
            "careloop_reader_lag_seconds", "Age of the oldest event a reader has not taken.", labels=["reader"]
        )
        stuck = GaugeMetricFamily(
            "careloop_reader_failing", "Organizations in which a reader fails.", labels=["reader"]
        )
        for reader, seconds in sorted(behind.items()):
            lag.add_metric([reader], seconds)
            stuck.add_metric([reader], failing[reader])
        yield lag
        yield stuck
        messages = GaugeMetricFamily(
            "careloop_outbox_messages", "Messages of the last day by state, and all that wait.", labels=["state"]
        )
        for state, count in sorted(outbox.items()):
            messages.add_metric([state], count)
        yield messages
        yield GaugeMetricFamily(
            "careloop_outbox_oldest_due_seconds", "How long the oldest due message waits.", value=oldest
        )
        jobs = GaugeMetricFamily("careloop_jobs", "Background jobs by queue and state.", labels=["queue", "state"])
        for row in sql.rows(JOBS):
            jobs.add_metric([row["queue"], row["state"]], row["jobs"])
        yield jobs
        pool = GaugeMetricFamily("careloop_database_pool", "Connections of the process that answers.", labels=["what"])
        for name, value in _pool().items():
            pool.add_metric([name], value)
        yield pool


READERS = """
    select p.reader, p.failures,
           coalesce((select extract(epoch from clock_timestamp() - e.recorded_at) from events_event e
                      where (e.xid, e.id) > (p.xid, p.event_id) order by e.xid, e.id limit 1), 0) as seconds
      from events_position p
"""
OUTBOX = """
    select state, count(*) as messages from messaging_message
     where state in ('planned', 'claimed') or (due_at > now() - interval '1 day' and due_at <= now()) group by state
"""
OLDEST_DUE = (
    "select extract(epoch from now() - min(due_at)) from messaging_message where state = 'planned' and due_at <= now()"
)
JOBS = """
    select queue_name as queue, status::text as state, count(*) as jobs from procrastinate_jobs
     where status <> 'succeeded' group by 1, 2
"""


def _pool() -> dict[str, float]:
    pool = getattr(connection, "pool", None)
    stats = pool.get_stats() if pool is not None else {}
    return {name: stats.get(name, 0) for name in ("pool_size", "pool_available", "requests_waiting", "requests_errors")}


def exposition() -> bytes:
    """Return everything in Prometheus' text format."""
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = client.CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder()))
    registry.register(State())
    answer: bytes = client.generate_latest(registry)
    return answer
