"""Whatever is in a document, it ends in rows or in refusals with a reason; nothing else ever comes out."""

import copy
import json
import random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.integrations.fhir.documents import parse
from careloop.integrations.fhir.limits import Limits
from careloop.integrations.fhir.loading import PICKERS, SCALARS, Mapper, Report
from careloop.integrations.fhir.reasons import REASONS
from careloop.integrations.fhir.samples import bundle as clinic_bundle
from careloop.integrations.fhir.shapes import SHAPES
from careloop.integrations.fhir.tests.building import NOW, TAIPEI, coded, of_patient, patient

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2024-01-01", "Patient/p1", "x\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)

RICH: list[dict[str, Any]] = [
    entry["resource"] for entry in clinic_bundle(1, 1)["entry"]
] + [
    patient(
        contact=[{"name": {"text": "a"}, "telecom": [{"value": "1"}]}],
        link=[{"type": "replaced-by"}],
        communication=[{"language": coded("zh")}],
        deceasedDateTime="2024",
    ),
    of_patient("RelatedPerson", name=[{"text": "a"}], relationship=[coded("MTH")], birthDate="1999-01-01"),
    of_patient("AllergyIntolerance", code=coded("1"), reaction=[{"manifestation": [coded("2")], "severity": "mild"}], note=[{"text": "a"}]),
    of_patient("Immunization", vaccineCode=coded("1"), occurrenceDateTime="2024", protocolApplied=[{"doseNumberPositiveInt": 1}], site=coded("1")),
    of_patient("DiagnosticReport", code=coded("1"), presentedForm=[{"contentType": "text/plain", "data": "5ZC2"}], result=[{"reference": "a"}]),
    of_patient("CarePlan", category=[coded("1")], period={"start": "2024"}, activity=[{"detail": {"code": coded("1")}}], addresses=[{"reference": "Condition/1"}]),
    of_patient("MedicationStatement", medicationReference={"reference": "#m"}, contained=[{"id": "m", "code": coded("1")}], dosage=[{"text": "a"}]),
    of_patient("Invoice", date="2024", totalNet={"value": 1}, lineItem=[{"chargeItemCodeableConcept": coded("1"), "priceComponent": [{"amount": {"value": 1}}]}]),
    of_patient("Claim", created="2024", total={"value": 1}, item=[{"encounter": [{"reference": "a"}], "net": {"value": 1}}]),
    {"resourceType": "ExplanationOfBenefit", "id": "e", "patient": {"reference": "Patient/p1"}, "created": "2024", "payment": {"amount": {"value": 1}}, "total": [{"amount": {"value": 2}}]},
    {"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/1", "display": "a"}, "specialty": [coded("1")]},
    {"resourceType": "Location", "id": "l", "name": "a", "address": {"text": "b"}, "managingOrganization": {"reference": "Organization/1"}},
    of_patient("Goal", description={"text": "a"}),
    of_patient("Device", deviceName=[{"name": "a"}], period={"end": "2024"}, quantity={"value": 1}),
]  # fmt: skip


def check(document: Any) -> None:
    """Map a document and check that everything in it ended in one of the three ways."""
    report = Report()
    mapper = Mapper(zone=TAIPEI, now=NOW, report=report)
    mapper.take(parse(bytearray(json.dumps(document).encode()), "x.json", Limits()))
    for chunk in mapper.chunks(0):
        for row in chunk.rows:
            assert len(row) == len(chunk.kind.columns)
            assert SCALARS.issuperset(map(type, row))
            assert not any("\0" in value for value in row if isinstance(value, str))
            for column, value in zip(chunk.kind.columns, row, strict=True):
                assert value not in (None, "") or not column.required, (chunk.kind.name, column.name)
        for found in (*chunk.refused, *chunk.warned):
            assert found.code in REASONS
            assert str(REASONS[found.code]) % {**found.values}
    assert report.read == report.kept + report.refused + report.not_kept


def mutate(value: Any, rng: random.Random, odd: Any) -> Any:
    """Put something else in one place somewhere below a value, or take something away."""
    value = copy.deepcopy(value)
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return value
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.75:
            place = inner
            continue
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = odd
        return value


@settings(max_examples=600)
@given(st.sampled_from(RICH), JSON, st.randoms(use_true_random=False))
def test_one_odd_value_anywhere_is_refused_or_kept(resource, odd, rng):
    check({"resourceType": "Bundle", "entry": [{"resource": mutate(resource, rng, odd)}]})


@settings(max_examples=300)
@given(st.sampled_from([*sorted(PICKERS), "ExplanationOfBenefit", "Goal", "Media"]), st.data())
def test_any_value_in_any_field_is_refused_or_kept(kind, data):
    fields = [
        *SHAPES.get(kind, {"subject": {}, "code": {}, "period": {}, "status": "s", "participant": []}),
        "id",
        "contained",
    ]
    content = data.draw(st.dictionaries(st.sampled_from(fields), JSON, max_size=4))

    check(
        {
            **of_patient(kind, code=coded("1"), period={"start": "2024"}, name=[{"text": "a"}]),
            **content,
            "resourceType": kind,
        }
    )


@settings(max_examples=200)
@given(JSON)
def test_any_json_at_all_is_refused_or_kept(value):
    check(value)
    check({"resourceType": "Bundle", "entry": value})
    check(
        {
            "resourceType": "Bundle",
            "entry": [{"fullUrl": value, "resource": {"resourceType": "Patient", "id": value}}],
        }
    )


@settings(max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_bytes_are_refused_or_kept(noise, place):
    content = bytearray(orjson.dumps(clinic_bundle(1, 1)))
    content[place : place + len(noise) // 2] = noise

    for limits in (Limits(), Limits(split_bytes=1)):
        mapper = Mapper(zone=TAIPEI, now=NOW, report=Report())
        mapper.take(parse(bytearray(content), "x.json", limits))
        assert all(found.code in REASONS for chunk in mapper.chunks(0) for found in chunk.refused)


def test_every_example_is_good_before_it_is_changed():
    for resource in RICH:
        mapper = Mapper(zone=TAIPEI, now=NOW, report=Report())
        mapper.take(parse(bytearray(orjson.dumps(resource)), "x.json", Limits()))
        assert not mapper.refused, mapper.refused


def test_a_key_is_never_taken_for_a_text():
    check({**of_patient("AllergyIntolerance", code=coded("1")), "category": {"\0": None}})
