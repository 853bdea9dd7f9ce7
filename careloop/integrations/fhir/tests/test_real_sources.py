"""The shared sources: Synthea's patients, official examples, the reference validator's cases, hostile text."""

import csv
import json
from collections import Counter

import orjson
import pytest

from careloop.integrations.fhir.tests.building import Loaded, bundle, load, patient, shared, write
from careloop.integrations.imports.natural_keys import natural_key

#: FHIR type → the kind of row that must be there as often; what is not here ends in `other`.
KINDS = {
    "Patient": "patient",
    "Encounter": "encounter",
    "Condition": "condition",
    "Observation": "observation",
    "Procedure": "procedure",
    "Immunization": "immunization",
    "DiagnosticReport": "report",
    "MedicationRequest": "medication",
    "AllergyIntolerance": "allergy",
    "CarePlan": "care_plan",
    "Claim": "invoice",
}
FROM_HOSPITAL_BUNDLES = {"Organization", "Location", "Practitioner", "PractitionerRole"}


def facts(name: str) -> dict:
    return json.loads(shared("synthea", "facts.json").read_bytes())[name]


@pytest.fixture(scope="module")
def massachusetts() -> Loaded:
    return load(shared("synthea", "massachusetts-fhir-r4.tar.xz"))


@pytest.fixture(scope="module")
def pair() -> Loaded:
    return load(shared("synthea", "pair-fhir-r4.tar.xz"))


@pytest.mark.parametrize("name", ["massachusetts", "pair"])
def test_every_resource_of_synthea_is_kept(name, request):
    loaded: Loaded = request.getfixturevalue(name)
    expected = facts(f"{name}-fhir-r4.tar.xz")["resources_by_type"]

    assert loaded.reasons() == []
    read = {
        kind: count
        for kind, count in loaded.report.read.items()
        if kind in expected or kind not in FROM_HOSPITAL_BUNDLES
    }
    assert read == expected
    for kind, rows in KINDS.items():
        assert len(loaded.rows.get(rows, [])) == expected.get(kind, 0), kind
    others = Counter(row["resource_type"] for row in loaded.rows["other"])
    for kind, count in expected.items():
        if kind not in KINDS and kind not in FROM_HOSPITAL_BUNDLES:
            assert others[kind] + loaded.report.not_kept[kind] == count, kind


def test_synthea_figures_equal_the_facts(massachusetts):
    expected = facts("massachusetts-fhir-r4.tar.xz")
    observations = massachusetts.rows["observation"]
    components = [orjson.loads(row["components"]) for row in observations if row["components"]]
    quantities = [(row["value_number"], row["unit"]) for row in observations if row["value_number"] is not None]
    quantities += [
        (part["number"], part["unit"]) for parts in components for part in parts if part["number"] is not None
    ]

    assert Counter(row["sex"] for row in massachusetts.rows["patient"]) == expected["patients_gender"]
    assert sum(row["deceased"] is True for row in massachusetts.rows["patient"]) == expected["patients_deceased"]
    assert Counter(row["class_code"] for row in massachusetts.rows["encounter"]) == expected["encounters_by_class"]
    assert len({row["code"] for row in observations}) == expected["observation_codes_distinct"]
    assert sum(map(len, components)) == expected["observation_components"]
    assert len(quantities) == expected["observation_quantities"]
    assert Counter(unit or "" for _number, unit in quantities) == expected["observation_units"]
    assert (
        Counter(row["clinical_status"] for row in massachusetts.rows["condition"])
        == expected["conditions_by_clinical_status"]
    )
    assert (
        Counter(row["status"] for row in massachusetts.rows["medication"]) == expected["medication_requests_by_status"]
    )


def test_every_reference_of_the_pair_leads_somewhere(pair):
    doctors = {row["external_id"] for row in pair.rows["practitioner"]}
    organizations = {row["external_id"] for row in pair.rows["organization"]}
    visits = {row["external_id"] for row in pair.rows["encounter"]}

    assert {row["practitioner_external_id"] for row in pair.rows["encounter"]} <= doctors
    assert {row["organization_external_id"] for row in pair.rows["encounter"]} <= organizations
    for kind in (
        "condition",
        "medication",
        "observation",
        "procedure",
        "immunization",
        "report",
        "care_plan",
        "invoice",
    ):
        assert {row["encounter_external_id"] for row in pair.rows[kind]} <= visits, kind
    assert all(row["practitioner_name"] for row in pair.rows["encounter"])
    assert all(row["code"] and row["start"] for row in pair.rows["medication"])


