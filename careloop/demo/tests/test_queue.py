"""The demo's waiting room is full at whatever hour it is made, and the same each time."""

from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from careloop.demo import cast, queue, schedule
from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.records.models import Practitioner
from careloop.scheduling.models import Service
from careloop.tenancy.models import Location
from careloop.waitingroom.models import Display

TAIPEI = ZoneInfo("Asia/Taipei")


@pytest.fixture
def clinic(organization, monkeypatch):
    monkeypatch.setattr(queue, "TAKEN_FROM", 0)
    Location.objects.all().delete()
    for name in cast.BRANCHES:
        Location.objects.create(name=name)
    for name in (schedule.DENTIST, schedule.PHYSICIAN):
        Practitioner.objects.create(name=name)
    for number in range(24):
        patient(f"病人{number}")


def states():
    return Counter(
        (row["name"], row["state"])
        for row in sql.rows(
            "select p.name, t.state from waitingroom_ticket t join records_practitioner p on p.id = t.practitioner_id"
        )
    )


@pytest.mark.parametrize(
    "at",
    [
        "2026-03-16 09:05",
        "2026-03-16 11:50",
        "2026-03-16 13:30",
        "2026-03-22 03:00",
        "2026-03-18 23:50",
        "2026-03-20 00:20",
    ],
)
def test_somebody_is_seen_in_the_room_and_waiting_whatever_hour_it_is(clinic, at):
    now = datetime.fromisoformat(at).replace(tzinfo=TAIPEI)
    schedule._set_up(now.date(), now=now)
    Service.objects.update(first_visit_minutes=None)  # the demo's patients have been here before

    queue.play(now=now)

    found = states()
    for who in (schedule.DENTIST, schedule.PHYSICIAN):
        assert found[who, "IN_ROOM"] == 1
        assert found[who, "DONE"] >= 1
        assert found[who, "WAITING"] >= 1
        expected = sql.value(
            """select count(*) from scheduling_appointment a join records_practitioner p on p.id = a.practitioner_id
                where p.name = %s and a.state = 'booked'""",
            [who],
        )
        assert expected >= 1
    assert (found[schedule.PHYSICIAN, "MISSED"], found[schedule.PHYSICIAN, "HELD"]) == (1, 1)
    assert set(queue.screens()) == {name for name, _kind in queue.SCREENS}

    queue.play(now=now + timedelta(seconds=30))

    assert states() == found
    assert Display.objects.count() == 2


def test_a_small_demo_stays_without(organization, clinic, monkeypatch):
    monkeypatch.setattr(queue, "TAKEN_FROM", 400)
    now = datetime(2026, 3, 16, 10, tzinfo=TAIPEI)
    schedule._set_up(now.date(), now=now)

    queue.play(now=now)

    assert not states()
    assert queue.screens() == {}
