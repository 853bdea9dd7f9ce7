"""Finds the place where a resource is not built as FHIR R4 says, once a picker has stumbled over it.

Only the elements that pickers use are described. Notation: "s" text, "n" number, "b" true/false,
[x] a list of x,
{name: x} an object.
"""

from typing import Any

from careloop.integrations.fhir.errors import FhirRefusal

Shape = Any

CODING = {"system": "s", "code": "s", "display": "s"}
CONCEPT = {"coding": [CODING], "text": "s"}
PERIOD = {"start": "s", "end": "s"}
IDENTIFIER = {"use": "s", "system": "s", "value": "s", "type": CONCEPT}
REFERENCE = {"reference": "s", "type": "s", "display": "s", "identifier": IDENTIFIER}
QUANTITY = {"value": "n", "unit": "s", "system": "s", "code": "s", "comparator": "s"}
MONEY = {"value": "n", "currency": "s"}
NAME = {"use": "s", "text": "s", "family": "s", "given": ["s"]}
TELECOM = {"system": "s", "use": "s", "value": "s"}
ADDRESS = {
    "use": "s", "text": "s", "line": ["s"], "city": "s", "district": "s", "state": "s", "postalCode": "s",
    "country": "s",
    "_postalCode": {"extension": [{"url": "s", "valueCodeableConcept": CONCEPT}]},
}  # fmt: skip
NOTE = {"text": "s"}
RANGE = {"low": QUANTITY, "high": QUANTITY, "text": "s"}
ATTACHMENT = {"contentType": "s", "data": "s", "title": "s"}
DOSAGE = {
    "text": "s", "patientInstruction": "s", "doseAndRate": [{"doseQuantity": QUANTITY}],
    "timing": {
        "code": CONCEPT,
        "repeat": {"boundsPeriod": PERIOD, "frequency": "n", "period": "n", "periodUnit": "s"},
    },
}  # fmt: skip
VALUE = {
    "valueQuantity": QUANTITY, "valueCodeableConcept": CONCEPT, "valueString": "s", "valueBoolean": "b",
    "valueInteger": "n",
    "valueRange": RANGE, "valueRatio": {"numerator": QUANTITY, "denominator": QUANTITY}, "valueTime": "s",
    "valueDateTime": "s",
    "valuePeriod": PERIOD, "valueSampledData": {"data": "s"}, "dataAbsentReason": CONCEPT, "code": CONCEPT,
}  # fmt: skip
CARE = {
    "subject": REFERENCE, "patient": REFERENCE, "encounter": REFERENCE, "status": "s", "category": [CONCEPT],
    "code": CONCEPT,
    "reasonCode": [CONCEPT], "reasonReference": [REFERENCE], "note": [NOTE],
}  # fmt: skip
PERSON = {
    "identifier": [IDENTIFIER],
    "active": "b",
    "name": [NAME],
    "telecom": [TELECOM],
    "gender": "s",
    "birthDate": "s",
    "address": [ADDRESS],
}
MEDICINE = {"medicationCodeableConcept": CONCEPT, "medicationReference": REFERENCE}
BILL = {
    "patient": REFERENCE, "status": "s", "identifier": [IDENTIFIER], "created": "s", "billablePeriod": PERIOD,
    "insurance": [{"coverage": REFERENCE}], "claim": REFERENCE, "payment": {"amount": MONEY},
    "item": [{"productOrService": CONCEPT, "net": MONEY, "encounter": [REFERENCE]}],
}  # fmt: skip

