"""Where the rows of each kind are kept: table by table, column by column, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """Where the rows of a kind are kept: table, time column, and column → (field, how it is cast)."""

    table: str
    columns: dict[str, tuple[str, str]]
    time: str = ""
    event: str = ""


_CODED = {"status": ("status", "text"), "code_system": ("code_system", "text"), "code": ("code", "text"),
          "display": ("display", "text"), "note": ("note", "text")}  # fmt: skip
_STATUS = {**_CODED, "status": ("clinical_status", "text")}
_REASON = {"reason_code": ("reason_code", "text"), "reason_display": ("reason_display", "text")}
_DOER = {"practitioner_name": ("practitioner_name", "text")}

TARGETS: dict[str, Target] = {
    "encounter": Target(
        "records_encounter",
        {
            **_CODED, **_REASON, **_DOER, "class_code": ("class_code", "text"), "started_at": ("start", "at"),
            "ended_at": ("end", "at"), "location_name": ("location_name", "text"), "department": ("department", "text"),
            "practitioner_id": ("practitioner_id", "uuid"),
        },
        "started_at", "encounter.recorded",
    ),
    "condition": Target(
        "records_condition",
        {
            **_STATUS, "verification_status": ("verification_status", "text"), "category": ("category", "text"),
            "severity": ("severity", "text"), "onset_at": ("onset", "at"), "abated_at": ("abatement", "at"),
        },
        "onset_at", "condition.recorded",
    ),
    "allergy": Target(
        "records_allergy",
        {
            **_STATUS, "verification_status": ("verification_status", "text"), "type": ("type", "text"),
            "category": ("category", "text"), "criticality": ("criticality", "text"), "noted_at": ("recorded", "at"),
            "ended_at": ("ended", "at"), "reactions": ("reactions", "json"),
        },
        "noted_at", "allergy.recorded",
    ),
    "medication": Target(
        "records_medication",
        {
            **_CODED, **_REASON, **_DOER, "intent": ("intent", "text"), "started_at": ("start", "at"),
            "ended_at": ("end", "at"), "dosage": ("dosage", "text"), "is_refillable": ("refillable", "flag"),
            "fills_allowed": ("refills_allowed", "small"), "fills_taken": ("dispenses", "small"),
            "days_supply": ("days_supply", "small"), "quantity": ("quantity", "float"),
            "supply_ends_on": ("supply_ends_on", "date"),
        },
        "started_at", "medication.recorded",
    ),
    "observation": Target(
        "records_observation",
        {
            **_CODED, "category": ("category", "text"), "observed_at": ("effective", "at"),
            "comparator": ("comparator", "text"), "value_number": ("value_number", "float"),
            "value_text": ("value_text", "text"), "value_code": ("value_code", "text"), "unit": ("unit", "text"),
            "reference_low": ("reference_low", "float"), "reference_high": ("reference_high", "float"),
            "reference_text": ("reference_text", "text"), "interpretation": ("interpretation", "text"),
            "components": ("components", "json"),
        },
        "observed_at", "observation.recorded",
    ),
    "procedure": Target(
        "records_procedure",
        {
            **_CODED, **_REASON, **_DOER, "performed_at": ("start", "at"), "ended_at": ("end", "at"),
            "body_site": ("body_site", "text"),
        },
        "performed_at", "procedure.recorded",
    ),
    "immunization": Target(
        "records_immunization",
        {
            **_CODED, **_DOER, "given_at": ("occurrence", "at"), "dose_number": ("dose_number", "small"),
            "lot_number": ("lot_number", "text"), "site": ("site", "text"),
        },
        "given_at", "immunization.recorded",
    ),
    "report": Target(
        "records_report",
        {
            "status": ("status", "text"), "code_system": ("code_system", "text"), "code": ("code", "text"),
            "display": ("display", "text"), **_DOER, "category": ("category", "text"), "issued_at": ("effective", "at"),
            "conclusion": ("conclusion", "text"), "text": ("text", "text"), "results": ("results", "json"),
        },
        "issued_at", "report.recorded",
    ),
    "care_plan": Target(
        "records_care_plan",
        {
            **_CODED, **_REASON, "intent": ("intent", "text"), "title": ("title", "text"), "started_at": ("start", "at"),
            "ended_at": ("end", "at"), "activities": ("activities", "json"),
        },
        "started_at", "care_plan.recorded",
    ),
    "invoice": Target(
        "records_invoice",
        {
            "status": ("status", "text"), "note": ("note", "text"), "number": ("number", "text"),
            "issued_at": ("issued", "at"), "payer_kind": ("payer_kind", "text"), "currency": ("currency", "text"),
            "total_amount": ("total_amount", "money"), "self_pay_amount": ("self_pay_amount", "money"),
            "lines": ("lines", "json"),
        },
        "issued_at", "invoice.recorded",
    ),
    "other": Target(
        "records_other",
        {
            "status": ("status", "text"), "code_system": ("code_system", "text"), "code": ("code", "text"),
            "display": ("display", "text"), "resource_type": ("resource_type", "text"), "category": ("category", "text"),
            "happened_at": ("start", "at"), "ended_at": ("end", "at"), "value_number": ("value_number", "float"),
            "unit": ("unit", "text"), "text": ("text", "text"),
        },
        "happened_at", "other.recorded",
    ),
}  # fmt: skip

#: how a staged value becomes the column's type
CAST = {
    "at": "::timestamptz", "json": "::jsonb", "float": "::float8", "small": "::int", "money": "::bigint", "date": "::date",
    "flag": "::boolean", "uuid": "::uuid", "text": "",
}  # fmt: skip
