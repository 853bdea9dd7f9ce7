"""What is made of patients' rows before the database is asked: read, hashed, sealed, and rendered for COPY.

It runs in the thread that reads the file, while the database writes the chunk before. Nothing here knows whether a patient is
known already. On a first import every row is new, so what is rendered is copied as it stands; for a patient who turns out to be
known, `people` seals again what really changed, under the patient's own key.

Sealed values have the form of `vault.seal` (nonce, then AES-256-GCM bound to the place); a key is wrapped as `Keyring.wrap` does.
No plain telephone number or national id is in what is rendered.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from careloop.integrations.imports.moments import Bad, moment_text
from careloop.integrations.imports.rendering import HEX, Rendered, render
from careloop.integrations.imports.rows import PATIENT, Row, Warned
from careloop.kernel import vault
from careloop.kernel.text import grams
from careloop.patients import sealing
from careloop.patients.contacts import ReadContact, read_contact, read_identifier

TABLE = sealing.PATIENT_TABLE

#: texts that are kept as they came; the table says how long each may be
TEXTS = (
    "name", "family_name", "given_name", "sex", "language", "postal_code", "city", "district", "country",
    "marital_status", "blood_group", "occupation", "note",
)  # fmt: skip
_C = 'text collate "C"'
#: the columns of the staging table, in the order of `Prepared.rows`
STAGED: tuple[tuple[str, str], ...] = (
    ("id", "uuid"), ("is_new", "boolean"), ("external_id", _C), ("chart_number", _C), ("birth_date", "date"),
    ("birth_precision", "text"), ("deceased", "boolean"), ("deceased_at", "timestamptz"), ("active", "boolean"),
    ("registered_on", "date"), ("address_sealed", "bytea"), ("name_grams", "text[]"), ("wrapped", "bytea"),
    *((name, "text") for name in TEXTS),
)  # fmt: skip
STAGED_AT = {name: place for place, (name, _kind) in enumerate(STAGED)}
#: the columns of the staging table of contact points, in the order of `Contact`
STAGED_CONTACTS: tuple[tuple[str, str], ...] = (
    ("id", "uuid"), ("patient_id", "uuid"), ("system", "text"), ("use", "text"), ("value_sealed", "bytea"), ("value_index", "bytea"),
    ("last3_index", "bytea"), ("is_mobile", "boolean"), ("rank", "int"), ("warning", "text"),
)  # fmt: skip

_SYSTEMS = (("mobile", "phone", "mobile"), ("phone", "phone", "home"), ("email", "email", ""), ("line_id", "line", ""))
_NAME, _BIRTH, _DEAD, _DIED, _ACTIVE, _REGISTERED, _ADDRESS, _ID, _CHART, _SEX_GIVEN = (
    PATIENT.index[name]
    for name in (
        "name", "birth_date", "deceased", "deceased_at", "active", "registered_on", "address", "external_id", "chart_number", "sex",
    )
)  # fmt: skip
_texts_of = itemgetter(*(PATIENT.index[name] for name in TEXTS))
_CONTACT_PLACES = tuple((PATIENT.index[name], system, use) for name, system, use in _SYSTEMS)
_MORE_CONTACTS = PATIENT.index["contacts"]
_SEX = frozenset({"male", "female", "other", "unknown"})
#: what reading a contact or identifier noticed → our reason
NOTICED = {
    "phone.invalid": "row.phone_unreadable",
    "phone.missing": "row.phone_unreadable",
    "phone.refused": "row.phone_unreadable",
    "phone.several": "row.phone_several",
    "phone.digits_lost": "row.phone_digits_lost",
    "phone.doubtful": "row.phone_doubtful",
    "email.odd": "row.email_unreadable",
    "identifier.check_digit": "row.national_id_check_digit",
    "identifier.shape": "row.national_id_check_digit",
}


class Contact(NamedTuple):
    """A contact point ready to be copied; bytes are in PostgreSQL's hex form."""

    id: str
    patient: str
    system: str
    use: str
    sealed: str
    hashed: str
    last3: str | None
    is_mobile: bool
    rank: int
    warning: str


@dataclass(slots=True)
class Prepared:
    """A chunk of patients' rows, as they are staged if every patient is new."""

    ids: list[str]
    keys: list[bytes]
    rows: list[tuple[Any, ...]]
    contacts: list[list[Contact]]
    #: the values of `contacts` in clear, for patients who turn out to be known and have a key already
    values: list[list[str]]
    #: rows that have something to look at
    warned: dict[int, list[Warned]]
    #: `rows` and `contacts` as COPY takes them, with the columns that hold anything
    text: Rendered | None = None
    contact_text: Rendered | None = None


@dataclass(slots=True)
class _Random:
    """Random bytes taken from the system in one go: a call for each nonce costs more than the sealing."""

    drawn: bytes = b""
    at: int = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.drawn):
            self.drawn, self.at = os.urandom(max(size, 1 << 16)), 0
        end = self.at + size
        taken = self.drawn[self.at : end]
        self.at = end
        return taken


