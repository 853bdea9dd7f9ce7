"""What the worker does again and again: small set-wise rounds, and daily work.

A slice declares a round with `@loop(...)` or daily work with `@daily(...)` in its `handlers.py`; the worker visits every
organization with each. Rounds must bear being run by several workers at once (they claim with SKIP LOCKED).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.kernel import sql
from careloop.tenancy.context import in_organization


@dataclass(frozen=True)
class Loop:
    """One kind of round: `run(organization_id, now=…)` returns how much it did; more than 0 means: come back at once."""

    name: str
    every: timedelta
    run: Callable[..., int]


@dataclass(frozen=True)
class Daily:
    """Work done once a local day, from `hour` on, inside one transaction."""

    name: str
    hour: int
    run: Callable[..., None]


LOOPS: dict[str, Loop] = {}
DAILIES: dict[str, Daily] = {}


def loop(name: str, *, every: timedelta = timedelta(seconds=1)) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Declare a round, called as `run(organization_id, now=…)` outside any transaction."""

    def declare(run: Callable[..., int]) -> Callable[..., int]:
        LOOPS[name] = Loop(name, every, run)
        return run

    return declare


def daily(name: str, *, hour: int = 1) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare daily work, called as `run(now=…)` inside the organization; it runs once a day or is tried again."""

    def declare(run: Callable[..., None]) -> Callable[..., None]:
        DAILIES[name] = Daily(name, hour, run)
        return run

    return declare


def run_due_dailies(organization_id: UUID, *, now: datetime) -> int:
    """Run the daily work that is due; the row that says so is locked, so two workers cannot do it twice."""
    done = 0
    for work in DAILIES.values():
        with in_organization(organization_id):
            zone = sql.value("select time_zone from tenancy_organization")
            local = now.astimezone(ZoneInfo(zone))
            if local.hour < work.hour:
                continue
            sql.execute(
                "insert into tenancy_daily_run (name, ran_on) values (%s, null) on conflict do nothing", [work.name]
            )
            mine = sql.row(
                "select id from tenancy_daily_run where name = %s and (ran_on is null or ran_on < %s) "
                "for update skip locked",
                [work.name, local.date()],
            )
            if mine is None:
                continue
            work.run(now=now)
            sql.execute("update tenancy_daily_run set ran_on = %s where id = %s", [local.date(), mine["id"]])
            done += 1
    return done
