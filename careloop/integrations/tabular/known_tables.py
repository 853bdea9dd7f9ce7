"""Tables that are recognised as a whole by their columns: the export of Synthea, table by table.

Each is a ready mapping (see `mapping.Mapping`). A table that is recognised and has no place here says so (`LEFT_OUT`).
"""

from typing import Any

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"

_CODED = {"code": "CODE", "display": "DESCRIPTION"}
_WHERE = {"patient_external_id": "PATIENT", "encounter_external_id": "ENCOUNTER"}
_REASON = {"reason_code": "REASONCODE", "reason_display": "REASONDESCRIPTION"}

#: file stem → mapping; recognised when all its columns are there
SYNTHEA: dict[str, dict[str, Any]] = {
    "organizations": {
        "kind": "organization",
        "signature": "Id NAME ADDRESS CITY STATE ZIP LAT LON PHONE REVENUE UTILIZATION",
        "columns": {"external_id": "Id", "name": "NAME", "phone": "PHONE", "address": "ADDRESS", "city": "CITY"},
    },
    "providers": {
        "kind": "practitioner",
        "signature": "Id ORGANIZATION NAME GENDER SPECIALITY",
        "columns": {
            "external_id": "Id",
            "name": "NAME",
            "sex": "GENDER",
            "specialty": "SPECIALITY",
            "organization_external_id": "ORGANIZATION",
        },
        "constants": {"active": "true"},
    },
    "patients": {
        "kind": "patient",
        "signature": "Id BIRTHDATE DEATHDATE SSN FIRST LAST GENDER",
        "columns": {
            "external_id": "Id",
            "chart_number": "Id",
            "name": ["FIRST", "LAST"],
            "family_name": "LAST",
            "given_name": "FIRST",
            "sex": "GENDER",
            "birth_date": "BIRTHDATE",
            "deceased_at": "DEATHDATE",
            "marital_status": "MARITAL",
            "address": "ADDRESS",
            "city": "CITY",
            "district": "STATE",
            "postal_code": "ZIP",
        },
        "identifiers": {"SS": "SSN", "DL": "DRIVERS", "PPN": "PASSPORT"},
        "constants": {"active": "true", "country": "US", "language": "en"},
        "options": {"foreign": True},
    },
    "encounters": {
        "kind": "encounter",
        "signature": "Id START STOP PATIENT ORGANIZATION PROVIDER ENCOUNTERCLASS CODE DESCRIPTION",
        "columns": {
            "external_id": "Id",
            "patient_external_id": "PATIENT",
            "start": "START",
            "end": "STOP",
            "class_code": "ENCOUNTERCLASS",
            **_CODED,
            **_REASON,
            "practitioner_external_id": "PROVIDER",
            "organization_external_id": "ORGANIZATION",
            "total_amount": "TOTAL_CLAIM_COST",
        },
        "constants": {"code_system": SNOMED, "status": "finished", "currency": "USD"},
        "codes": {
            "class_code": {
                "wellness": "AMB",
                "ambulatory": "AMB",
                "outpatient": "AMB",
                "urgentcare": "AMB",
                "emergency": "EMER",
                "inpatient": "IMP",
                "home": "HH",
                "snf": "IMP",
                "hospice": "HH",
                "virtual": "VR",
            }
        },
    },
    "conditions": {
        "kind": "condition",
        "signature": "START STOP PATIENT ENCOUNTER CODE DESCRIPTION",
        "exact": True,
        "columns": {**_WHERE, **_CODED, "onset": "START", "recorded": "START", "abatement": "STOP"},
        "constants": {"code_system": SNOMED, "verification_status": "confirmed", "category": "encounter-diagnosis"},
        "when": {"clinical_status": {"column": "STOP", "filled": "resolved", "empty": "active"}},
    },
    "allergies": {
        "kind": "allergy",
        "signature": "START STOP PATIENT ENCOUNTER CODE SYSTEM DESCRIPTION TYPE CATEGORY REACTION1",
        "columns": {**_WHERE, **_CODED, "recorded": "START", "ended": "STOP", "type": "TYPE", "category": "CATEGORY"},
        "reactions": [["REACTION1", "DESCRIPTION1", "SEVERITY1"], ["REACTION2", "DESCRIPTION2", "SEVERITY2"]],
        "constants": {"code_system": SNOMED, "verification_status": "confirmed"},
        "when": {"clinical_status": {"column": "STOP", "filled": "inactive", "empty": "active"}},
    },
    "medications": {
        "kind": "medication",
        "signature": "START STOP PATIENT PAYER ENCOUNTER CODE DESCRIPTION DISPENSES",
        "columns": {**_WHERE, **_CODED, **_REASON, "start": "START", "end": "STOP", "dispenses": "DISPENSES"},
        "constants": {"code_system": RXNORM, "intent": "order"},
        "when": {"status": {"column": "STOP", "filled": "stopped", "empty": "active"}},
    },
    "observations": {
        "kind": "observation",
        "signature": "DATE PATIENT ENCOUNTER CODE DESCRIPTION VALUE UNITS TYPE",
        "columns": {
            **_WHERE,
            **_CODED,
            "effective": "DATE",
            "category": "CATEGORY",
            "value_text": "VALUE",
            "unit": "UNITS",
        },
        "constants": {"code_system": LOINC, "status": "final"},
        "split_value": True,
    },
    "procedures": {
        "kind": "procedure",
        "signature": "START STOP PATIENT ENCOUNTER CODE DESCRIPTION BASE_COST REASONCODE",
        "columns": {**_WHERE, **_CODED, **_REASON, "start": "START", "end": "STOP"},
        "constants": {"code_system": SNOMED, "status": "completed"},
    },
    "immunizations": {
        "kind": "immunization",
        "signature": "DATE PATIENT ENCOUNTER CODE DESCRIPTION BASE_COST",
        "exact": True,
        "columns": {**_WHERE, **_CODED, "occurrence": "DATE"},
        "constants": {"code_system": CVX, "status": "completed"},
    },
    "careplans": {
        "kind": "care_plan",
        "signature": "Id START STOP PATIENT ENCOUNTER CODE DESCRIPTION REASONCODE REASONDESCRIPTION",
        "exact": True,
        "columns": {
            "external_id": "Id",
            **_WHERE,
            **_CODED,
            **_REASON,
            "title": "DESCRIPTION",
            "start": "START",
            "end": "STOP",
        },
        "constants": {"code_system": SNOMED, "intent": "order"},
        "when": {"status": {"column": "STOP", "filled": "completed", "empty": "active"}},
    },
    "imaging_studies": {
        "kind": "other",
        "signature": "Id DATE PATIENT ENCOUNTER SERIES_UID MODALITY_CODE MODALITY_DESCRIPTION PROCEDURE_CODE",
        # one study may have several instances, a row each: the study's own id is in the column Id
        "columns": {
            "external_id": "Id",
            **_WHERE,
            "start": "DATE",
            "code": "PROCEDURE_CODE",
            "display": "MODALITY_DESCRIPTION",
            "text": "BODYSITE_DESCRIPTION",
        },
        "constants": {"resource_type": "ImagingStudy", "code_system": SNOMED, "status": "available"},
    },
    "devices": {
        "kind": "other",
        "signature": "START STOP PATIENT ENCOUNTER CODE DESCRIPTION UDI",
        "exact": True,
        "columns": {**_WHERE, **_CODED, "start": "START", "end": "STOP", "text": "UDI"},
        "constants": {"resource_type": "Device", "code_system": SNOMED},
        "when": {"status": {"column": "STOP", "filled": "inactive", "empty": "active"}},
    },
    "supplies": {
        "kind": "other",
        "signature": "DATE PATIENT ENCOUNTER CODE DESCRIPTION QUANTITY",
        "exact": True,
        "columns": {**_WHERE, **_CODED, "start": "DATE", "value_number": "QUANTITY"},
        "constants": {"resource_type": "SupplyDelivery", "code_system": SNOMED, "status": "completed"},
    },
    "claims": {
        "kind": "invoice",
        "signature": "Id PATIENTID PROVIDERID APPOINTMENTID SERVICEDATE LASTBILLEDDATE1",
        "columns": {
            "external_id": "Id",
            "patient_external_id": "PATIENTID",
            "encounter_external_id": "APPOINTMENTID",
            "issued": "SERVICEDATE",
        },
        "constants": {"status": "active", "payer_kind": "insurance", "currency": "USD"},
    },
}

#: recognised, and left out on purpose: columns → why
LEFT_OUT: dict[str, str] = {
    "payers": "Id NAME STATE_HEADQUARTERED AMOUNT_COVERED COVERED_ENCOUNTERS",
    "payer_transitions": "PATIENT START_YEAR END_YEAR PAYER OWNERSHIP",
    "claims_transactions": "ID CLAIMID CHARGEID PATIENTID TRANSFERTYPE",
}


def recognise(headers: list[str]) -> tuple[str, dict[str, Any]] | None:
    """Return the name and mapping of the table that has these columns, the one that explains most of them; or None.

    >>> recognise("START STOP PATIENT ENCOUNTER CODE DESCRIPTION".split())[0]
    'conditions'
    """
    present = set(headers)
    best: tuple[str, dict[str, Any]] | None = None
    size = 0
    for name, table in SYNTHEA.items():
        signature = set(table["signature"].split())
        fits = signature == present if table.get("exact") else signature <= present
        if fits and len(signature) > size:
            best, size = (name, table), len(signature)
    return best


def left_out(headers: list[str]) -> str:
    """Return the name of a table that is known and not imported, or nothing."""
    present = set(headers)
    return next((name for name, columns in LEFT_OUT.items() if set(columns.split()) <= present), "")
