"""The audit chain is written with the change, in one statement, and cannot be written any other way."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from careloop.audit.models import AuditEvent
from careloop.audit.services import record
from careloop.kernel import sql
from careloop.tenancy.context import in_organization, run_before_commit


def test_notes_are_numbered_without_gaps_and_chained(organization):
    record("patient.viewed", patients=[uuid4()])
    record("patient.changed", patients=[uuid4()], reason="typing mistake")
    run_before_commit()

    first, second = AuditEvent.objects.order_by("number")
    assert (first.number, second.number) == (1, 2)
    assert bytes(second.previous) == bytes(first.hash)


def test_an_event_names_a_patient_once(organization):
    patient, other = uuid4(), uuid4()

    record("patients.listed", patients=[patient, str(patient), other, patient])
    run_before_commit()

    assert AuditEvent.objects.get().patients == [patient, other]
    assert sql.value("select count(*) from audit_patient where patient_id = %s", [patient]) == 1


def test_a_list_of_fifty_patients_costs_one_statement(organization):
    record("patients.listed", patients=[uuid4() for _ in range(50)])

    with CaptureQueriesContext(
        connection,
    ) as queries:
        run_before_commit()

    assert len(queries) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "insert into audit_event (number, recorded_at, action, actor_kind, previous, hash) values (9, now(), 'x', 'x', '', '')",
        "update audit_event set action = 'x'",
        "delete from audit_event",
        "update audit_head set number = 0",
        "truncate audit_event",
    ],
)
def test_the_application_cannot_write_the_chain_itself(organization, statement):
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        sql.execute(statement)


def test_a_rolled_back_change_leaves_no_note(committed_organization):
    def fails():
        with in_organization(committed_organization.id):
            record("patient.changed")
            raise ValueError

    with pytest.raises(ValueError):
        fails()

    with in_organization(committed_organization.id):
        assert not AuditEvent.objects.exists()
