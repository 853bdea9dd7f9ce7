"""Everything the product has no page for: one line on the patient's timeline or in the directory."""

from typing import Any

from careloop.integrations.fhir.medicines import dosage, medicine
from careloop.integrations.fhir.reading import (
    Coded,
    Reading,
    code_of,
    codeable,
    joined,
    number,
    unit_of,
    words_of,
)
from careloop.integrations.fhir.references import Resource
from careloop.integrations.imports.rows import Row

#: Where resources say whom they are about, most usual first.
ABOUT = (
    "subject",
    "patient",
    "beneficiary",
    "for",
    "individual",
    "target",
    "participant",
    "recipient",
    "agent",
    "entity",
)
#: Where they say what they are, when it began, and what is written on them.
CODES = (
    "code",
    "type",
    "vaccineCode",
    "procedureCode",
    "eventCoding",
    "serviceType",
    "suppliedItem",
    "appointmentType",
)
TIMES = (
    "effectiveDateTime", "effectivePeriod", "occurrenceDateTime", "occurrencePeriod", "whenHandedOver",
    "whenPrepared",
    "started", "start", "startDate", "performedDateTime", "period", "authored", "authoredOn", "date",
    "dateTime", "sent",
    "created", "createdDateTime", "collectedDateTime", "recorded", "receivedTime", "issued", "statusDate",
)  # fmt: skip
TEXTS = ("title", "description", "name", "conclusion", "summary", "comment")


#: What is no record of anything in a clinic: messages between programs, definitions, terminology, wrappers.
NOT_KEPT = frozenset(
    {
        "ActivityDefinition", "Basic", "Binary", "Bundle", "CapabilityStatement", "ChargeItemDefinition",
        "CodeSystem",
        "CompartmentDefinition", "ConceptMap", "EventDefinition", "EvidenceVariable", "ExampleScenario",
        "GraphDefinition",
        "ImplementationGuide", "Library", "Linkage", "Measure", "MessageDefinition", "MessageHeader",
        "NamingSystem",
        "ObservationDefinition", "OperationDefinition", "OperationOutcome", "Parameters", "PlanDefinition",
        "Questionnaire",
        "ResearchDefinition", "ResearchElementDefinition", "SearchParameter", "SpecimenDefinition",
        "StructureDefinition",
        "StructureMap", "Subscription", "TerminologyCapabilities", "TestReport", "TestScript", "ValueSet",
    }
)  # fmt: skip


def other(at: Reading, r: Resource) -> Row | None:
    """Return one line: on the patient's timeline, or in the directory if it is about no patient."""
    kind = r["resourceType"]
    patient_id = _about(at, r)
    if patient_id is None and kind in NOT_KEPT:
        return None
    if kind == "Medication" and at.rid is not None and len(at.directory.medications) < at.directory.limit:
        # Prescriptions in other documents may refer to it.
        at.directory.medications[at.rid] = codeable(r.get("code"))
    if "medicationCodeableConcept" in r or "medicationReference" in r:
        system, code, display = medicine(at, r)
    else:
        system, code, display = _code(r)
    value = unit = None
    quantity = r.get("quantity")
    if kind == "ExplanationOfBenefit":
        payment = (r.get("payment") or {}).get("amount")
        if payment:
            value, unit = (
                number(payment.get("value"), f"{kind}.payment.amount.value"),
                payment.get("currency"),
            )
    elif type(quantity) is dict:
        value, unit = number(quantity.get("value"), f"{kind}.quantity.value"), unit_of(quantity)
    encounter = r.get("encounter") or r.get("context")
    start = at.first_time(kind, *TIMES)
    end = (
        r.get("end")
        if type(r.get("end")) is str
        else (r.get("period") or {}).get("end")
        if type(r.get("period")) is dict
        else None
    )
    return (
        at.part, at.line, at.rid, kind, patient_id, _encounter(at, encounter),
        _status(r), _category(r.get("category")), system, code, display,
        start, at.when(end, f"{kind}.period.end"), value, unit, _text(r),
    )  # fmt: skip


def _about(at: Reading, r: Resource) -> str | None:
    for name in ABOUT:
        found = r.get(name)
        if found is None:
            continue
        for reference in found if type(found) is list else (found,):
            if type(reference) is not dict:
                continue
            # Participants, agents and entities wrap the reference.
            for inside in (reference, reference.get("actor"), reference.get("who"), reference.get("what")):
                if type(inside) is not dict or "reference" not in inside:
                    continue
                target = at.target(inside)
                # A bare id is a patient only where the name of the field says so.
                if target and (target.type == "Patient" or (not target.type and name in ABOUT[:3])):
                    return target.id or None
    return None


def _encounter(at: Reading, found: Any) -> str | None:
    """Return the encounter: `encounter`, or `context`, which may hold a list of them."""
    if type(found) is list:
        found = found[0] if found else None
    if type(found) is not dict:
        return None
    if "encounter" in found:
        return _encounter(at, found["encounter"])
    target = at.target(found)
    return target.id if target and target.type in ("", "Encounter") else None


def _code(r: Resource) -> Coded:
    for name in CODES:
        found = r.get(name)
        if type(found) is list:
            found = found[0] if found else None
        if type(found) is not dict:
            continue
        if name == "suppliedItem":
            found = found.get("itemCodeableConcept")
        if name == "eventCoding":
            found = {"coding": [found]}
        coded = codeable(found)
        if coded[1] or coded[2]:
            return coded
    description = r.get("description")
    if type(description) is dict:
        return codeable(description)
    return None, None, None


def _status(r: Resource) -> str | None:
    found = r.get("status") or r.get("lifecycleStatus")
    return found if type(found) is str else code_of(found) if type(found) is dict else None


def _category(found: Any) -> str | None:
    if type(found) is list:
        found = found[0] if found else None
    if type(found) is str:
        return found
    return code_of(found) if type(found) is dict else None


def _text(r: Resource) -> str | None:
    for name in TEXTS:
        found = r.get(name)
        if type(found) is str:
            return found
        if type(found) is dict and (words := words_of(found)):
            return words
    if "dosageInstruction" in r:
        return dosage(r["dosageInstruction"])
    names = r.get("deviceName")
    if type(names) is str:
        return names
    if names:
        return joined((one.get("name") for one in names), ", ")
    payors = r.get("payor")
    if payors:
        return joined((one.get("display") for one in payors), ", ")
    return None
