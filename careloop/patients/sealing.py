"""How a patient's sensitive values are sealed and found again. Every writer and reader of sealed columns goes through here.

A sealed value is bound to its place, `table.column.row`. A patient's data key is wrapped for the patient's own id. Blind
indexes: one key per organization and sort of value, so that a phone number in two clinics has two unrelated hashes.
"""

from uuid import UUID

from careloop.kernel import vault

CONTACT_TABLE = "patients_contact_point"
IDENTIFIER_TABLE = "patients_identifier"
PATIENT_TABLE = "patients_patient"
RELATED_TABLE = "patients_related_person"


def place(table: str, column: str, row_id: UUID) -> str:
    """Return the place a value is sealed for.

    >>> place("patients_contact_point", "value_sealed", UUID(int=1))
    'patients_contact_point.value_sealed.00000000-0000-0000-0000-000000000001'
    """
    return f"{table}.{column}.{row_id}"


def new_key(patient_id: UUID) -> tuple[bytes, bytes]:
    """Return a new data key for a patient, plain and wrapped."""
    key = vault.new_data_key()
    return key, vault.keyring().wrap(key, owner=patient_id.bytes)


def open_key(patient_id: UUID, wrapped: bytes) -> bytes:
    """Return the patient's data key.

    Raises:
        VaultError: the master key is missing or the bytes belong to another patient.
    """
    return vault.keyring().unwrap(wrapped, owner=patient_id.bytes)


def contact_index(organization_id: UUID, system: str, value: str) -> bytes:
    """Return the blind index of a contact point: E.164 for phones, lower case for e-mail, as it is for channel ids."""
    key = vault.keyring().index_key(organization_id, f"contact_point.{system}")
    return vault.blind_index(key, value.casefold() if system == "email" else value)


def last3_index(organization_id: UUID, phone: str) -> bytes:
    """Return the blind index of a phone number's last three digits."""
    return vault.blind_index(vault.keyring().index_key(organization_id, "contact_point.last3"), phone[-3:])


def identifier_index(organization_id: UUID, value: str) -> bytes:
    """Return the blind index of an identifier, whatever its kind: normalised as `kernel.taiwan.normalise_id` does."""
    return vault.blind_index(vault.keyring().index_key(organization_id, "identifier"), value)
