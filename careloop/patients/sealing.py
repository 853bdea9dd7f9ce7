"""How a patient's sensitive values are sealed and found again. Every writer and reader of sealed columns goes through here.

A sealed value is bound to its place, `table.column.row`. A patient's data key is wrapped for the patient's own id. Blind
indexes: one key per organization and sort of value, so that a phone number in two clinics has two unrelated hashes.

For sets (an import, a batch of messages) use `load_keys`, `create_keys` and `contact_values`: one query each.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from careloop.kernel import sql, vault

CONTACT_TABLE = "patients_contact_point"
IDENTIFIER_TABLE = "patients_identifier"
PATIENT_TABLE = "patients_patient"
RELATED_TABLE = "patients_related_person"


class NoKey(vault.VaultError):
    """The patient's data key was destroyed (erasure) or never made."""


def place(table: str, column: str, row_id: UUID) -> str:
    """Return the place a value is sealed for.

    >>> place("patients_contact_point", "value_sealed", UUID(int=1))
    'patients_contact_point.value_sealed.00000000-0000-0000-0000-000000000001'
    """
    return f"{table}.{column}.{row_id}"


# -- keys -------------------------------------------------------------------------------------------------------


def new_key(patient_id: UUID) -> tuple[bytes, bytes]:
    """Return a new data key for a patient, plain and wrapped."""
    key = vault.new_data_key()
    return key, vault.keyring().wrap(key, owner=patient_id.bytes)


def open_key(patient_id: UUID, wrapped: bytes) -> bytes:
    """Return the patient's data key.

    Raises:
        VaultError: the master key is missing or the bytes belong to another patient.
    """
    return _unwrapped(patient_id.bytes, bytes(wrapped))


@lru_cache(maxsize=20_000)
def _unwrapped(owner: bytes, wrapped: bytes) -> bytes:
    return vault.open_data_key(wrapped, owner=owner)