class _Seen(NamedTuple):
    """A contact as typed: how it reads and what it is found by, worked out once however many patients share it."""

    read: ReadContact
    hashed: str
    last3: str | None
    value: bytes
    warning: str


#: how many different names and birth dates are remembered at most
_REMEMBERED = 20_000


@dataclass(slots=True)
class Preparer:
    """Reads, hashes and seals rows of patients of one organization; keeps what repeats from row to row."""

    organization_id: UUID
    zone: tzinfo
    _died: Any = None
    _last3: dict[str, str] = field(default_factory=dict)
    _births: dict[Any, tuple[str | None, str | None]] = field(default_factory=dict)
    _grams: dict[str, str] = field(default_factory=dict)
    _indexers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ring = vault.keyring()
        self._died = moment_text(self.zone)
        for system in ("phone", "email", "line", "wechat"):
            self._indexers[system] = vault.blind_indexer(
                ring.index_key(self.organization_id, f"contact_point.{system}")
            )
        self._indexers["last3"] = vault.blind_indexer(ring.index_key(self.organization_id, "contact_point.last3"))

    def prepare(
        self, rows: Sequence[Row], *, ids: list[str] | None = None, keys: list[bytes] | None = None
    ) -> Prepared:
        """Return what the rows need, for new patients or under the ids and keys of patients made before."""
        take = _Random().take
        keys = keys or [take(vault.KEY_BYTES) for _row in rows]
        made = Prepared(ids or new_ids(len(rows)), keys, [], [], [], {})
        for known in (self._births, self._grams):
            if len(known) > _REMEMBERED:
                known.clear()
        ring = vault.keyring()
        version, wrap = ring.current.to_bytes(4, "big"), AESGCM(ring.masters[ring.current]).encrypt
        readings, fresh = self._contact_readings(rows), ids_ahead()
        for place, (row, patient, key) in enumerate(zip(rows, made.ids, keys, strict=True)):
            warned: list[Warned] = []
            nonce = take(vault.NONCE_BYTES)
            wrapped = HEX + (version + nonce + wrap(nonce, key, bytes.fromhex(patient.replace("-", "")))).hex()
            encrypt = AESGCM(key).encrypt
            address = None
            if row[_ADDRESS]:
                nonce = take(vault.NONCE_BYTES)
                sealed = encrypt(nonce, str(row[_ADDRESS]).encode(), _ADDRESS_PLACE + patient.encode())
                address = HEX + (nonce + sealed).hex()
            made.rows.append(self._staged(row, patient, address, wrapped, warned))
            contacts, values = self._contacts(row, patient, readings, encrypt, take, fresh, warned)
            made.contacts.append(contacts)
            made.values.append(values)
            if warned:
                made.warned[place] = warned
        return made

    def _staged(
        self, row: Row, patient: str, address: str | None, wrapped: str, warned: list[Warned]
    ) -> tuple[Any, ...]:
        """Return the row of the staging table (see `STAGED`)."""
        birth = self._births.get(row[_BIRTH])
        if birth is None:
            birth = self._births[row[_BIRTH]] = read_birth(row[_BIRTH])
        name = str(row[_NAME] or "")
        pieces = self._grams.get(name)
        if pieces is None:
            pieces = self._grams[name] = _array(grams(name))
        died = self._died_at(row, warned) if row[_DIED] else None
        dead = bool(row[_DEAD]) or died is not None
        texts = _texts_of(row)
        if row[_SEX_GIVEN] and row[_SEX_GIVEN] not in _SEX:
            texts = (*texts[:3], "unknown", *texts[4:])
            warned.append(warn(row, "sex", "row.unknown_sex"))
        external = row[_ID] or ("" if row[_CHART] else identity_key(row, self.organization_id))
        return (
            patient, True, external, row[_CHART], *birth, dead if dead or row[_DEAD] is not None else None, died, row[_ACTIVE],
            row[_REGISTERED], address, pieces, wrapped, *texts,
        )  # fmt: skip

    def _died_at(self, row: Row, warned: list[Warned]) -> str | None:
        try:
            return str(self._died(str(row[_DIED])))
        except Bad:
            warned.append(warn(row, "deceased_at", "row.not_a_date"))
            return None

    def _contact_readings(self, rows: Sequence[Row]) -> list[tuple[int, str, str, dict[Any, _Seen | None]]]:
        """Return the contact columns in which anything stands, with what each different text in them reads as."""
        found = []
        for at, system, use in _CONTACT_PLACES:
            texts = {row[at] for row in rows} - {None, ""}
            if texts:
                found.append((at, system, use, {text: self._read(system, str(text)) for text in texts}))
        return found

    def _contacts(
        self,
        row: Row,
        patient: str,
        readings: list[tuple[int, str, str, dict[Any, _Seen | None]]],
        encrypt: Callable[[bytes, bytes, bytes], bytes],
        take: Callable[[int], bytes],
        fresh: Iterator[str],
        warned: list[Warned],
    ) -> tuple[list[Contact], list[str]]:
        """Return a row's contact points, each once, with their values in clear."""
        given = [(system, use, known[row[at]]) for at, system, use, known in readings if row[at]]
        if row[_MORE_CONTACTS]:
            given += [(system, use, self._read(system, text)) for system, use, text in more_contacts_of(row)]
        contacts: list[Contact] = []
        values: list[str] = []
        hashes: list[str] = []
        rank = 0
        for system, use, one in given:
            rank += 1
            if one is None:
                warned.append(warn(row, system, "row.phone_unreadable"))
                continue
            read, hashed, last3, value, warning = one
            if warning:
                warned.append(warn(row, use or system, warning))
            if hashed in hashes:  # a hash is of one system only: each has a key of its own
                continue
            hashes.append(hashed)
            row_id, nonce = next(fresh), take(vault.NONCE_BYTES)
            sealed = HEX + (nonce + encrypt(nonce, value, _CONTACT_PLACE + row_id.encode())).hex()
            contacts.append(
                Contact(row_id, patient, system, use, sealed, hashed, last3, read.is_mobile, rank, read.warning)
            )
            values.append(read.value)
        return contacts, values

    def _read(self, system: str, text: str) -> _Seen | None:
        try:
            read = read_contact(system, text)
        except ValueError:
            return None
        last3 = None
        if end := read.digits[-3:]:
            last3 = self._last3.get(end)
            if last3 is None:
                last3 = self._last3[end] = HEX + self._indexers["last3"](end).hex()
        hashed = HEX + self._indexers[system](read.indexed).hex()
        return _Seen(read, hashed, last3, read.value.encode(), NOTICED.get(read.warning, read.warning))


