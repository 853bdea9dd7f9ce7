"""Hundreds want the same place at once: one gets it, everybody else gets a refusal with other places."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.patients.tests.make import patient
from careloop.scheduling import services
from careloop.scheduling.models import HOLDS, Appointment
from careloop.scheduling.places import Place
from careloop.scheduling.tests.make import MORNING, NOW, Clinic, clinic, session
from careloop.tenancy.context import in_organization
from tests.crash.killing import close_connections, start

PROCESSES, CLIENTS, THREADS = 4, 200, 12
Outcome = tuple[str, int]


def many_patients(count: int) -> list[UUID]:
    """Copy one patient until there are enough."""
    columns = [
        row["column_name"] for row in sql.rows(
            """select column_name from information_schema.columns
                where table_name = 'patients_patient' and column_name not in ('id', 'chart_number')"""
        )
    ]  # fmt: skip
    names = ", ".join(columns)
    return [
        row["id"] for row in sql.rows(
            f"insert into patients_patient (id, {names}) select careloop_new_id(), {names} from patients_patient, generate_series(1, %s) where id = %s returning id",
            [count, patient()],
        )
    ]  # fmt: skip


def rush(organization_id: UUID, tries: list[list[Callable[[], Outcome]]]) -> Counter[Outcome]:
    """Let each process do its tries, a dozen at a time as a web server does; return what came of them."""

    def attempt(one: Callable[[], Outcome]) -> Outcome:
        try:
            with in_organization(organization_id):
                return one()
        finally:
            connections["default"].close()  # back to the pool, as at the end of a request

    def work(mine: list[Callable[[], Outcome]], file: Path) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            file.write_text(json.dumps(list(pool.map(attempt, mine))))
        connections.close_all()

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(tries))]
        pids = [start(lambda mine=mine, file=file: work(mine, file)) for mine, file in zip(tries, files, strict=True)]  # type: ignore[misc]
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * len(pids)
        found: Counter[Outcome] = Counter()
        for file in files:
            found.update((code, others) for code, others in json.loads(file.read_text()))
    close_connections()
    return found


def trying(where: Clinic, place: Place, who: UUID) -> Callable[[], Outcome]:
    def attempt() -> Outcome:
        try:
            services.book(
                patient_id=who, service_id=where.service.pk, place=place, source="portal", key="", now=NOW, by=None
            )
        except DomainError as refused:
            return refused.code, len(getattr(refused, "alternatives", []))
        return "booked", 0

    return attempt


@pytest.mark.slow
def test_one_of_eight_hundred_gets_the_time(committed_organization: Any):
    with in_organization(committed_organization.id):
        where = clinic()
        held = session(where)
        people = many_patients(PROCESSES * CLIENTS)
    place = Place(held.pk, MORNING)

    found = rush(
        committed_organization.id,
        [[trying(where, place, who) for who in people[turn::PROCESSES]] for turn in range(PROCESSES)],
    )

    assert found == Counter({("booked", 0): 1, ("scheduling.place_taken", 3): len(people) - 1})
    with in_organization(committed_organization.id):
        assert Appointment.objects.filter(session=held, state__in=HOLDS).count() == 1


@pytest.mark.slow
def test_one_of_eight_hundred_gets_the_last_number(committed_organization: Any):
    with in_organization(committed_organization.id):
        where = clinic()
        held = session(where, mode="NUMBERS", numbers=1)
        session(where, mode="NUMBERS", numbers=50, starts_at=MORNING + timedelta(days=1))
        people = many_patients(PROCESSES * CLIENTS)

    found = rush(
        committed_organization.id,
        [[trying(where, Place(held.pk), who) for who in people[turn::PROCESSES]] for turn in range(PROCESSES)],
    )

    assert found == Counter({("booked", 0): 1, ("scheduling.session_full", 1): len(people) - 1})


@pytest.mark.slow
def test_a_rush_gives_every_number_once(committed_organization: Any):
    with in_organization(committed_organization.id):
        where = clinic()
        held = session(where, mode="NUMBERS", numbers=60)
        people = many_patients(100)

    found = rush(
        committed_organization.id,
        [[trying(where, Place(held.pk), who) for who in people[turn::PROCESSES]] for turn in range(PROCESSES)],
    )

    assert {code: sum(n for (one, _others), n in found.items() if one == code) for code, _others in found} == {
        "booked": 60, "scheduling.session_full": 40,
    }  # fmt: skip
    with in_organization(committed_organization.id):
        assert sorted(Appointment.objects.values_list("number", flat=True)) == list(range(1, 61))


@pytest.mark.slow
def test_the_same_form_sent_many_times_at_once_books_once(committed_organization: Any):
    with in_organization(committed_organization.id):
        where = clinic()
        held, who = session(where), patient()

    def attempt() -> Outcome:
        made = services.book(
            patient_id=who,
            service_id=where.service.pk,
            place=Place(held.pk, MORNING),
            source="desk",
            key="form",
            now=NOW,
            by=None,
        )
        return str(made.pk), 0

    found = rush(committed_organization.id, [[attempt] * 10 for _process in range(PROCESSES)])

    assert list(found.values()) == [PROCESSES * 10]


@pytest.mark.slow
def test_who_swap_places_at_once_neither_lose_one_nor_get_two(committed_organization: Any):
    """Two who want each other's place at the same moment: at most a refusal, never a double booking or a stuck database."""
    with in_organization(committed_organization.id):
        where = clinic()
        held = session(where)
        two = [
            services.book(patient_id=who, service_id=where.service.pk, place=Place(held.pk, MORNING + timedelta(minutes=30 * turn)),
                          source="desk", key="", now=NOW, by=None)
            for turn, who in enumerate(many_patients(2))
        ]  # fmt: skip

    def swap(mine: Appointment, theirs: Appointment) -> Callable[[], Outcome]:
        def attempt() -> Outcome:
            try:
                services.move(
                    appointment_id=mine.pk, place=Place(held.pk, theirs.starts_at), version=1, now=NOW, by=None
                )
            except DomainError as refused:
                return refused.code, 0
            return "moved", 0

        return attempt

    found = rush(committed_organization.id, [[swap(two[0], two[1])] * 20, [swap(two[1], two[0])] * 20])

    assert set(found) <= {("scheduling.place_taken", 0), ("moved", 0), ("scheduling.changed_meanwhile", 0)}
    with in_organization(committed_organization.id):
        assert len(set(Appointment.objects.values_list("starts_at", flat=True))) == 2
