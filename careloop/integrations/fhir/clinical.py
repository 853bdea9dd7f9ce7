"""Visits, and what is found and done at them."""

import binascii
from base64 import b64decode
from typing import Any

import orjson

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.reading import (
    Coded,
    Reading,
    code_of,
    codeable,
    first_code,
    joined,
    notes,
    number,
    require_words,
    unit_of,
    whole,
    words_of,
)
from careloop.integrations.fhir.references import Resource
from careloop.integrations.imports.rows import Row

#: Longer texts are documents; they stay in the system they come from.
TEXT_LIMIT = 100_000
#: Who led the visit, if several took part (v3-ParticipationType).
LEADING = ("PPRF", "ATND")
SNOMED = "http://snomed.info/sct"
#: Where an Observation says when it was made; `issued` is when it was published.
OBSERVED = ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming", "issued")


def encounter(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "Encounter.subject")
    start, end = at.period(r.get("period"), "Encounter.period")
    if start is None:
        start = end
    if start is None:
        raise FhirRefusal("fhir.missing", "Encounter.period.start")
    class_code = r.get("class")
    types = r.get("type")
    system, code, display = codeable(types[0] if types else r.get("serviceType"))
    _reason_system, reason_code, reason = at.described(r.get("reasonCode"), r.get("reasonReference"))
    doctor, doctor_name = at.named(_leading(r.get("participant")))
    organization, organization_name = at.named(r.get("serviceProvider"))
    places = r.get("location")
    place_name = at.named(places[0].get("location"))[1] if places else None
    return (
        at.part, at.line, at.rid, patient_id,
        r.get("status"), class_code.get("code") if class_code else None,
        system, code, display, start, end, reason_code, reason,
        doctor, doctor_name, organization, organization_name, place_name, words_of(r.get("serviceType")),
        None, None, None, None,
    )  # fmt: skip


def _leading(participants: Any) -> Any:
    """Return the reference to who led the visit: the primary performer, else the first who is named."""
    if not participants:
        return None
    if len(participants) > 1:
        for participant in participants:
            if first_code(participant.get("type")) in LEADING:
                return participant.get("individual")
        for participant in participants:
            if participant.get("individual"):
                return participant["individual"]
    return participants[0].get("individual")


def condition(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "Condition.subject")
    system, code, display = codeable(r.get("code"))
    require_words(code, display, "Condition.code")
    categories = r.get("category")
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")),
        code_of(r.get("clinicalStatus")), code_of(r.get("verificationStatus")),
        first_code(categories), words_of(r.get("severity")), system, code, display,
        at.first_time("Condition", "onsetDateTime", "onsetPeriod"),
        at.first_time("Condition", "abatementDateTime", "abatementPeriod"),
        at.when(r.get("recordedDate"), "Condition.recordedDate"),
        joined((notes(r.get("note")), r.get("onsetString"), r.get("abatementString")), "\n"),
    )  # fmt: skip


def allergy(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("patient"), "AllergyIntolerance.patient")
    system, code, display = codeable(r.get("code"))
    reactions = r.get("reaction") or ()
    if not code and not display and reactions:
        system, code, display = codeable(reactions[0].get("substance"))
    require_words(code, display, "AllergyIntolerance.code")
    shown = []
    for reaction in reactions:
        for manifestation in reaction.get("manifestation", ()):
            _system, reaction_code, words = codeable(manifestation)
            shown.append({"code": reaction_code, "display": words, "severity": reaction.get("severity")})
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")),
        code_of(r.get("clinicalStatus")), code_of(r.get("verificationStatus")),
        r.get("type"), joined(r.get("category", ()), " "), r.get("criticality"), system, code, display,
        at.first_time("AllergyIntolerance", "recordedDate", "onsetDateTime", "onsetPeriod"), None,
        orjson.dumps(shown).decode() if shown else None, notes(r.get("note")),
    )  # fmt: skip


# what was measured


