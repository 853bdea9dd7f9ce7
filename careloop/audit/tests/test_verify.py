"""`careloop audit verify` finds an edit, a deletion, a reorder, a cut-off end and a forged head, even made by a superuser."""

import json
import time
from datetime import date
from uuid import UUID

import orjson
import psycopg
import pytest

from careloop.audit import selectors, verify
from careloop.audit.services import record
from careloop.config.database import database
from careloop.kernel import sql
from careloop.kernel.ids import rising_uuid7s, uuid7
from careloop.tenancy.context import in_organization


@pytest.fixture
def admin(lasting_database):
    """A superuser's connection: what somebody who broke into the database server has."""
    with psycopg.connect(database().administrator().at(lasting_database).conninfo(), autocommit=True) as made:
        yield made


@pytest.fixture
def chain(committed_organization):
    """Ten entries of one organization, really committed."""
    with in_organization(committed_organization.id):
        for number in range(10):
            record("patient.viewed", reason=f"reason {number}")
    return committed_organization


def report_of(organization):
    with in_organization(organization.id):
        return verify.verify_chain(organization.id)


def test_an_untouched_chain_is_whole(chain):
    assert report_of(chain) == {"whole": True, "entries": 10, "faults": []}


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("update audit_event set reason = 'nothing' where organization_id = %(o)s and number = 4", "entry 4 was changed"),
        ("update audit_event set actor_name = 'somebody else' where organization_id = %(o)s and number = 10", "entry 10 was changed"),
        ("update audit_event set recorded_at = recorded_at - interval '1 day' where organization_id = %(o)s and number = 2",
         "entry 2 was changed"),
        ("delete from audit_event where organization_id = %(o)s and number = 4", "entry 4 is missing"),
        ("delete from audit_event where organization_id = %(o)s and number = 1", "entry 1 is missing"),
        ("delete from audit_event where organization_id = %(o)s and number > 7", "the head says 10 entries, the chain has 7"),
        ("delete from audit_head where organization_id = %(o)s", "the head of the chain is missing"),
        ("update audit_head set number = 12 where organization_id = %(o)s", "the head says 12 entries"),
        ("delete from audit_event where organization_id = %(o)s", "the head says 10 entries, the chain has 0"),
    ],
)  # fmt: skip
def test_what_was_done_behind_the_programs_back_is_found(admin, chain, statement, fault):
    admin.execute(statement, {"o": chain.id})

    report = report_of(chain)

    assert not report["whole"]
    assert any(fault in found for found in report["faults"]), report["faults"]


def test_two_entries_that_changed_places_are_found(admin, chain):
    for before, after in ((4, -5), (5, 4), (-5, 5)):
        admin.execute(
            "update audit_event set number = %s where organization_id = %s and number = %s", [after, chain.id, before]
        )

    assert not report_of(chain)["whole"]


def test_an_end_cut_off_together_with_its_head_is_found_by_the_head_kept_outside(admin, chain):
    with in_organization(chain.id):
        assert verify.keep_head_outside(chain.id, today=date(2026, 3, 16))
        assert not verify.keep_head_outside(chain.id, today=date(2026, 3, 16))
    _cut(admin, chain, at=7)

    report = report_of(chain)

    assert report["faults"] == ["on 2026-03-16 there were 10 entries (file), now there are 7"]


def test_a_chain_written_anew_from_the_middle_does_not_lead_to_the_head_kept_outside(admin, chain):
    """Whoever can run the program's own function could write another history; the kept head tells them apart."""
    with in_organization(chain.id):
        verify.keep_head_outside(chain.id, today=date(2026, 3, 16))
    _cut(admin, chain, at=7)
    with in_organization(chain.id):
        for _number in range(5):
            record("patient.viewed", reason="another history")

    assert report_of(chain)["faults"] == ["the chain no longer leads to the head of 2026-03-16 (file)"]


def _cut(admin, organization, *, at):
    admin.execute("delete from audit_event where organization_id = %s and number > %s", [organization.id, at])
    admin.execute(
        """update audit_head set number = e.number, hash = e.hash from audit_event e
            where e.organization_id = audit_head.organization_id and e.number = %s and e.organization_id = %s
              and audit_head.day is null""",
        [at, organization.id],
    )


