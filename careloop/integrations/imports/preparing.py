"""What is made of patients' rows before the database is asked: read, hashed, sealed, and rendered for COPY.

It runs in the thread that reads the file, while the database writes the chunk before. Nothing here knows whether a patient is
known already. On a first import every row is new, so what is rendered is copied as it stands; for a patient who turns out to be
known, `people` seals again what really changed, under the patient's own key.

Sealed values have the form of `vault.seal` (nonce, then AES-256-GCM bound to the place); a key is wrapped as `Keyring.wrap` does.
No plain telephone number or national id is in what is rendered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import cached_property
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from careloop.integrations.imports.columns import too_long
from careloop.integrations.imports.moments import Bad, moment_text
from careloop.integrations.imports.packing import bytes_fields, packed, text_fields
from careloop.integrations.imports.reaching import Contacts, Reacher
from careloop.integrations.imports.rendering import Rendered, bytea, is_empty
from careloop.integrations.imports.rows import PATIENT, Row, Warned, columns_of
from careloop.integrations.imports.staging import limits, warn
from careloop.kernel import vault
from careloop.kernel.ids import drawn, rising_uuid7s
from careloop.kernel.text import grams
from careloop.patients import sealing
from careloop.patients.contacts import read_identifier

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
#: columns that are copied as bytes; everything else is copied as text
_AS_BYTES = {"id": "uuid", "address_sealed": "bytea", "wrapped": "bytea"}
#: how much of a birth date is known if a row says nothing else (see `people`)
_BY_THE_DAY = frozenset({"day", None})
_SEX = frozenset({"male", "female", "other", "unknown", None, ""})


@dataclass
class Prepared:
    """A chunk of patients' rows column by column, as they are staged if every patient is new."""

    ids: list[str]
    #: the same ids as bytes
    owners: list[bytes]
    keys: list[bytes]
    #: what is staged, by column; columns in which nothing stands are left out
    columns: dict[str, Sequence[Any]]
    contacts: Contacts
    #: rows that have something to look at
    warned: dict[int, list[Warned]]
    #: columns and contact points as COPY takes them
    text: Rendered | None = None
    contact_text: Rendered | None = None

    @cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        """The rows of the staging table (see `STAGED`), for chunks in which somebody is known already."""
        nothing = [None] * len(self.ids)
        known = {**self.columns, "id": self.ids, "is_new": [True] * len(self.ids)}
        for name, kind in _AS_BYTES.items():
            if kind == "bytea" and name in known:
                known[name] = [value and bytea(value) for value in known[name]]
        return list(zip(*(known.get(name, nothing) for name, _kind in STAGED), strict=True))

    def rendered(self) -> Rendered:
        """Return the rows as COPY takes them; that all are new is not said in each, nor that birth dates are whole days."""
        left_out = {"birth_precision"} if _BY_THE_DAY.issuperset(self.columns.get("birth_precision", ())) else set()
        held = [
            (name, _AS_BYTES.get(name) or (_C if kind == _C else "text"))
            for name, kind in STAGED
            if name == "id" or name in self.columns.keys() - left_out
        ]
        fields = [
            bytes_fields(self.owners if name == "id" else self.columns[name])
            if name in _AS_BYTES
            else text_fields(self.columns[name])
            for name, _kind in held
        ]
        return packed(held, map(b"".join, zip(*fields, strict=True)), len(self.ids))


#: how many different names and birth dates are remembered at most
_REMEMBERED = 50_000