def observation(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "Observation.subject")
    system, code, display = codeable(r.get("code"))
    require_words(code, display, "Observation.code")
    comparator = value_number = value_text = value_code = unit = None
    quantity = r.get("valueQuantity")
    if quantity is not None:
        value_number = number(quantity.get("value"), "Observation.valueQuantity.value")
        comparator = quantity.get("comparator")
        unit = unit_of(quantity)
    elif (concept := r.get("valueCodeableConcept")) is not None:
        _system, value_code, value_text = codeable(concept)
    else:
        value_number, value_text = _other_value(at, r, "Observation")
    low = high = reference_text = None
    ranges = r.get("referenceRange")
    if ranges:
        low, high, reference_text = _reference_range(ranges[0])
    components = r.get("component")
    interpretations = r.get("interpretation")
    categories = r.get("category")
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")), r.get("status"),
        code_of(categories[0]) if categories else None,
        system, code, display,
        at.first_time("Observation", *OBSERVED),
        comparator, value_number, value_text, value_code, unit, low, high, reference_text,
        code_of(interpretations[0]) if interpretations else None,
        _components(at, components) if components else None,
        notes(r.get("note")) if "note" in r else None,
    )  # fmt: skip


def _components(at: Reading, components: Any) -> str:
    return orjson.dumps([_component(at, one, place) for place, one in enumerate(components)]).decode()


def _component(at: Reading, component: Any, place: int) -> dict[str, Any]:
    system, code, display = codeable(component.get("code"))
    value = text = unit = None
    quantity = component.get("valueQuantity")
    if quantity is not None:
        value = number(quantity.get("value"), f"Observation.component[{place}].valueQuantity.value")
        unit = unit_of(quantity)
    elif (concept := component.get("valueCodeableConcept")) is not None:
        text = words_of(concept)
    else:
        value, text = _other_value(at, component, f"Observation.component[{place}]")
    return {"system": system, "code": code, "display": display, "number": value, "text": text, "unit": unit}


def _other_value(at: Reading, r: Resource, path: str) -> tuple[int | float | None, str | None]:
    """Return number and text of a value that is neither a quantity nor a code."""
    if "valueString" in r:
        return None, r["valueString"]
    if "valueBoolean" in r:
        return None, "true" if r["valueBoolean"] else "false"
    if "valueInteger" in r:
        return number(r["valueInteger"], f"{path}.valueInteger"), None
    if "valueRange" in r:
        return None, _range_text(r["valueRange"])
    if "valueRatio" in r:
        ratio = r["valueRatio"]
        return None, f"{_quantity_text(ratio.get('numerator'))} : {_quantity_text(ratio.get('denominator'))}"
    if "valueDateTime" in r:
        return None, at.when(r["valueDateTime"], f"{path}.valueDateTime")
    if "valueTime" in r:
        return None, r["valueTime"]
    if "valuePeriod" in r:
        return None, joined(at.period(r["valuePeriod"], f"{path}.valuePeriod"), " – ")
    if "valueSampledData" in r:
        return None, r["valueSampledData"].get("data")
    if "dataAbsentReason" in r:
        return None, words_of(r["dataAbsentReason"])
    return None, None


def _quantity_text(quantity: Any) -> str:
    if not quantity or quantity.get("value") is None:
        return ""
    unit = quantity.get("unit") or quantity.get("code") or ""
    return f"{quantity.get('comparator') or ''}{quantity['value']} {unit}".strip()


def _range_text(found: Any) -> str | None:
    return joined((_quantity_text(found.get("low")), _quantity_text(found.get("high"))), " – ")


def _reference_range(found: Any) -> tuple[int | float | None, int | float | None, str | None]:
    low, high = found.get("low"), found.get("high")
    return (
        number(low.get("value"), "Observation.referenceRange[0].low.value") if low else None,
        number(high.get("value"), "Observation.referenceRange[0].high.value") if high else None,
        found.get("text"),
    )


# what was done