SHAPES: dict[str, dict[str, Shape]] = {
    "Patient": {
        **PERSON, "deceasedBoolean": "b", "deceasedDateTime": "s", "maritalStatus": CONCEPT,
        "communication": [{"language": CONCEPT, "preferred": "b"}], "link": [{"type": "s"}],
        "contact": [{"relationship": [CONCEPT], "name": NAME, "telecom": [TELECOM], "gender": "s"}],
    },
    "RelatedPerson": {**PERSON, "patient": REFERENCE, "relationship": [CONCEPT]},
    "Practitioner": {**PERSON, "qualification": [{"code": CONCEPT}]},
    "PractitionerRole": {
        "practitioner": REFERENCE, "organization": REFERENCE, "code": [CONCEPT], "specialty": [CONCEPT],
        "telecom": [TELECOM],
        "active": "b",
    },
    "Organization": {
        "identifier": [IDENTIFIER], "type": [CONCEPT], "name": "s", "alias": ["s"], "telecom": [TELECOM],
        "address": [ADDRESS],
        "partOf": REFERENCE,
    },
    "Location": {
        "identifier": [IDENTIFIER], "name": "s", "description": "s", "alias": ["s"], "telecom": [TELECOM],
        "address": ADDRESS,
        "managingOrganization": REFERENCE,
    },
    "Medication": {"code": CONCEPT},
    "Encounter": {
        **CARE, "class": CODING, "type": [CONCEPT], "serviceType": CONCEPT, "period": PERIOD,
        "serviceProvider": REFERENCE,
        "participant": [{"type": [CONCEPT], "individual": REFERENCE}], "location": [{"location": REFERENCE}],
    },
    "Condition": {
        **CARE, "clinicalStatus": CONCEPT, "verificationStatus": CONCEPT, "severity": CONCEPT,
        "onsetDateTime": "s", "onsetPeriod": PERIOD,
        "onsetString": "s", "abatementDateTime": "s", "abatementPeriod": PERIOD, "abatementString": "s",
        "recordedDate": "s",
    },
    "AllergyIntolerance": {
        **CARE, "clinicalStatus": CONCEPT, "verificationStatus": CONCEPT, "type": "s", "category": ["s"],
        "criticality": "s",
        "recordedDate": "s", "onsetDateTime": "s", "onsetPeriod": PERIOD,
        "reaction": [{"substance": CONCEPT, "manifestation": [CONCEPT], "severity": "s"}],
    },
    "MedicationRequest": {
        **CARE, **MEDICINE, "intent": "s", "authoredOn": "s", "requester": REFERENCE,
        "dosageInstruction": [DOSAGE],
        "dispenseRequest": {
            "validityPeriod": PERIOD, "numberOfRepeatsAllowed": "n", "quantity": QUANTITY,
            "expectedSupplyDuration": QUANTITY,
        },
    },
    "MedicationStatement": {
        **CARE, **MEDICINE, "context": REFERENCE, "effectiveDateTime": "s", "effectivePeriod": PERIOD,
        "dateAsserted": "s",
        "informationSource": REFERENCE, "dosage": [DOSAGE],
    },
    "Observation": {
        **CARE, **VALUE, "effectiveDateTime": "s", "effectivePeriod": PERIOD, "effectiveInstant": "s",
        "effectiveTiming": {"event": ["s"]},
        "issued": "s", "referenceRange": [RANGE], "interpretation": [CONCEPT], "component": [VALUE],
    },
    "Procedure": {
        **CARE, "performedDateTime": "s", "performedPeriod": PERIOD, "bodySite": [CONCEPT],
        "performer": [{"actor": REFERENCE}],
    },
    "Immunization": {
        **CARE, "vaccineCode": CONCEPT, "occurrenceDateTime": "s", "occurrenceString": "s", "lotNumber": "s",
        "site": CONCEPT,
        "performer": [{"actor": REFERENCE}],
        "protocolApplied": [{"doseNumberPositiveInt": "n", "doseNumberString": "s"}],
    },
    "DiagnosticReport": {
        **CARE, "effectiveDateTime": "s", "effectivePeriod": PERIOD, "issued": "s", "conclusion": "s",
        "presentedForm": [ATTACHMENT],
        "result": [REFERENCE], "performer": [REFERENCE],
    },
    "CarePlan": {
        **CARE, "intent": "s", "title": "s", "description": "s", "period": PERIOD, "created": "s",
        "addresses": [REFERENCE],
        "activity": [{"detail": {"code": CONCEPT, "description": "s", "status": "s"}}],
    },
    "Claim": {**BILL, "total": MONEY},
    "ExplanationOfBenefit": {**BILL, "total": [{"category": CONCEPT, "amount": MONEY}]},
    "Invoice": {
        "subject": REFERENCE, "status": "s", "identifier": [IDENTIFIER], "date": "s", "totalGross": MONEY,
        "totalNet": MONEY,
        "note": [NOTE],
        "lineItem": [{"chargeItemCodeableConcept": CONCEPT, "priceComponent": [{"amount": MONEY}]}],
    },
}  # fmt: skip

NAMES = {"s": "text", "n": "number", "b": "boolean"}


def type_name(value: object) -> str:
    """Return what a JSON value is, as `fhir.expected_…` names it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def explain(resource: dict[str, Any]) -> FhirRefusal:
    """Return the refusal for a resource a picker could not read: the first place that has the wrong shape."""
    kind = resource["resourceType"]
    shape = SHAPES.get(kind, {})
    found = _differs({"id": "s", "contained": [{"id": "s"}], **shape}, resource, kind)
    return found or FhirRefusal("fhir.not_understood", kind)


def _differs(shape: Shape, value: Any, path: str) -> FhirRefusal | None:
    if isinstance(shape, str):
        expected = NAMES[shape]
        return None if type_name(value) == expected else _shape(path, expected)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _shape(path, "list")
        for place, inner in enumerate(value):
            if found := _differs(shape[0], inner, f"{path}[{place}]"):
                return found
        return None
    if not isinstance(value, dict):
        return _shape(path, "object")
    for name, inner in shape.items():
        if name in value and (found := _differs(inner, value[name], f"{path}.{name}")):
            return found
    return None


def _shape(path: str, expected: str) -> FhirRefusal:
    return FhirRefusal(f"fhir.expected_{expected}", path)
