"""FHIR through the whole import: what stands in the database afterwards, and what a second import does."""

from pathlib import Path
from typing import Any

import pytest

from careloop.integrations.fhir.tests.building import (
    bundle,
    coded,
    lines,
    of_patient,
    patient,
    shared,
    tar,
    write,
)
from careloop.integrations.imports.commands import run_import
from careloop.kernel import sql
from careloop.records.selectors import counts
from careloop.tenancy.context import in_organization

#: counted too, and there before any import
OWN = {"Event", "Message", "Location"}


class Clinic:
    """A clinic of its own; imports really commit."""

    def __init__(self, organization: Any) -> None:
        self.id = organization.id

    def load(self, path: Path, **options: Any) -> dict[str, Any]:
        return run_import("fhir", path, organization=self.id, **options)

    def count(self) -> dict[str, int]:
        with in_organization(self.id):
            return {name: number for name, number in counts().items() if number and name not in OWN}

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with in_organization(self.id):
            return sql.rows(statement)


@pytest.fixture
def clinic(committed_organization: Any) -> Clinic:
    return Clinic(committed_organization)


def test_the_official_taiwanese_examples_are_imported_with_warnings_not_refusals(clinic):
    answer = clinic.load(shared("fhir-r4", "tw-core"))

    # Two examples speak of a child who is not among the examples; nobody is refused for a number.
    assert {(one["file"], one["code"]) for one in answer["refusals"]} == {
        ("Observation-obs-pediatric-bmi-age-example.json", "row.patient_unknown"),
        ("Observation-obs-pediatric-weight-height-example.json", "row.patient_unknown"),
    }
    warned = {row["code"] for row in clinic.rows("select distinct code from imports_finding where kind = 'WARNED'")}
    assert {"row.national_id_check_digit", "row.sex_contradicts_id"} <= warned
    found = clinic.count()
    assert {
        name: found[name] for name in ("Patient", "Encounter", "Procedure", "AllergyIntolerance", "RelatedPerson")
    } == {
        "Patient": 2,
        "Encounter": 1,
        "Procedure": 2,
        "AllergyIntolerance": 3,
        "RelatedPerson": 2,
    }
    assert {row["name"] for row in clinic.rows("select name from patients_patient")} == {"陳加玲", "陳曉明"}


def test_a_second_import_adds_nothing(clinic, tmp_path):
    visit = of_patient("Encounter", period={"start": "2024-01-01T09:00:00+08:00"}, type=[coded("1")])
    twice = [
        {
            **of_patient("Procedure", code=coded("2"), performedDateTime="2024-01-01T09:05:00+08:00"),
            "id": f"x{n}",
        }
        for n in "ab"
    ]
    path = write(
        tmp_path / "a.json",
        bundle(patient(), visit, *twice, of_patient("Goal", description={"text": "走路"})),
    )

    first = clinic.load(path)
    before = clinic.count()
    second = clinic.load(path)

    assert (first["refused"], first["created"]["Procedure"]) == (0, 2)
    assert clinic.count() == before
    assert (second["created"], second["updated"], second["refused"]) == ({}, {}, 0)


def test_visits_stored_before_their_patients_arrive_after_them(clinic, tmp_path):
    visits = [
        {
            **of_patient("Encounter", f"p{n % 50}", period={"start": f"2024-01-01T09:{n % 60:02d}:00Z"}),
            "id": f"e{n}",
        }
        for n in range(200)
    ]
    people = [patient(f"p{n}", name=[{"text": f"王{n}"}]) for n in range(50)]

    answer = clinic.load(
        tar(tmp_path / "a.tar.gz", {"1-encounter.ndjson": lines(visits), "2-patient.ndjson": lines(people)})
    )

    assert answer["refused"] == 0
    assert clinic.count() == {"Patient": 50, "Encounter": 200}


def test_what_is_refused_is_listed_and_the_rest_is_imported(clinic, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    write(folder / "broken.json", b'{"resourceType": "Patient", ')
    write(
        folder / "odd.json",
        bundle(patient("p2", birthDate="not a date"), of_patient("Observation", "p2", code=coded("1"))),
    )
    write(folder / "good.json", patient())

    answer = clinic.load(folder)

    assert clinic.count() == {"Patient": 1}
    listed = {(one["file"], one["line"], one["field"], one["code"]) for one in answer["refusals"]}
    assert listed == {
        ("broken.json", 1, "", "fhir.not_well_formed"),
        ("odd.json", 1, "Patient.birthDate", "fhir.not_a_date"),
        ("odd.json", 2, "patient_external_id", "row.patient_unknown"),
    }
    assert all(one["reason"] and "%" not in one["reason"] for one in answer["refusals"])


@pytest.mark.slow
def test_massachusetts_is_imported_whole_and_once(clinic):
    import json

    path = shared("synthea", "massachusetts-fhir-r4.tar.xz")
    expected = json.loads(shared("synthea", "facts.json").read_bytes())[path.name]["resources_by_type"]

    answer = clinic.load(path)

    assert answer["refused"] == 0
    found = clinic.count()
    once = {"Organization": 78, "Practitioner": 78}  # the same hospitals and doctors stand in many Bundles
    assert {name: found.get(name) for name in expected} == expected | once
    units = clinic.rows("select count(distinct unit) as units from records_observation where value_number is not null")
    assert units[0]["units"] <= 29

    again = clinic.load(path)

    assert (again["created"], again["updated"]) == ({}, {})
    assert clinic.count() == found