_ADDRESS_PLACE = f"{TABLE}.address_sealed.".encode()
_CONTACT_PLACE = f"{sealing.CONTACT_TABLE}.value_sealed.".encode()
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def prepare_patients(preparer: Preparer, rows: Sequence[Row]) -> Prepared:
    """Return a chunk prepared and rendered: on a first import it is copied as it stands."""
    made = preparer.prepare(rows)
    made.text = render(STAGED, made.rows)
    contacts = [contact for one in made.contacts for contact in one]
    made.contact_text = render(STAGED_CONTACTS, contacts) if contacts else None
    return made


def new_ids(count: int) -> list[str]:
    """Return UUIDv7s as text (RFC 9562): the time in milliseconds, then random bits."""
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    head = f"{stamp[:8]}-{stamp[8:]}-7"
    tails = os.urandom(count * 10).hex()
    return [
        f"{head}{tails[at : at + 3]}-{_VARIANT[tails[at + 3]]}{tails[at + 4 : at + 7]}-{tails[at + 7 : at + 19]}"
        for at in range(0, count * 20, 20)
    ]


def ids_ahead() -> Iterator[str]:
    """Yield UUIDv7s as text without end, made a thousand at a time."""
    while True:
        yield from new_ids(1000)


_COMPLETED = {4: "-01-01", 7: "-01", 10: ""}
_PRECISION = {4: "year", 7: "month", 10: "day"}


def read_birth(written: Any) -> tuple[str | None, str | None]:
    """Return a birth date as a day and how much of it is known."""
    if not written:
        return None, None
    text = str(written)[:10]
    try:
        day = date.fromisoformat(text + _COMPLETED[len(text)])
    except (ValueError, KeyError):
        return None, None
    return day.isoformat(), _PRECISION[len(text)]


def _array(pieces: list[str]) -> str:
    # pieces are letters and digits only
    return '{"' + '","'.join(pieces) + '"}' if pieces else "{}"


def more_contacts_of(row: Row) -> list[tuple[str, str, str]]:
    """Return (system, use, text) of the contact points beyond those that have a column, in order."""
    given = []
    for entry in orjson.loads(str(row[_MORE_CONTACTS])):
        system = entry.get("system") or ""
        if system in {"sms", "fax", "pager", "phone"}:
            system = "phone" if system in {"sms", "phone"} else ""
        if system in {"phone", "email", "line", "wechat"} and entry.get("value"):
            given.append((system, str(entry.get("use") or "")[:10], str(entry["value"])))
    return given


def identity_key(row: Row, organization_id: UUID) -> str:
    """Return what a patient without id and chart number is known by: the national id, or name, birth date and phones, hashed."""
    index = PATIENT.index
    if number := row[index["national_id"]]:
        value = read_identifier("national_id", str(number)).value
        return "id:" + sealing.identifier_index(organization_id, value).hex()
    told = "|".join(str(row[index[name]] or "").strip() for name in ("name", "birth_date", "mobile", "phone"))
    return "nk:" + sealing.contact_index(organization_id, "identity", told).hex()


def warn(row: Row, name: str, code: str, values: dict[str, Any] | None = None) -> Warned:
    return Warned(str(row[0] or ""), int(row[1] or 0), name, code, values or {})