def test_the_pair_meets_its_tables_under_the_natural_key(pair, tmp_path):
    import io
    import zipfile

    archive = zipfile.ZipFile(shared("synthea", "pair-csv.zip"))

    def table(name: str) -> list[dict[str, str]]:
        (member,) = (found for found in archive.namelist() if found.endswith(f"{name}.csv"))
        return list(csv.DictReader(io.TextIOWrapper(archive.open(member), "utf-8")))

    people = {row["external_id"] for row in pair.rows["patient"]}
    assert len(people) == 33
    assert people <= {row["Id"] for row in table("patients")}
    zone = __import__("zoneinfo").ZoneInfo("Asia/Taipei")
    for name, kind, start, time in (
        ("encounters", "encounter", "START", "start"),
        ("conditions", "condition", "START", "onset"),
        ("immunizations", "immunization", "DATE", "occurrence"),
        ("procedures", "procedure", "START", "start"),
        ("medications", "medication", "START", "start"),
        ("careplans", "care_plan", "START", "start"),
        ("allergies", "allergy", "START", "recorded"),
    ):
        from_table = Counter(
            (row["PATIENT"], natural_key(kind, code=row["CODE"], written=row[start], zone=zone))
            for row in table(name)
            if row["PATIENT"] in people
        )
        from_fhir = Counter(
            (row["patient_external_id"], natural_key(kind, code=row["code"], written=row[time], zone=zone))
            for row in pair.rows[kind]
        )
        assert from_fhir == from_table, name


def test_the_official_taiwanese_examples_load_with_warnings():
    loaded = load(shared("fhir-r4", "tw-core"))

    assert loaded.reasons() == []
    adult = next(row for row in loaded.rows["patient"] if row["external_id"] == "pat-example")
    assert (adult["name"], adult["national_id"], adult["sex"], adult["chart_number"]) == (
        "陳加玲",
        "A123456789",
        "female",
        "8862168",
    )
    assert (adult["postal_code"], adult["city"], adult["district"]) == ("103", "臺北市", "大同區")
    assert set(loaded.doubts()) == {"fhir.not_kept"}
    expected = json.loads(shared("fhir-r4", "facts.json").read_bytes())["tw-core"]
    whole = Counter(expected["by_type"]) + Counter(expected["resources_inside_bundles"])
    del whole["Bundle"]
    assert loaded.report.read == whole
    assert {row["name"] for row in loaded.rows["related_person"]} == {"李立偉", "陳簡伊"}


def test_the_official_hl7_examples_are_kept_refused_or_counted():
    loaded = load(shared("fhir-r4", "hl7-examples.zip"))

    report = loaded.report
    assert report.read == report.kept + report.refused + report.not_kept
    assert set(loaded.reasons()) == {"fhir.no_patient", "fhir.missing", "fhir.no_code"}
    assert report.read["Patient"] == report.kept["Patient"] == 31
    assert len(loaded.refused) == report.refused.total() < 0.1 * report.read.total()


def test_the_validators_cases_are_refused_with_reasons_or_kept():
    with shared("fhir-r4", "validator-cases", "expected.csv").open(encoding="utf-8") as table:
        expected = list(csv.DictReader(table))
    loaded = load(shared("fhir-r4", "validator-cases"))

    broken = {row["file"] for row in expected if row["parses_as_json"] == "no"}
    found = {refused.part: refused for refused in loaded.refused if refused.code == "fhir.not_well_formed"}
    assert len(broken) == 4
    assert set(found) == broken
    assert found["bad-json-close-2.json"].field == "entry[0].resource.name[0].given"
    assert all(refused.values["row"] > 1 and refused.values["what"] for refused in found.values())
    # What the reference validator finds no fault with is not refused either, but for two versions of one resource.
    good = {row["file"] for row in expected if row["reference_errors"] == "0"}
    assert {refused.part for refused in loaded.refused} & good <= {
        "bundle-document-versioned-references-good.json",
        "sct-version-issue.json",
    }


def test_hostile_text_comes_out_as_it_went_in(tmp_path):
    texts = [
        *orjson.loads(shared("hostile-text", "big-list-of-naughty-strings.json").read_bytes()),
        *shared("hostile-text", "xss-payloads.txt").read_text("utf-8").splitlines(),
    ]
    clinic = orjson.loads(shared("hostile-text", "clinic-strings.json").read_bytes())
    texts += clinic
    texts = [text for text in texts if text.replace("\0", "").strip()]
    people = [patient(f"p{place}", name=[{"text": text}]) for place, text in enumerate(texts)]

    loaded = load(write(tmp_path / "a.json", bundle(*people)))

    assert loaded.reasons() == []
    assert [row["name"] for row in loaded.rows["patient"]] == [text.replace("\0", "").strip() for text in texts]
