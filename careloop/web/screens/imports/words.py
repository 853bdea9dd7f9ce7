"""What the fields and kinds of an import are called on screen."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.integrations.imports.rows import BY_NAME

KINDS: dict[str, Any] = {
    "patient": _("Patients"), "encounter": pgettext_lazy("records", "Visits"), "condition": _("Diagnoses"), "allergy": _("Allergies"),
    "medication": _("Prescriptions"), "observation": pgettext_lazy("records", "Results"), "procedure": _("Treatments"),
    "immunization": _("Vaccinations"), "report": _("Reports"), "care_plan": _("Care plans"), "invoice": _("Bills"),
    "related_person": _("Family and guardians"), "practitioner": _("Practitioners"), "organization": _("Organizations"),
    "location": _("Places"), "other": _("Other records"),
}  # fmt: skip

RESOURCES: dict[str, Any] = {
    "Patient": KINDS["patient"], "Encounter": KINDS["encounter"], "Condition": KINDS["condition"],
    "AllergyIntolerance": KINDS["allergy"], "MedicationRequest": KINDS["medication"], "Observation": KINDS["observation"],
    "Procedure": KINDS["procedure"], "Immunization": KINDS["immunization"], "DiagnosticReport": KINDS["report"],
    "CarePlan": KINDS["care_plan"], "Claim": KINDS["invoice"], "RelatedPerson": KINDS["related_person"],
    "Practitioner": KINDS["practitioner"], "Organization": KINDS["organization"], "Location": KINDS["location"],
    "Other": KINDS["other"],
}  # fmt: skip

FIELDS: dict[str, Any] = {
    "external_id": _("ID in the source system"), "chart_number": _("Chart number"), "national_id": _("National ID"),
    "name": _("Name"), "family_name": _("Family name"), "given_name": _("Given name"), "sex": _("Sex"),
    "birth_date": _("Birth date"), "deceased_at": _("Date of death"), "mobile": _("Mobile phone"), "phone": _("Phone"),
    "email": _("E-mail"), "line_id": _("LINE user ID"), "postal_code": _("Postal code"), "address": _("Address"),
    "city": _("City"), "district": _("District"), "country": _("Country"), "language": _("Language"),
    "marital_status": _("Marital status"), "blood_group": _("Blood group"), "occupation": _("Occupation"),
    "tags": _("Tags"), "registered_on": _("First registered on"), "note": _("Note"),
    "patient_external_id": _("Patient (chart number or ID)"), "encounter_external_id": _("Visit (ID)"),
    "relationship": _("Relationship"), "guardian": _("Is guardian"), "status": _("Status"), "class_code": _("Kind of visit"),
    "code_system": _("Code system"), "code": _("Code"), "display": _("Description"), "start": _("Start"), "end": _("End"),
    "reason_code": _("Reason (code)"), "reason_display": _("Reason"), "practitioner_external_id": _("Practitioner (ID)"),
    "practitioner_name": _("Practitioner"), "department": _("Department"), "location_name": _("Place"),
    "total_amount": _("Total amount"), "self_pay_amount": _("Self-pay amount"), "currency": _("Currency"),
    "clinical_status": _("Clinical status"), "verification_status": _("Verification"), "category": _("Category"),
    "severity": _("Severity"), "onset": _("Began on"), "abatement": _("Ended on"), "recorded": _("Recorded on"),
    "type": _("Type"), "criticality": _("Criticality"), "ended": _("Ended on"), "dosage": _("Dosage"),
    "refills_allowed": _("Fills allowed"), "dispenses": _("Fills taken"), "days_supply": _("Days of supply"),
    "quantity": _("Quantity"), "refillable": _("Chronic prescription"), "effective": _("Measured at"),
    "value_text": _("Value"), "value_number": _("Value (number)"), "unit": _("Unit"), "reference_low": _("Reference from"),
    "reference_high": _("Reference to"), "reference_text": _("Reference range"), "interpretation": _("Interpretation"),
    "body_site": _("Body site"), "occurrence": _("Given on"), "dose_number": _("Dose number"), "lot_number": _("Lot number"),
    "site": _("Site"), "issued": _("Issued on"), "conclusion": _("Conclusion"), "text": _("Text"), "title": _("Title"),
    "intent": _("Intent"), "payer_kind": _("Payer"), "number": _("Number"), "specialty": _("Specialty"),
    "active": _("Active"), "type_display": _("Type"), "resource_type": _("FHIR resource"),
}  # fmt: skip

#: fields a person does not map by hand
HIDDEN = frozenset(
    {"part", "line", "identifiers", "contacts", "reactions", "components", "results", "activities", "lines", "deceased"}
)


def field_choices(kind: str) -> list[tuple[str, Any]]:
    """Return the fields of a kind to choose from, with nothing first."""
    names = [name for name in BY_NAME[kind].names if name not in HIDDEN and name in FIELDS]
    return [("", _("– leave out –")), *((name, FIELDS[name]) for name in names)]


def resource_word(name: str) -> str:
    return str(RESOURCES.get(name, name))
