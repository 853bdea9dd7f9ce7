"""A worker killed at any moment loses nothing and does nothing twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from careloop.events.registry import READERS, Published, reader
from careloop.events.services import publish_many
from careloop.followups.events import FollowUpDone
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.tests.make import patient
from careloop.tenancy.context import in_organization
from careloop.tenancy.jobs import defer, job
from tests.crash.killing import close_connections, kill_each, some_time, start_worker, work_until

KILLS, AT_ONCE = 200, 4  # so many workers share the work, and each is killed at a moment of its own
EVENTS_A_ROUND, JOBS_A_ROUND = 40, 6


def leave_effects(names: list[str]) -> None:
    """Write one row per name into a table that would take any number of them."""
    sql.execute(
        """insert into followups_follow_up (patient_id, kind, title, priority, due_at, created_at)
           select (select id from patients_patient limit 1), 'OTHER', name, 3, now(), now() from unnest(%s::text[]) as name""",
        [names],
    )


@job(name="tests.crash_effect")
def effect_of_a_job(organization_id: UUID, number: int) -> None:
    leave_effects([f"job {number}"])
    time.sleep(0.003)


@pytest.fixture
def counting_reader() -> Iterator[None]:
    """A reader whose effects can be counted, with small batches so that many commits can be hit."""

    @reader("tests.crash", kinds=("follow_up.done",), batch_size=5)
    def count(batch: list[Published]) -> None:
        for event in batch:
            leave_effects([f"event {event.payload['outcome']}"])
            time.sleep(0.001)

    yield
    READERS.pop("tests.crash")


def effects() -> Counter[str]:
    found = sql.rows("select title, count(*) as n from followups_follow_up where kind = 'OTHER' group by title")
    return Counter({row["title"]: row["n"] for row in found})


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_kills_leave_every_effect_exactly_once(
    own_database: None, committed_organization: Any, counting_reader: None
) -> None:
    """Events and jobs are fed while workers die; transactions that are rolled back must leave no effect at all."""
    dice = random.Random(20260321)
    organization = committed_organization.id
    with in_organization(organization):
        person = patient()
    expected: set[str] = set()
    number = 0

    for _round in range(KILLS // AT_ONCE):
        numbers = list(range(number, number + EVENTS_A_ROUND))
        jobs = list(range(number, number + JOBS_A_ROUND))
        number += EVENTS_A_ROUND
        keeps = dice.random() < 0.8
        try:
            with in_organization(organization):
                now = datetime.now(UTC)
                publish_many([(FollowUpDone(uuid7(), str(n)), person, now, None) for n in numbers], now=now)
                for one in jobs:
                    defer(effect_of_a_job, organization, number=one)
                if not keeps:
                    raise RuntimeError("rolled back")
        except RuntimeError:
            pass
        else:
            expected |= {f"event {n}" for n in numbers} | {f"job {n}" for n in jobs}
        kill_each([(start_worker(), some_time(dice, most=0.8)) for _worker in range(AT_ONCE)])

    def everything_is_there() -> bool:
        with in_organization(organization):
            return set(effects()) >= expected

    with in_organization(organization):
        done_while_dying = len(effects())
    work_until(everything_is_there)
    with in_organization(organization):
        found = effects()
    close_connections()
    assert set(found) == expected
    assert {name: n for name, n in found.items() if n != 1} == {}
    assert done_while_dying > len(expected) / 50, (
        f"{done_while_dying} of {len(expected)} before the end: the kills came before any work"
    )
