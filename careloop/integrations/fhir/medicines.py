"""What is prescribed and taken, and how."""

from typing import Any

from careloop.integrations.fhir.reading import (
    Coded,
    Reading,
    codeable,
    joined,
    notes,
    number,
    require_words,
    whole,
    words_of,
)
from careloop.integrations.fhir.references import Resource
from careloop.integrations.imports.rows import Row

#: How long one unit of a FHIR Duration is, in days.
DAYS = {
    "d": 1,
    "day": 1,
    "days": 1,
    "天": 1,
    "日": 1,
    "wk": 7,
    "week": 7,
    "weeks": 7,
    "mo": 30,
    "month": 30,
    "months": 30,
    "a": 365,
}


def medicine(at: Reading, r: Resource) -> Coded:
    """Return the code of a medicine, said outright, contained, in the same document, or in an earlier one."""
    concept = r.get("medicationCodeableConcept")
    if concept is not None:
        return codeable(concept)
    reference = r.get("medicationReference")
    if reference is None:
        return None, None, None
    written = reference.get("reference") or ""
    found = None
    if written.startswith("#"):
        found = at.contained(written)
    elif target := at.target(reference):
        found = at.known.contents.get(target.id)
        if found is None and target.id in at.directory.medications:
            return at.directory.medications[target.id]
    if found is not None and "code" in found:
        return codeable(found["code"])
    return None, None, reference.get("display")


def medication(at: Reading, r: Resource) -> Row:
    kind = r["resourceType"]
    patient_id = at.patient(r.get("subject"), f"{kind}.subject")
    system, code, display = medicine(at, r)
    require_words(code, display, f"{kind}.medication[x]")
    dispense = r.get("dispenseRequest") or {}
    valid_from, valid_to = at.period(dispense.get("validityPeriod"), f"{kind}.dispenseRequest.validityPeriod")
    instructions = r.get("dosageInstruction")
    bounds_from, bounds_to = _bounds(at, instructions, kind)
    repeats = whole(dispense.get("numberOfRepeatsAllowed"), f"{kind}.dispenseRequest.numberOfRepeatsAllowed")
    quantity = dispense.get("quantity")
    _reason_system, reason_code, reason = at.described(r.get("reasonCode"), r.get("reasonReference"))
    doctor, doctor_name = at.named(r.get("requester"))
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")), r.get("status"), r.get("intent"),
        system, code, display,
        at.when(r.get("authoredOn"), f"{kind}.authoredOn") or valid_from or bounds_from,
        valid_to or bounds_to,
        dosage(instructions), reason_code, reason, doctor, doctor_name,
        repeats, None,
        _days(dispense.get("expectedSupplyDuration"), f"{kind}.dispenseRequest.expectedSupplyDuration"),
        number(quantity.get("value"), f"{kind}.dispenseRequest.quantity.value") if quantity else None,
        None if repeats is None else repeats > 0, notes(r.get("note")),
    )  # fmt: skip


def medication_statement(at: Reading, r: Resource) -> Row:
    """What a patient says to take: a prescription row with the intent `statement`."""
    patient_id = at.patient(r.get("subject"), "MedicationStatement.subject")
    system, code, display = medicine(at, r)
    require_words(code, display, "MedicationStatement.medication[x]")
    effective = r.get("effectivePeriod")
    start, end = at.period(effective, "MedicationStatement.effectivePeriod")
    if effective is None:
        start = at.when(r.get("effectiveDateTime"), "MedicationStatement.effectiveDateTime")
    _reason_system, reason_code, reason = at.described(r.get("reasonCode"), r.get("reasonReference"))
    said_by, said_by_name = at.named(r.get("informationSource"))
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("context")), r.get("status"), "statement",
        system, code, display, start or at.when(r.get("dateAsserted"), "MedicationStatement.dateAsserted"),
        end,
        dosage(r.get("dosage")), reason_code, reason, said_by, said_by_name,
        None, None, None, None, None, notes(r.get("note")),
    )  # fmt: skip


def _days(duration: Any, path: str) -> int | None:
    if not duration:
        return None
    amount = number(duration.get("value"), f"{path}.value")
    days = DAYS.get(str(duration.get("code") or duration.get("unit") or "d").lower())
    return None if amount is None or days is None else whole(round(amount * days), path)


def _bounds(at: Reading, instructions: Any, kind: str) -> tuple[str | None, str | None]:
    if not instructions:
        return None, None
    timing = instructions[0].get("timing")
    repeat = timing.get("repeat") if timing else None
    bounds = repeat.get("boundsPeriod") if repeat else None
    return at.period(bounds, f"{kind}.dosageInstruction[0].timing.repeat.boundsPeriod")


def dosage(instructions: Any) -> str | None:
    """Return how to take it, as written; of numbers only, `1 × 2 / 1 d` (amount × times / period)."""
    if not instructions:
        return None
    if len(instructions) == 1:
        return _one_dosage(instructions[0])
    return joined(map(_one_dosage, instructions), "\n")


def _one_dosage(instruction: Any) -> str | None:
    text = instruction.get("text") or instruction.get("patientInstruction")
    timing = instruction.get("timing")
    if text or not timing:
        return text or None
    if "code" in timing:
        return words_of(timing["code"])
    repeat = timing.get("repeat")
    if not repeat or not repeat.get("period"):
        return None
    amount = ""
    for rate in instruction.get("doseAndRate", ()):
        dose = rate.get("doseQuantity")
        if dose and dose.get("value") is not None:
            amount = f"{dose['value']:g} {dose.get('unit') or ''}".strip() + " × "
            break
    period = f"{repeat['period']:g} {repeat.get('periodUnit') or ''}".strip()
    return f"{amount}{repeat.get('frequency') or 1} / {period}"