def procedure(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "Procedure.subject")
    system, code, display = codeable(r.get("code"))
    require_words(code, display, "Procedure.code")
    start, end = at.period(r.get("performedPeriod"), "Procedure.performedPeriod")
    sites = r.get("bodySite")
    performers = r.get("performer")
    _reason_system, reason_code, reason = at.described(r.get("reasonCode"), r.get("reasonReference"))
    doctor, doctor_name = at.named(performers[0].get("actor")) if performers else (None, None)
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")), r.get("status"), system, code,
        display,
        start or at.when(r.get("performedDateTime"), "Procedure.performedDateTime"), end,
        words_of(sites[0]) if sites else None, reason_code, reason, doctor, doctor_name, notes(r.get("note")),
    )  # fmt: skip


def immunization(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("patient"), "Immunization.patient")
    system, code, display = codeable(r.get("vaccineCode"))
    require_words(code, display, "Immunization.vaccineCode")
    protocols = r.get("protocolApplied")
    dose = None
    if protocols:
        dose = protocols[0].get("doseNumberPositiveInt") or protocols[0].get("doseNumberString")
        if type(dose) is str:
            dose = int(dose) if dose.isascii() and dose.isdigit() else None
    performers = r.get("performer")
    doctor, doctor_name = at.named(performers[0].get("actor")) if performers else (None, None)
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")), r.get("status"), system, code,
        display,
        at.when(r.get("occurrenceDateTime"), "Immunization.occurrenceDateTime"),
        whole(dose, "Immunization.protocolApplied[0].doseNumberPositiveInt"), r.get("lotNumber"),
        words_of(r.get("site")),
        doctor, doctor_name, joined((r.get("occurrenceString"), notes(r.get("note"))), "\n"),
    )  # fmt: skip


def report(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "DiagnosticReport.subject")
    system, code, display = codeable(r.get("code"))
    require_words(code, display, "DiagnosticReport.code")
    results = [rid for result in r.get("result", ()) if (rid := at.ref(result))]
    performers = r.get("performer")
    doctor, doctor_name = at.named(performers[0]) if performers else (None, None)
    forms = r.get("presentedForm")
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")), r.get("status"),
        first_code(r.get("category")),
        system, code, display,
        at.first_time("DiagnosticReport", "effectiveDateTime", "effectivePeriod", "issued"),
        at.when(r.get("issued"), "DiagnosticReport.issued"),
        r.get("conclusion"), joined(map(_form_text, forms), "\n\n") if forms else None,
        orjson.dumps(results).decode() if results else None, doctor, doctor_name,
    )  # fmt: skip


def _form_text(form: Any) -> str | None:
    """Return the text of an attachment in plain text, else its title; pictures stay where they are."""
    data = form.get("data")
    if data and form.get("contentType", "").startswith("text/plain") and len(data) <= TEXT_LIMIT * 4 // 3:
        try:
            return b64decode(data).decode("utf-8").replace("\0", "").strip()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            pass
    title = form.get("title")
    return str(title) if title else None


def care_plan(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "CarePlan.subject")
    system, code, display = _plan_code(r.get("category"))
    start, end = at.period(r.get("period"), "CarePlan.period")
    _reason_system, reason_code, reason = at.described(None, r.get("addresses"))
    activities = []
    for activity in r.get("activity", ()):
        detail = activity.get("detail")
        if detail:
            _system, activity_code, words = codeable(detail.get("code"))
            shown = words or detail.get("description")
            activities.append({"code": activity_code, "display": shown, "status": detail.get("status")})
    return (
        at.part, at.line, at.rid, patient_id, at.ref(r.get("encounter")), r.get("status"), r.get("intent"),
        r.get("title"),
        system, code, display, start or at.when(r.get("created"), "CarePlan.created"), end, reason_code,
        reason,
        orjson.dumps(activities).decode() if activities else None,
        joined((r.get("description"), notes(r.get("note"))), "\n"),
    )  # fmt: skip


def _plan_code(categories: Any) -> Coded:
    """Return the category that says what the plan is for: a SNOMED code, else the last but `assess-plan`."""
    found: Coded = (None, None, None)
    for category in categories or ():
        coded = codeable(category)
        if coded[0] == SNOMED:
            return coded
        if coded[1] != "assess-plan":
            found = coded
    return found
