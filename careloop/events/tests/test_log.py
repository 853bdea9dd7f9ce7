"""The event log: in order, once, and never for a transaction that did not happen."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.db import connection, transaction

from careloop.events import readers
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


def test_a_reader_waits_for_an_older_transaction_that_is_still_open(committed_organization, now, listener):
    entry, heard = listener
    from careloop.config.database import database

    slow = database().app.at(connection.settings_dict["NAME"])
    import psycopg

    with psycopg.connect(slow.conninfo()) as other:
        other.execute("select set_config('careloop.organization', %s, true)", [str(committed_organization.id)])
        other.execute(
            "insert into events_event (kind, occurred_at, payload) values ('test.happened', now(), '{\"number\": 1}')"
        )
        with in_organization(committed_organization.id):
            publish(Happened(2), patient_id=None, now=now)

        assert readers.run_reader(entry, committed_organization.id, now=now) == 0

    while readers.run_reader(entry, committed_organization.id, now=now):
        pass
    assert sorted(event.payload["number"] for event in heard) == [1, 2]


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
