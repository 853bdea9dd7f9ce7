"""The worker: rounds that go on whatever one clinic's data do, and an orderly end."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import LOOPS
from careloop.tenancy.services import organization_ids
from careloop.worker import run as worker
from careloop.worker.catch_up import catch_up


@pytest.fixture
def another_clinic(committed_organization):
    from conftest import make_organization

    return make_organization()


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(worker, "PAUSE_AFTER_FAILURE", 0.01)


def test_every_declared_round_is_run():
    assert {name for name, _every, _work in worker._rounds()} >= {"readers", "dailies", *LOOPS}


def test_a_failing_clinic_does_not_keep_the_others_waiting(committed_organization, another_clinic, quiet):
    visited, stop = [], threading.Event()

    def work(organization):
        visited.append(organization)
        if organization == committed_organization.id:
            raise RuntimeError("broken data")
        if organization == another_clinic.id:
            stop.set()
        return 0

    worker._repeat("test", timedelta(seconds=0.01), work, stop)

    known = [identifier for identifier, _slug in organization_ids()]
    assert visited == known[: known.index(another_clinic.id) + 1]
    assert committed_organization.id in visited


def test_a_database_that_goes_away_is_waited_for(committed_organization, monkeypatch, quiet):
    answers, stop = [OSError("gone"), []], threading.Event()

    def organizations():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        stop.set()
        return answer

    monkeypatch.setattr(worker, "organization_ids", organizations)

    worker._repeat("test", timedelta(seconds=0.01), lambda _organization: 0, stop)

    assert answers == []


def test_a_round_that_found_work_looks_again_at_once(committed_organization, monkeypatch):
    rounds, stop = iter([5, 0]), threading.Event()
    monkeypatch.setattr(worker, "organization_ids", lambda: [(committed_organization.id, "one")])
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.set())

    worker._repeat("test", timedelta(hours=1), lambda _organization: next(rounds), stop)

    assert next(rounds, None) is None


def test_catching_up_brings_readers_to_the_end_and_then_finds_nothing(committed_organization, now, monkeypatch):
    from careloop.kernel import sql
    from careloop.kernel.ids import uuid7
    from careloop.patients import services as patients

    with in_organization(committed_organization.id):
        patients.register(
            details={"name": "王小美"}, contacts=[], identifiers=[], idempotency_key=uuid7(), now=now, by=None
        )

    # other tests' organizations wait in the same database
    monkeypatch.setattr("careloop.worker.catch_up.organization_ids", lambda: [(committed_organization.id, "one")])

    catch_up()

    assert catch_up() == 0
    with in_organization(committed_organization.id):
        assert sql.value("select count(*) from facts_patient") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_worker_with_code_0(django_db_setup, number):
    # in a session of its own, as `careloop up` starts it
    process = subprocess.Popen(
        [sys.executable, "-m", "careloop", "worker", "--json"],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for line in process.stderr:
            if "worker ready" in line:
                break
        process.send_signal(number)
        out, _err = process.communicate(timeout=40)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 0
    assert json.loads(out) == {"stopped": True}
