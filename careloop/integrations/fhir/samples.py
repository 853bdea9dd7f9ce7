"""Made-up Bundles for benches and tests: what a clinic's export holds, in the proportions of the Synthea archive."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def bundle(number: int, visits: int) -> dict[str, Any]:
    """Return one patient with `visits` visits, each with findings, a diagnosis, a prescription and a bill."""
    name = f"urn:uuid:{_id(number, 0)}"
    entries = [_entry(_patient(number))]
    for visit in range(1, visits + 1):
        entries += [_entry(one) for one in _visit(number, name, visit)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _id(number: int, place: int) -> str:
    return str(UUID(int=(number << 64) | place | 0x4000_8000_0000_0000_0000))


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    request = {"method": "POST", "url": one["resourceType"]}
    return {"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "request": request}


def _coded(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _patient(number: int) -> dict[str, Any]:
    record = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    return {
        "resourceType": "Patient",
        "id": _id(number, 0),
        "identifier": [{"type": record, "system": "https://clinic.example.tw", "value": f"{number:08d}"}],
        "name": [{"use": "official", "text": f"陳小{number % 97}", "family": "Chen", "given": ["Hsiao"]}],
        "telecom": [{"system": "phone", "use": "mobile", "value": f"09{number % 10**8:08d}"}],
        "gender": "female" if number % 2 else "male",
        "birthDate": f"{1940 + number % 80}-0{1 + number % 9}-1{number % 10}",
        "address": [{"use": "home", "text": "臺北市大同區承德路三段210號", "city": "臺北市", "district": "大同區"}],
    }


def _visit(number: int, patient: str, visit: int) -> Iterator[dict[str, Any]]:
    snomed, loinc = "http://snomed.info/sct", "http://loinc.org"
    start = datetime(2020, 1, 1, 9, tzinfo=ZoneInfo("Asia/Taipei")) + timedelta(days=30 * visit + number % 30)
    at = start.isoformat()
    period = {"start": at, "end": (start + timedelta(minutes=15)).isoformat()}
    ids = (_id(number, visit * 100 + place) for place in range(100))
    encounter = next(ids)
    care = {"subject": {"reference": patient}, "encounter": {"reference": f"urn:uuid:{encounter}"}}
    checkup = _coded(snomed, "185349003", "Encounter for check up (procedure)")
    yield {
        "resourceType": "Encounter", "id": encounter, "status": "finished", "subject": care["subject"],
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [checkup], "period": period,
        "participant": [{"individual": {"reference": "Practitioner?identifier=npi|1", "display": "王依昇"}}],
    }  # fmt: skip
    category = [_coded("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "laboratory")]
    tests = (
        ("2339-0", "Glucose", "mg/dL"),
        ("4548-4", "HbA1c", "%"),
        ("29463-7", "Weight", "kg"),
        ("8302-2", "Height", "cm"),
    )
    for code, display, unit in tests:
        value = {
            "value": 50 + (number * visit) % 90 + 0.5,
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        }
        yield {
            "resourceType": "Observation", "id": next(ids), "status": "final", "category": category, **care,
            "code": _coded(loinc, code, display), "effectiveDateTime": at, "issued": at,
            "valueQuantity": value,
        }  # fmt: skip
    pressure = [
        {
            "code": _coded(loinc, code, display),
            "valueQuantity": {"value": value, "unit": "mmHg", "code": "mm[Hg]"},
        }
        for code, display, value in (("8480-6", "Systolic", 128), ("8462-4", "Diastolic", 82))
    ]
    yield {
        "resourceType": "Observation", "id": next(ids), "status": "final", "category": category, **care,
        "code": _coded(loinc, "85354-9", "Blood Pressure"), "effectiveDateTime": at, "component": pressure,
    }  # fmt: skip
    yield {
        "resourceType": "Condition", "id": next(ids), **care, "onsetDateTime": at, "recordedDate": at,
        "clinicalStatus": {"coding": [{"system": f"{TERMINOLOGY}/condition-clinical", "code": "active"}]},
        "code": _coded("http://hl7.org/fhir/sid/icd-10", "E11.9", "Type 2 diabetes"),
    }  # fmt: skip
    yield {
        "resourceType": "MedicationRequest", "id": next(ids), "status": "active", "intent": "order", **care,
        "authoredOn": at,
        "medicationCodeableConcept": _coded(RXNORM, "860975", "Metformin 500 MG"),
        "dosageInstruction": [{"text": "三餐飯後"}], "dispenseRequest": {"numberOfRepeatsAllowed": 2},
    }  # fmt: skip
    yield {
        "resourceType": "Procedure", "id": next(ids), "status": "completed", **care,
        "performedPeriod": period,
        "code": _coded(snomed, "430193006", "Medication reconciliation"),
    }  # fmt: skip
    yield {
        "resourceType": "Claim", "id": next(ids), "status": "active", "use": "claim",
        "patient": care["subject"], "created": at,
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "健保"}}],
        "item": [{"sequence": 1, "productOrService": checkup, "encounter": [care["encounter"]]}],
        "total": {"value": 550, "currency": "TWD"},
    }  # fmt: skip