@dataclass(slots=True)
class Preparer:
    """Reads, hashes and seals rows of patients of one organization; keeps what repeats from row to row."""

    organization_id: UUID
    zone: tzinfo
    _reacher: Any = None
    _died: Any = None
    _births: dict[Any, tuple[str | None, str | None]] = field(default_factory=dict)
    _grams: dict[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._died = moment_text(self.zone)
        self._reacher = Reacher(self.organization_id)

    def prepare(
        self, rows: Sequence[Row], *, ids: list[str] | None = None, keys: list[bytes] | None = None
    ) -> Prepared:
        """Return what the rows need, for new patients or under the ids and keys of patients made before."""
        made = (ids, [UUID(one).bytes for one in ids]) if ids else rising_uuid7s(len(rows))
        ids, owners = made
        keys = keys or drawn(vault.KEY_BYTES, len(rows))
        given: dict[str, Sequence[Any]] = dict(zip(PATIENT.names, columns_of(rows), strict=True))
        warned: dict[int, list[Warned]] = {}
        encrypts = [AESGCM(key).encrypt for key in keys]
        columns: dict[str, Sequence[Any]] = {
            "external_id": self._external_ids(rows, given), "chart_number": given["chart_number"],
            **self._birth_dates(given["birth_date"]), **self._deaths(rows, given, warned), "active": given["active"],
            "registered_on": given["registered_on"], "address_sealed": _addresses(ids, encrypts, given["address"]),
            "name_grams": self._name_grams(given["name"]), "wrapped": _wrapped(keys, owners),
            **{name: given[name] for name in TEXTS}, "sex": _sexes(rows, given["sex"], warned),
        }  # fmt: skip
        _warn_of_cut(rows, given, warned)
        contacts = self._reacher.contacts(rows, given, made, encrypts, warned)
        return Prepared(
            ids,
            owners,
            keys,
            {name: values for name, values in columns.items() if not is_empty(values)},
            contacts,
            warned,
        )

    def _external_ids(self, rows: Sequence[Row], given: dict[str, Sequence[Any]]) -> Sequence[Any]:
        """Return the ids in the source; who has neither one nor a chart number is known by what else is told."""
        charts, externals = given["chart_number"], given["external_id"]
        if all(charts):
            return externals
        return [
            external or ("" if chart else identity_key(row, self.organization_id))
            for external, chart, row in zip(externals, charts, rows, strict=True)
        ]

    def _birth_dates(self, written: Sequence[Any]) -> dict[str, Sequence[Any]]:
        if is_empty(written):
            return {}
        known = _refreshed(self._births)
        known.update({text: read_birth(text) for text in set(written) - known.keys()})
        days, precisions = zip(*[known[text] for text in written], strict=True)
        return {"birth_date": days, "birth_precision": precisions}

    def _name_grams(self, names: Sequence[Any]) -> Sequence[str]:
        known = _refreshed(self._grams)
        known.update({name: _array(grams(str(name or ""))) for name in set(names) - known.keys()})
        return [known[name] for name in names]

    def _deaths(
        self, rows: Sequence[Row], given: dict[str, Sequence[Any]], warned: dict[int, list[Warned]]
    ) -> dict[str, Sequence[Any]]:
        """Return who has died and when; a date of death that cannot be read says at least that."""
        dead: Sequence[Any] = given["deceased"]
        if is_empty(given["deceased_at"]):
            return {"deceased": dead}
        died: list[str | None] = []
        for place, written in enumerate(given["deceased_at"]):
            try:
                died.append(self._died(str(written)) if written else None)
            except Bad:
                died.append(None)
                warned.setdefault(place, []).append(warn(rows[place], "deceased_at", "row.not_a_date"))
        dead = [True if moment else one for moment, one in zip(died, dead, strict=True)]
        return {"deceased": dead, "deceased_at": died}


def _refreshed(known: dict[Any, Any]) -> dict[Any, Any]:
    if len(known) > _REMEMBERED:
        known.clear()
    return known


_ADDRESS_PLACE = f"{TABLE}.address_sealed.".encode()


def _addresses(ids: list[str], encrypts: list[Any], addresses: Sequence[Any]) -> Sequence[bytes | None]:
    """Return each address sealed under its patient's key, bound to the patient's row."""
    if is_empty(addresses):
        return ()
    return [
        nonce + encrypt(nonce, str(address).encode(), _ADDRESS_PLACE + patient.encode()) if address else None
        for patient, encrypt, address, nonce in zip(
            ids, encrypts, addresses, drawn(vault.NONCE_BYTES, len(ids)), strict=True
        )
    ]


def _wrapped(keys: list[bytes], owners: list[bytes]) -> list[bytes]:
    """Return each key wrapped for its patient, as `Keyring.wrap` does."""
    ring = vault.keyring()
    version, wrap = ring.current.to_bytes(4, "big"), AESGCM(ring.masters[ring.current]).encrypt
    return [
        version + nonce + wrap(nonce, key, owner)
        for key, owner, nonce in zip(keys, owners, drawn(vault.NONCE_BYTES, len(keys)), strict=True)
    ]


def _warn_of_cut(rows: Sequence[Row], given: dict[str, Sequence[Any]], warned: dict[int, list[Warned]]) -> None:
    """Say which texts are longer than their column: they are cut when they are written."""
    longest = limits(TABLE)
    for name in (one for one in TEXTS if one != "sex"):
        for place, limit in too_long(given[name], longest.get(name)):
            warned.setdefault(place, []).append(warn(rows[place], name, "row.cut", {"limit": limit}))


def _sexes(rows: Sequence[Row], sexes: Sequence[Any], warned: dict[int, list[Warned]]) -> Sequence[Any]:
    if _SEX.issuperset(sexes):
        return sexes
    for place, sex in enumerate(sexes):
        if sex not in _SEX:
            warned.setdefault(place, []).append(warn(rows[place], "sex", "row.unknown_sex"))
    return [sex if sex in _SEX else "unknown" for sex in sexes]


def prepare_patients(preparer: Preparer, rows: Sequence[Row]) -> Prepared:
    """Return a chunk prepared and rendered: on a first import it is copied as it stands."""
    made = preparer.prepare(rows)
    made.text = made.rendered()
    made.contact_text = made.contacts.rendered()
    return made


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


def identity_key(row: Row, organization_id: UUID) -> str:
    """Return what a patient without id and chart number is known by: the national id, or name, birth date and phones, hashed."""
    index = PATIENT.index
    if number := row[index["national_id"]]:
        value = read_identifier("national_id", str(number)).value
        return "id:" + sealing.identifier_index(organization_id, value).hex()
    told = "|".join(str(row[index[name]] or "").strip() for name in ("name", "birth_date", "mobile", "phone"))
    return "nk:" + sealing.contact_index(organization_id, "identity", told).hex()