def test_the_first_entry_of_a_day_keeps_yesterdays_head_in_the_database(admin, chain):
    admin.execute(
        "update audit_head set recorded_at = recorded_at - interval '1 day' where organization_id = %s", [chain.id]
    )
    with in_organization(chain.id):
        record("patient.viewed")

    with in_organization(chain.id):
        kept = sql.row("select number, hash from audit_head where day is not null")
    assert kept["number"] == 10
    assert report_of(chain) == {"whole": True, "entries": 11, "faults": []}
    admin.execute("update audit_head set hash = '\\x00' where organization_id = %s and day is not null", [chain.id])
    assert not report_of(chain)["whole"]


@pytest.mark.slow
def test_a_hundred_thousand_entries_are_checked_within_seconds(committed_organization):
    batch = orjson.dumps(
        [
            {
                "recorded_at": "2026-03-16T02:00:00+00:00",
                "action": "patient.viewed",
                "actor_kind": "staff",
                "patients": [],
            }
        ]
        * 10_000
    ).decode()
    for _number in range(10):
        with in_organization(committed_organization.id):
            sql.value("select audit_append(%s::jsonb)", [batch])

    began = time.perf_counter()
    report = report_of(committed_organization)

    assert report == {"whole": True, "entries": 100_000, "faults": []}
    assert time.perf_counter() - began < 15


def test_the_command_says_so_in_json_and_by_its_exit_code(admin, chain, capsys, monkeypatch):
    from careloop.cli.main import main

    monkeypatch.setattr("careloop.cli.main._set_up", lambda options: None)

    assert main(["audit", "verify", "--json", "--organization", chain.slug]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["whole"] is True
    assert answer["organizations"][chain.slug]["entries"] == 10

    admin.execute("update audit_event set reason = '' where organization_id = %s and number = 3", [chain.id])
    assert main(["audit", "verify", "--json", "--organization", chain.slug]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert "entry 3 was changed" in answer["organizations"][chain.slug]["faults"]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("delete from audit_patient where organization_id = %(o)s and number = 11", "entry 11 is not found by a patient whom it names"),
        ("update audit_patient set patient_id = gen_random_uuid() where organization_id = %(o)s and number = 11", "entry 11 is found by a patient whom it does not name"),
        ("insert into audit_patient (organization_id, patient_id, number) select organization_id, patient_id, 3 from audit_patient where organization_id = %(o)s and number = 11",
         "entry 3 is found by a patient whom it does not name"),
    ],
)  # fmt: skip
def test_an_entry_hidden_from_those_who_look_for_the_patient_is_found(admin, chain, statement, fault):
    with in_organization(chain.id):
        record("patient.viewed", patients=[uuid7(), uuid7()])
    assert report_of(chain) == {"whole": True, "entries": 11, "faults": []}

    admin.execute("set session_replication_role = replica")
    changed = admin.execute(statement, {"o": chain.id}).rowcount

    assert changed
    assert fault in report_of(chain)["faults"]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from audit_span where organization_id = %(o)s",
        "update audit_span set last_patient = first_patient where organization_id = %(o)s",
        "update audit_span set first_patient = gen_random_uuid() where organization_id = %(o)s",
        "update audit_span set number = 3 where organization_id = %(o)s",
    ],
)
def test_a_set_of_patients_is_one_span_and_a_false_one_is_found(admin, chain, statement):
    drawn, _raws = rising_uuid7s(600)
    with in_organization(chain.id):
        record("import.chunk_written", patients=drawn)
    with in_organization(chain.id):
        assert sql.value("select count(*) from audit_patient") == 0
        assert [len(selectors.seen_by(UUID(one))) for one in (drawn[0], drawn[300], drawn[-1])] == [1, 1, 1]
        within = UUID(int=UUID(drawn[300]).int + 1)
        assert selectors.seen_by(within) == []
    assert report_of(chain) == {"whole": True, "entries": 11, "faults": []}

    admin.execute("set session_replication_role = replica")
    assert admin.execute(statement, {"o": chain.id}).rowcount

    assert "entry 11 is not found by a patient whom it names" in report_of(chain)["faults"]


def test_many_patients_who_were_not_drawn_together_are_found_one_by_one(chain):
    patients = [uuid7() for _number in range(600)]
    with in_organization(chain.id):
        record("patient.listed", patients=patients)
    with in_organization(chain.id):
        assert sql.value("select count(*) from audit_span") == 0
        assert len(selectors.seen_by(patients[77])) == 1
