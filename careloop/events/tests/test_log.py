"""The event log: in order, once, and never for a transaction that did not happen."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction

from careloop.config.database import database
from careloop.events import readers, settled
from careloop.events.models import Event
from careloop.events.registry import READERS, Published, fact, reader
from careloop.events.services import publish
from careloop.kernel import sql
from careloop.tenancy.context import in_organization


@fact("test.happened", label="happened", group="profile")
@dataclass(frozen=True)
class Happened:
    number: int


@pytest.fixture
def listener():
    """A reader that writes down what it is given."""
    heard: list[Published] = []

    @reader("test-listener", kinds=("test.happened",), batch_size=3)
    def listen(batch):
        heard.extend(batch)

    yield READERS["test-listener"], heard
    del READERS["test-listener"]


def test_a_fact_is_kept_with_its_time_and_payload(organization, now):
    patient = uuid4()

    publish(Happened(7), patient_id=patient, now=now)

    event = Event.objects.get()
    assert (event.kind, event.patient_id, event.payload, event.occurred_at) == (
        "test.happened", patient, {"number": 7}, now,
    )  # fmt: skip


def test_the_same_key_publishes_only_once(organization, now):
    assert publish(Happened(1), patient_id=None, now=now, dedupe_key="a")
    assert not publish(Happened(1), patient_id=None, now=now, dedupe_key="a")
    assert Event.objects.count() == 1


def test_events_cannot_be_changed_or_deleted(organization, now):
    publish(Happened(1), patient_id=None, now=now)

    for statement in ("update events_event set kind = 'x'", "delete from events_event"):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            sql.execute(statement)


def test_a_reader_takes_all_events_once_and_in_order(committed_organization, now, listener):
    entry, heard = listener
    for number in range(8):
        with in_organization(committed_organization.id):
            publish(Happened(number), patient_id=None, now=now)

    while readers.run_reader(entry, committed_organization.id, now=now):
        pass

    assert [event.payload["number"] for event in heard] == list(range(8))
    assert readers.run_reader(entry, committed_organization.id, now=now) == 0


def publishing(organization_id, number):
    """Another connection in a transaction that has published an event, and is still open."""
    other = psycopg.connect(database().app.at(connection.settings_dict["NAME"]).conninfo())
    other.execute("select set_config('careloop.organization', %s, true)", [str(organization_id)])
    other.execute(
        "insert into events_event (kind, occurred_at, payload) values ('test.happened', now(), jsonb_build_object('number', %s::int))",
        [number],
    )
    return other


def read_all(entry, organization, now):
    while readers.run_reader(entry, organization.id, now=now):
        pass


def test_a_reader_waits_for_an_older_transaction_that_is_still_open(committed_organization, now, listener):
    entry, heard = listener
    with publishing(committed_organization.id, 1):
        with in_organization(committed_organization.id):
            publish(Happened(2), patient_id=None, now=now)

        read_all(entry, committed_organization, now)
        assert heard == []

    read_all(entry, committed_organization, now)
    assert sorted(event.payload["number"] for event in heard) == [1, 2]


def test_a_transaction_of_another_database_holds_up_no_reader(committed_organization, now, listener):
    entry, heard = listener
    with psycopg.connect(database().administrator().at("postgres").conninfo()) as other:
        other.execute("select pg_current_xact_id()")
        with in_organization(committed_organization.id):
            publish(Happened(1), patient_id=None, now=now)
        # nor does it let through what comes before somebody who is still writing here
        with publishing(committed_organization.id, 2):
            with in_organization(committed_organization.id):
                publish(Happened(3), patient_id=None, now=now)

            read_all(entry, committed_organization, now)
            assert [event.payload["number"] for event in heard] == [1]

        read_all(entry, committed_organization, now)
        assert [event.payload["number"] for event in heard] == [1, 2, 3]


def test_a_transaction_that_is_certain_to_be_rolled_back_holds_up_no_reader(committed_organization, now, listener):
    entry, heard = listener
    trial = publishing(committed_organization.id, 1)
    trial.execute("select pg_advisory_xact_lock_shared(%s, %s)", [settled._MARK, settled._NEVER])
    with in_organization(committed_organization.id):
        publish(Happened(2), patient_id=None, now=now)

    read_all(entry, committed_organization, now)
    assert [event.payload["number"] for event in heard] == [2]
    trial.rollback()
    trial.close()
    read_all(entry, committed_organization, now)
    assert [event.payload["number"] for event in heard] == [2]


def test_a_reader_hears_what_it_publishes_itself_while_it_passes_somebody_harmless(
    committed_organization, now, monkeypatch
):
    heard = []
    look = readers._end_of_batch

    def look_late(entry, start):
        """Somebody with a later number than this reader's transaction commits before it looks."""
        if not heard:
            with publishing(committed_organization.id, 2):
                pass
        return look(entry, start)

    @reader("test-echo", kinds=("test.happened",))
    def echo(batch):
        heard.extend(event.payload["number"] for event in batch)
        if 3 not in heard:
            publish(Happened(3), patient_id=None, now=now, dedupe_key="once")

    monkeypatch.setattr(readers, "_end_of_batch", look_late)
    try:
        with psycopg.connect(database().administrator().at("postgres").conninfo()) as other:
            other.execute("select pg_current_xact_id()")
            with in_organization(committed_organization.id):
                publish(Happened(1), patient_id=None, now=now)
            read_all(READERS["test-echo"], committed_organization, now)
        assert sorted(heard) == [1, 2, 3]
    finally:
        del READERS["test-echo"]


def test_a_reader_with_much_to_do_lets_the_others_have_a_turn(committed_organization, now, listener):
    _entry, heard = listener
    with in_organization(committed_organization.id):
        for number in range(7):
            publish(Happened(number), patient_id=None, now=now)

    passed, took = [], []
    while taken := readers.run_all(committed_organization.id, now=now, each=timedelta(0)):
        passed.append(len(heard))
        took.append(taken)

    assert passed[:3] == [3, 6, 7]  # a batch a turn, however many are waiting
    assert sum(took) == 7 * len(READERS)


def test_a_failing_reader_keeps_its_place_and_tries_later(committed_organization, now):
    @reader("test-broken", kinds=("test.happened",))
    def fail(batch):
        raise ValueError("no")

    try:
        with in_organization(committed_organization.id):
            publish(Happened(1), patient_id=None, now=now)
        assert readers.run_reader(READERS["test-broken"], committed_organization.id, now=now) == 0
        with in_organization(committed_organization.id):
            place = sql.row("select * from events_position where reader = 'test-broken'")
        assert place["event_id"] == 0
        assert place["failures"] == 1
        assert place["error"].startswith("ValueError")
        assert place["retry_at"] > now
    finally:
        del READERS["test-broken"]
