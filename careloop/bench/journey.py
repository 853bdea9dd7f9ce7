"""Journeys: move 100,000 due enrollments through every kind of step, beside bare UPDATE and INSERT … SELECT on the same rows."""

import argparse
import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

NAME = "journey"
GOAL = 5_000
BATCH = 5_000

STEPS: list[dict[str, Any]] = [
    {"id": "s1", "kind": "wait", "days": 0, "hours": 1},
    {"id": "s2", "kind": "message", "template": "recall"},
    {"id": "s3", "kind": "wait_reply", "days": 0, "hours": 1, "silence": "next"},
    {"id": "s4", "kind": "branch", "if": {"kind": "visited"}, "yes": "end", "no": "next"},
    {"id": "s5", "kind": "follow_up", "title": "打電話關心", "task": "CALL"},
    {"id": "s6", "kind": "exit"},
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--enrollments", type=int, default=100_000, help="how many patients are on the journey")


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure in an organization of its own, which is removed at the end. Nothing leaves this machine."""
    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    now = datetime.now(UTC).replace(microsecond=0)
    organization = create_organization(
        slug=f"bench-journey-{os.getpid()}", name="安心診所", now=now, quiet_from_hour=0, quiet_to_hour=0
    )
    try:
        return _measure(options.enrollments, organization.id, now, say)
    finally:
        clinic.remove(organization.id)


def _measure(count: int, organization: UUID, now: datetime, say: Callable[[str], None]) -> dict[str, Any]:
    from careloop.bench import clinic
    from careloop.journeys import enrolling, moving, versions
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        journey = _prepare(count, now)
    clinic.analyze("patients_patient", "patients_contact_point")
    began = time.perf_counter()
    with in_organization(organization):
        version = versions.load_version(journey.current_id)
        everybody = enrolling.Candidates("select id as patient_id from patients_patient")
        enrolled = enrolling.enroll(version, everybody, because="bench", now=now)
    took = time.perf_counter() - began
    say(f"{enrolled} patients enrolled in {took:.1f} s")
    clinic.analyze("journeys_enrollment")
    bare = _bare(organization, enrolled)
    say(f"bare update and insert: {bare:.0f} rows/s")
    seconds: dict[str, float] = {}
    for number, step in enumerate(STEPS, start=1):
        moment = now + timedelta(hours=2 * number)
        kind, moved = str(step["kind"]), 0
        began = time.perf_counter()
        while moved < enrolled and (done := moving.move_due(organization, now=moment, limit=BATCH)):
            moved += done
        seconds[kind] = time.perf_counter() - began
        say(f"{kind}: {moved} in {seconds[kind]:.1f} s, {moved / seconds[kind]:.0f} steps/s")
        if moved != enrolled:
            raise RuntimeError(f"{moved} of {enrolled} moved at {kind}")
    whole = sum(seconds.values())
    steps = len(STEPS) * enrolled
    return {
        "bench": NAME,
        "size": {"enrollments": enrolled, "steps": steps},
        "figures": {
            "steps_per_second": round(steps / whole), "goal_steps_per_second": GOAL,
            **{f"{kind}_per_second": round(enrolled / lasted) for kind, lasted in seconds.items()},
            "enrolled_per_second": round(enrolled / took),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        "limits": {"bare_update_and_insert_per_second": round(bare)},
        "ratios": {"steps_to_bare": round(steps / whole / bare, 2)},
    }  # fmt: skip


def _prepare(count: int, now: datetime) -> Any:
    """Make patients with a LINE id each, texts, a channel, and a running journey."""
    from careloop.journeys import services
    from careloop.journeys.models import Journey
    from careloop.kernel import sql
    from careloop.messaging import texts
    from careloop.messaging.models import ChannelAccount

    texts.install_library(now=now)
    ChannelAccount.objects.create(
        channel="line", kind="sandbox", name="sandbox LINE", is_default=True, changed_at=now, created_at=now
    )
    sql.execute(
        """with made as (
               insert into patients_patient (name, name_grams, sex, created_at, updated_at)
               select '病友' || n, '{}', 'unknown', %(now)s, %(now)s from generate_series(1, %(count)s) as n
               returning id
           )
           insert into patients_contact_point (patient_id, system, value_sealed, value_index)
           select id, 'line', uuid_send(id), uuid_send(id) from made""",
        {"now": now, "count": count},
    )
    journey = services.create_journey(
        name="召回", now=now, by=None,
        definition={"trigger": {"kind": "event", "event": "patient.registered"}, "hold_out_percent": 0, "steps": STEPS},
    )  # fmt: skip
    services.start(journey_id=journey.pk, version=1, now=now, by=None)
    return Journey.objects.get(pk=journey.pk)


def _bare(organization: UUID, count: int) -> float:
    """Return rows a second of what every step must at least do: change a position, add a history row, in the same batches."""
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        ids = [row["id"] for row in sql.rows("select id from journeys_enrollment order by id")]
    now = datetime.now(UTC)
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        with in_organization(organization):
            sql.execute(
                """with moved as (
                       update journeys_enrollment set entered_because = 'bare' where id = any(%(ids)s::uuid[]) returning id
                   )
                   insert into journeys_enrollment_step (enrollment_id, number, step, what, at)
                   select id, 1000, 's0', 'waited', %(now)s from moved""",
                {"ids": ids[start : start + BATCH], "now": now},
            )
    return count / (time.perf_counter() - began)
