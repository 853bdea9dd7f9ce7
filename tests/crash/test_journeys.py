"""Workers that die while patients move along a journey send nothing twice and leave nobody standing."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from careloop.journeys import enrolling, moving, services, versions
from careloop.journeys.models import Enrollment
from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.tenancy.context import in_organization
from tests.crash.killing import close_connections, kill_after, start, work_until

KILLS = 60
PATIENTS = 120
STEPS = [
    {"id": "s1", "kind": "tag", "tag": ""},
    {"id": "s2", "kind": "message", "template": "recall", "if_not_sent": "next"},
    {"id": "s3", "kind": "follow_up", "title": "打電話", "task": "CALL"},
    {"id": "s4", "kind": "branch", "if": {"kind": "visited"}, "yes": "end", "no": "next"},
    {"id": "s5", "kind": "message", "template": "recall-second", "if_not_sent": "next"},
    {"id": "s6", "kind": "exit"},
]


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_while_moving_patients_every_effect_is_there_once(
    own_database: None, committed_organization: Any
) -> None:
    """Small batches, so that kills fall between and inside transactions."""
    from careloop.messaging import texts
    from careloop.patients import services as patients

    dice = random.Random(7)
    organization = committed_organization.id
    now = datetime.now(UTC)
    with in_organization(organization):
        texts.install_library(now=now)
        people = [patient(f"病友{n}", line=f"U{n:032d}") for n in range(PATIENTS)]
        tag = patients.create_tag(name="旅程中", now=now, by=None)
        steps = [{**step, **({"tag": str(tag.pk)} if step["kind"] == "tag" else {})} for step in STEPS]
        journey = services.create_journey(
            name="殺不死的旅程", now=now, by=None,
            definition={"trigger": {"kind": "event", "event": "patient.registered"}, "hold_out_percent": 0, "steps": steps},
        )  # fmt: skip
        services.start(journey_id=journey.pk, version=1, now=now, by=None)
        journey.refresh_from_db()
        version = versions.load_version(journey.current_id)
        enrolling.enroll(
            version,
            enrolling.Candidates("select unnest(%(p)s::uuid[]) as patient_id", {"p": people}),
            because="test",
            now=now,
        )

    def move_forever() -> None:
        while True:
            moving.move_due(organization, now=datetime.now(UTC) + timedelta(minutes=1), limit=9)

    for _kill in range(KILLS):
        kill_after(start(move_forever), dice.uniform(0.01, 0.2))

    def everybody_arrived() -> bool:
        with in_organization(organization):
            return not Enrollment.objects.filter(state="ACTIVE").exists()

    work_until(everybody_arrived)
    with in_organization(organization):
        counted = sql.row(
            """select (select count(*) from messaging_message) as messages,
                      (select count(*) from followups_follow_up where origin = 'journey') as tasks,
                      (select count(*) from patients_patient_tag) as tags,
                      (select count(*) from events_event where kind = 'patient.tagged') as tagged,
                      (select count(*) from events_event where kind = 'follow_up.created') as created,
                      (select count(*) from events_event where kind = 'journey.exited') as exited,
                      (select count(*) from journeys_enrollment_step) as history"""
        )
    close_connections()
    assert counted == {
        "messages": 2 * PATIENTS, "tasks": PATIENTS, "tags": PATIENTS, "tagged": PATIENTS, "created": PATIENTS,
        "exited": PATIENTS, "history": len(STEPS) * PATIENTS,
    }  # fmt: skip
