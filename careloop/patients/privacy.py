"""What the patients slice gives out and erases for one person."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.patients import sealing
from careloop.patients.models import (
    ContactPoint,
    HealthNote,
    Identifier,
    Patient,
    PatientKey,
    PatientTag,
    RelatedPerson,
)
from careloop.patients.selectors import address_of

ERASED_NAME = "—"


def export(patient_id: UUID) -> dict[str, Any]:
    """Return everything this slice holds about the patient, in clear."""
    patient = (
        Patient.objects.filter(id=patient_id)
        .values(
            "chart_number", "name", "family_name", "given_name", "sex", "birth_date", "birth_precision", "deceased",
            "deceased_at", "active", "language", "preferred_channel", "preferred_hour", "preferred_practitioner", "postal_code",
            "city", "district", "country", "marital_status", "blood_group", "occupation", "referral_source", "note",
            "registered_on", "source", "created_at", "updated_at",
        )
        .first()
    )  # fmt: skip
    if patient is None:
        return {}
    keys = sealing.load_keys([patient_id])
    key = keys.get(patient_id, b"")

    def opened(row: dict[str, Any], table: str, column: str) -> str:
        sealed = row.pop(column)
        return sealing.unseal(key, sealed, table=table, column=column, row_id=row["id"]) if sealed else ""

    identifiers = _rows(Identifier, patient_id, "id", "kind", "system", "value_sealed", "warning")
    contacts = _rows(ContactPoint, patient_id, "id", "system", "use", "value_sealed", "verified_at", "reach")
    related = _rows(
        RelatedPerson, patient_id, "id", "name", "relationship", "sex", "birth_date", "is_guardian", "may_act", "note",
        "phone_sealed", "email_sealed",
    )  # fmt: skip
    for row in identifiers:
        row["value"] = opened(row, sealing.IDENTIFIER_TABLE, "value_sealed")
    for row in contacts:
        row["value"] = opened(row, sealing.CONTACT_TABLE, "value_sealed")
    for row in related:
        row["phone"] = opened(row, sealing.RELATED_TABLE, "phone_sealed")
        row["email"] = opened(row, sealing.RELATED_TABLE, "email_sealed")
    return {
        "patient": patient | {"address": address_of(patient_id) if key else ""},
        "identifiers": identifiers,
        "contact_points": contacts,
        "related_persons": related,
        "tags": _rows(PatientTag, patient_id, "tag__name", "given_at", "given_by_rule"),
        "health_notes": _rows(HealthNote, patient_id, "kind", "code", "text", "since", "ended_on", "recorded_at"),
    }


def _rows(model: Any, patient_id: UUID, *names: str) -> list[dict[str, Any]]:
    return [dict(row) for row in model.objects.filter(patient_id=patient_id).order_by("id").values(*names)]


def erase(patient_id: UUID) -> None:
    """Destroy the patient's data key and everything that says who this is; the empty record stays for what refers to it.

    A backup made before still holds the key, wrapped by the master key of its time: see docs/how-to/personal-data.md.
    """
    PatientKey.objects.filter(patient_id=patient_id).delete()
    for model in (Identifier, ContactPoint, RelatedPerson, PatientTag, HealthNote):
        model.objects.filter(patient_id=patient_id).delete()
    RelatedPerson.objects.filter(relative_id=patient_id).update(relative=None)
    sql.execute(
        """update patients_patient
              set name = %s, family_name = '', given_name = '', name_grams = '{}', chart_number = '', birth_date = null,
                  sex = 'unknown', address_sealed = null, postal_code = '', city = '', district = '', marital_status = '',
                  blood_group = '', occupation = '', referral_source = '', note = '', external_id = '', warnings = '[]',
                  preferred_practitioner = '', language = '', preferred_channel = '', preferred_hour = null, deceased_at = null,
                  country = '', active = false, version = version + 1
            where id = %s""",
        [ERASED_NAME, patient_id],
    )