def load_keys(patient_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """Return the data keys of many patients, in one query; patients without a key are left out."""
    found = sql.rows("select patient_id, wrapped from patients_key where patient_id = any(%s)", [list(patient_ids)])
    return {row["patient_id"]: open_key(row["patient_id"], row["wrapped"]) for row in found}


def create_keys(patient_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """Return the data keys of many patients, making those that are missing: two queries, however many."""
    wanted = list(dict.fromkeys(patient_ids))
    keys = load_keys(wanted)
    missing = [patient for patient in wanted if patient not in keys]
    if missing:
        made = [new_key(patient) for patient in missing]
        sql.execute(
            "insert into patients_key (patient_id, wrapped) select * from unnest(%s::uuid[], %s::bytea[]) "
            "on conflict (patient_id) do nothing",
            [missing, [wrapped for _plain, wrapped in made]],
        )
        # read back: another transaction may have been first
        keys |= load_keys(missing)
    return keys


def key_of(patient_id: UUID) -> bytes:
    """Return one patient's data key.

    Raises:
        NoKey: it was destroyed or never made.
    """
    try:
        return load_keys([patient_id])[patient_id]
    except KeyError:
        raise NoKey("the patient has no data key") from None


# -- values -----------------------------------------------------------------------------------------------------


def seal(key: bytes, text: str, *, table: str, column: str, row_id: UUID) -> bytes:
    """Return `text` sealed for one column of one row."""
    return vault.seal(key, text, place=place(table, column, row_id))


def unseal(key: bytes, sealed: bytes, *, table: str, column: str, row_id: UUID) -> str:
    """Return the text sealed for one column of one row.

    Raises:
        VaultError: another key, another row, or changed bytes.
    """
    return vault.open_sealed(key, sealed, place=place(table, column, row_id))


@dataclass(frozen=True, slots=True)
class ContactValue:
    """A contact point with its value in clear: for sending, never for showing.

    `value` is E.164 for phones (without `extension`), the address for e-mail, the user id for LINE and WeChat.
    """

    id: UUID
    patient_id: UUID
    system: str
    use: str
    value: str
    extension: str
    is_mobile: bool
    rank: int
    reach: str
    is_verified: bool
    warning: str


def contact_values(patient_ids: Sequence[UUID], system: str | None = None) -> dict[UUID, list[ContactValue]]:
    """Return the contact points of many patients, in clear, each patient's best first: one query.

    Best is: not blocked or bounced, then by rank, then verified. Values without a warning come before those with one.

    Args:
        patient_ids: whose.
        system: phone, email, line or wechat; None for all.
    """
    found = sql.rows(
        """select c.id, c.patient_id, c.system, c.use, c.value_sealed, c.is_mobile, c.rank, c.reach,
                  c.verified_at is not null as is_verified, c.warning, k.wrapped
             from patients_contact_point c join patients_key k using (patient_id)
            where c.patient_id = any(%s) and (%s::text is null or c.system = %s)
            order by c.patient_id, c.reach in ('blocked', 'bounced'), c.warning <> '', c.rank, c.verified_at nulls last, c.id""",
        [list(patient_ids), system, system],
    )
    values: dict[UUID, list[ContactValue]] = {}
    for row in found:
        key = open_key(row["patient_id"], row.pop("wrapped"))
        text = unseal(key, row.pop("value_sealed"), table=CONTACT_TABLE, column="value_sealed", row_id=row["id"])
        value, _mark, extension = text.partition(";ext=") if row["system"] == "phone" else (text, "", "")
        values.setdefault(row["patient_id"], []).append(ContactValue(value=value, extension=extension, **row))
    return values


# -- blind indexes ----------------------------------------------------------------------------------------------


#: bytes of a telephone's blind index that all numbers with the same last three digits have in common
_ENDING_BYTES = 6


def contact_index(organization_id: UUID, system: str, value: str) -> bytes:
    """Return the blind index of a contact point: E.164 for phones, lower case for e-mail, as it is for channel ids.

    A telephone's begins with the hash of its last three digits, so that one index of the database finds it by both.
    """
    key = vault.keyring().index_key(organization_id, f"contact_point.{system}")
    index = vault.blind_index(key, value.casefold() if system == "email" else value)
    if system == "phone" and (ending := _ending(value)):
        return (_ending_index(organization_id, ending) + index)[: vault.INDEX_BYTES]
    return index


def contact_indexer(organization_id: UUID, system: str) -> Callable[[Sequence[str]], list[bytes]]:
    """Return `contact_index` for many values: keys and endings are hashed once."""
    indexes = vault.blind_indexer(vault.keyring().index_key(organization_id, f"contact_point.{system}"))
    if system == "email":
        return lambda values: indexes(map(str.casefold, values))
    if system != "phone":
        return indexes
    heads = {"": b""}

    def phone_indexes(values: Sequence[str]) -> list[bytes]:
        endings = list(map(_ending, values))
        heads.update({ending: _ending_index(organization_id, ending) for ending in set(endings) - heads.keys()})
        return [
            (heads[ending] + index)[: vault.INDEX_BYTES] for ending, index in zip(endings, indexes(values), strict=True)
        ]

    return phone_indexes


def last3_range(organization_id: UUID, digits: str) -> tuple[bytes, bytes]:
    """Return the first and the last blind index a telephone can have that ends in these three digits."""
    head = _ending_index(organization_id, digits)
    rest = vault.INDEX_BYTES - _ENDING_BYTES
    return head + bytes(rest), head + b"\xff" * rest


def _ending(value: str) -> str:
    """Return the last three digits of a value that is a telephone number, else nothing."""
    digits = value[1:] if value[:1] == "+" else value
    return digits[-3:] if digits.isdecimal() and len(digits) >= 3 and digits.isascii() else ""


def _ending_index(organization_id: UUID, ending: str) -> bytes:
    key = vault.keyring().index_key(organization_id, "contact_point.last3")
    return vault.blind_index(key, ending)[:_ENDING_BYTES]


def identifier_index(organization_id: UUID, value: str) -> bytes:
    """Return the blind index of an identifier, whatever its kind: normalised as `kernel.taiwan.normalise_id` does."""
    return vault.blind_index(vault.keyring().index_key(organization_id, "identifier"), value)
