"""Records belong to patients who exist, checked as a set, also when two transactions meet."""

import threading
import time
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Location

VISIT = "insert into records_encounter (patient_id, started_at, recorded_at) values (%s, now(), now())"
BELONGING = (
    "patients_key", "patients_identifier", "patients_contact_point", "records_encounter", "records_condition", "records_allergy",
    "records_medication", "records_observation", "records_procedure", "records_immunization", "records_report",
    "records_care_plan", "records_invoice", "records_other",
)  # fmt: skip


def make_patient() -> UUID:
    patient = uuid7()
    sql.execute(
        "insert into patients_patient (id, name, name_grams, sex, created_at, updated_at) "
        "values (%s, 'W', '{}', 'unknown', now(), now())",
        [patient],
    )
    return patient


def test_a_record_of_nobody_is_refused_at_once(organization: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(VISIT, [uuid7()])


def test_one_stranger_among_many_rows_is_enough(organization: Any) -> None:
    patient = make_patient()

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(
            "insert into patients_key (patient_id, wrapped) select unnest(%s::uuid[]), ''::bytea", [[patient, uuid7()]]
        )


def test_a_record_does_not_move_to_nobody(organization: Any) -> None:
    sql.execute(VISIT, [make_patient()])

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute("update records_encounter set patient_id = %s", [uuid7()])


def test_a_patient_with_records_stays_and_keeps_the_id(organization: Any) -> None:
    patient = make_patient()
    sql.execute(VISIT, [patient])

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute("delete from patients_patient where id = %s", [patient])
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute("update patients_patient set id = %s where id = %s", [uuid7(), patient])
    sql.execute("delete from records_encounter where patient_id = %s", [patient])
    assert sql.execute("delete from patients_patient where id = %s", [patient]) == 1


def test_the_patient_of_another_clinic_is_nobody_here(organization: Any, other_organization: Any) -> None:
    from careloop.tenancy.context import set_organization

    set_organization(other_organization.id)
    patient = make_patient()
    set_organization(organization.id)

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(VISIT, [patient])


@pytest.mark.parametrize("table", BELONGING)
def test_every_table_that_gave_up_its_foreign_key_has_the_rule(organization: Any, table: str) -> None:
    triggers = {
        row["tgname"]
        for row in sql.rows("select tgname from pg_trigger where tgrelid = %s::regclass and not tgisinternal", [table])
    }
    gone = sql.value(
        "select count(*) from pg_trigger where tgrelid = 'patients_patient'::regclass and tgname = %s",
        [f"none_left_in_{table}"],
    )

    assert {"belongs_inserted", "belongs_moved"} <= triggers
    assert gone == 1


@pytest.mark.parametrize("column", ["home_location_id", "merged_into_id"])
def test_nobody_points_at_what_is_not_there(organization: Any, column: str) -> None:
    patient = make_patient()

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(f"update patients_patient set {column} = %s where id = %s", [uuid7(), patient])
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(
            f"insert into patients_patient (id, name, name_grams, sex, created_at, updated_at, {column}) "
            "values (%s, 'W', '{}', 'unknown', now(), now(), %s)",
            [uuid7(), uuid7()],
        )


@pytest.mark.parametrize("column", ["home_location_id", "merged_into_id"])
def test_what_is_pointed_at_stays(organization: Any, column: str) -> None:
    patient, survivor = make_patient(), make_patient()
    location = Location.objects.create(name="B").id
    target, table = (location, "tenancy_location") if column == "home_location_id" else (survivor, "patients_patient")
    sql.execute(f"update patients_patient set {column} = %s where id = %s", [target, patient])

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute(f"delete from {table} where id = %s", [target])
    sql.execute(f"update patients_patient set {column} = null where id = %s", [patient])
    assert sql.execute(f"delete from {table} where id = %s", [target]) == 1


def test_who_was_merged_may_go_together_with_the_survivor(organization: Any) -> None:
    patient, survivor = make_patient(), make_patient()
    sql.execute("update patients_patient set merged_into_id = %s where id = %s", [survivor, patient])

    assert sql.execute("delete from patients_patient where id = any(%s)", [[patient, survivor]]) == 2


def wait_until_somebody_waits_for_us() -> None:
    """Return once another connection waits for a lock that this transaction holds."""
    deadline = time.monotonic() + 30
    # not pg_stat_activity: a transaction sees the picture of its first look until its end
    while not sql.value(
        "select count(*) from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"
    ):
        assert time.monotonic() < deadline, "nobody came to wait"
        time.sleep(0.01)


@pytest.mark.slow
def test_who_is_pointed_at_meanwhile_is_not_deleted(committed_organization: Any) -> None:
    with in_organization(committed_organization.id):
        patient, survivor = make_patient(), make_patient()
    said: list[str] = []

    def delete() -> None:
        try:
            with in_organization(committed_organization.id):
                sql.execute("delete from patients_patient where id = %s", [survivor])
            said.append("deleted")
        except IntegrityError:
            said.append("refused")
        finally:
            connection.close()

    other = threading.Thread(target=delete)
    with in_organization(committed_organization.id):
        sql.execute("update patients_patient set merged_into_id = %s where id = %s", [survivor, patient])
        other.start()
        wait_until_somebody_waits_for_us()
        assert said == []
    other.join(10)

    assert said == ["refused"]


@pytest.mark.slow
def test_a_record_written_while_its_patient_is_deleted_is_refused(committed_organization: Any) -> None:
    with in_organization(committed_organization.id):
        patient = make_patient()
    said: list[str] = []

    def write() -> None:
        try:
            with in_organization(committed_organization.id):
                sql.execute(VISIT, [patient])
            said.append("written")
        except IntegrityError:
            said.append("refused")
        finally:
            connection.close()

    other = threading.Thread(target=write)
    with in_organization(committed_organization.id):
        sql.execute("delete from patients_patient where id = %s", [patient])
        other.start()
        wait_until_somebody_waits_for_us()
        assert said == []  # it waits for us
    other.join(10)

    assert said == ["refused"]
