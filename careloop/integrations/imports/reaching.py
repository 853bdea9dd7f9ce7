"""Contact points of rows of patients: read as people type them, each found by a blind index, sealed under the patient's key.

Works on a whole chunk, ahead of the database (see `preparing`). What repeats (a family's number, the last three digits) is worked
out once. No plain number is in what is rendered.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from careloop.integrations.imports.packing import LENGTHS, NULL, UUID_LENGTH, packed, packed_field, text_fields
from careloop.integrations.imports.rendering import Rendered, bytea, render
from careloop.integrations.imports.rows import Row, Warned
from careloop.integrations.imports.staging import warn
from careloop.kernel import vault
from careloop.kernel.ids import drawn, rising_uuid7s
from careloop.kernel.phones import PhoneRefused, PhoneSeveral, read_phones
from careloop.patients import sealing
from careloop.patients.contacts import read_contact

#: the columns of the staging table of contact points, in the order of `Contact`
STAGED_CONTACTS: tuple[tuple[str, str], ...] = (
    ("id", "uuid"), ("patient_id", "uuid"), ("system", "text"), ("use", "text"), ("value_sealed", "bytea"), ("value_index", "bytea"),
    ("last3_index", "bytea"), ("is_mobile", "boolean"), ("warning", "text"), ("rank", "int"),
)  # fmt: skip

_SYSTEMS = (("mobile", "phone", "mobile"), ("phone", "phone", "home"), ("email", "email", ""), ("line_id", "line", ""))
_PLACE = f"{sealing.CONTACT_TABLE}.value_sealed.".encode()

#: what reading a contact or identifier noticed → our reason
NOTICED = {
    "phone.invalid": "row.phone_unreadable",
    "phone.missing": "row.phone_unreadable",
    "phone.refused": "row.phone_unreadable",
    "phone.several": "row.phone_unreadable",
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
    warning: str
    rank: int


class _Read(NamedTuple):
    """A contact as typed, worked out once however many patients share it."""

    value: str
    hashed: bytes
    last3: bytes | None
    is_mobile: bool
    warning: str
    #: the fields from the hash to the warning as COPY takes them
    packed: bytes
    #: the numbers behind the first one, where one cell holds several
    others: tuple["_Read", ...] = ()


#: a contact point that is kept: the row's place, system, use, how it reads, and which of the row's it is
_Kept = tuple[int, str, str, _Read, int]


@dataclass
class Contacts:
    """The contact points of a chunk in the order of its rows."""

    kept: list[_Kept]
    #: their own ids as text and bytes, and their sealed values
    ids: list[tuple[str, bytes]]
    sealed: list[bytes]
    #: the ids of the patients, row by row
    patients: list[tuple[str, bytes]]

    @cached_property
    def _by_place(self) -> dict[int, list[tuple[Contact, str]]]:
        found: dict[int, list[tuple[Contact, str]]] = {}
        for (place, system, use, read, rank), (row_id, _raw), sealed in zip(
            self.kept, self.ids, self.sealed, strict=True
        ):
            contact = Contact(
                row_id, self.patients[place][0], system, use, bytea(sealed), bytea(read.hashed),
                bytea(read.last3) if read.last3 else None, read.is_mobile, read.warning, rank,
            )  # fmt: skip
            found.setdefault(place, []).append((contact, read.value))
        return found

    def of(self, place: int) -> list[tuple[Contact, str]]:
        """Return the contact points of one row, with their values in clear."""
        return self._by_place.get(place, [])

    def rendered(self) -> Rendered | None:
        """Return all as COPY takes them."""
        if not self.kept:
            return None
        uses = {what: b"".join(text_fields(what)) for what in {(system, use) for _at, system, use, *_rest in self.kept}}
        ranks = [packed_field(rank.to_bytes(4, "big")) for rank in range(max(one[4] for one in self.kept) + 1)]
        patients = self.patients
        rows = [
            b"".join(
                (
                    UUID_LENGTH, raw, UUID_LENGTH, patients[place][1], uses[system, use], LENGTHS[len(sealed)], sealed,
                    read.packed, ranks[rank],
                )
            )
            for (place, system, use, read, rank), (_id, raw), sealed in zip(self.kept, self.ids, self.sealed, strict=True)
        ]  # fmt: skip
        return packed(list(STAGED_CONTACTS), rows, len(rows))


def render_contacts(contacts: Sequence[Contact]) -> Rendered | None:
    """Return contact points of patients some of whom were known already."""
    return render(STAGED_CONTACTS, contacts) if contacts else None


class _LastDigits(dict[str, bytes]):
    """Three last digits → the blind index of phones that end in them: there are a thousand."""

    def __init__(self, index: Callable[[str], bytes]) -> None:
        self.index = index

    def __missing__(self, digits: str) -> bytes:
        made = self[digits] = self.index(digits)
        return made


@dataclass(slots=True)
class Reacher:
    """Reads, hashes and seals contact points of one organization's patients."""

    organization_id: UUID
    _last3: _LastDigits = field(init=False)
    _indexers: dict[str, Callable[[str], bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ring = vault.keyring()
        for name in ("phone", "email", "line", "wechat", "last3"):
            self._indexers[name] = vault.blind_indexer(ring.index_key(self.organization_id, f"contact_point.{name}"))
        self._last3 = _LastDigits(self._indexers["last3"])

    def contacts(
        self,
        rows: Sequence[Row],
        given: dict[str, Sequence[Any]],
        ids: list[tuple[str, bytes]],
        encrypts: list[Any],
        warned: dict[int, list[Warned]],
    ) -> Contacts:
        """Return every contact point of the rows, each once a patient, sealed.

        Args:
            given: the rows' columns by name.
            ids: the patients' ids as text and bytes.
            encrypts: the patients' keys as functions that encrypt (nonce, text, place).
            warned: gets what is odd, by row.
        """
        kept: list[_Kept] = []
        last, rank = -1, 0
        hashes: list[bytes] = []
        for place, system, use, read in self._given(given):
            if place != last:
                last, rank, hashes = place, 0, []
            rank += 1
            if read is None:
                warned.setdefault(place, []).append(warn(rows[place], system, "row.phone_unreadable"))
                continue
            if read.others:
                warned.setdefault(place, []).append(warn(rows[place], use or system, "row.phone_several"))
            elif read.warning:
                noticed = NOTICED.get(read.warning, read.warning)
                warned.setdefault(place, []).append(warn(rows[place], use or system, noticed))
            if read.hashed not in hashes:  # a hash is of one system only: each has a key of its own
                hashes.append(read.hashed)
                kept.append((place, system, use, read, rank))
            for other in read.others:
                rank += 1
                if other.hashed not in hashes:
                    hashes.append(other.hashed)
                    kept.append((place, system, "mobile" if other.is_mobile else "", other, rank))
        own = rising_uuid7s(len(kept))
        sealed = [
            nonce + encrypts[place](nonce, read.value.encode(), _PLACE + row_id.encode())
            for (place, _system, _use, read, _rank), (row_id, _raw), nonce in zip(
                kept, own, drawn(vault.NONCE_BYTES, len(kept)), strict=True
            )
        ]
        return Contacts(kept, own, sealed, ids)

    def _given(self, given: dict[str, Sequence[Any]]) -> list[tuple[int, str, str, _Read | None]]:
        """Return what the contact columns hold, row by row, in the order of the columns: (place, system, use, how it reads)."""
        found: list[tuple[int, str, str, _Read | None]] = []
        for name, system, use in _SYSTEMS:
            column = given[name]
            if texts := set(column) - _NOTHING:
                reads = self._readings(system, texts)
                found += [(place, system, use, reads[text]) for place, text in enumerate(column) if text]
        more = given["contacts"]
        for place, told in enumerate(more) if not _NOTHING.issuperset(more) else ():
            for system, use, text in _told(str(told)) if told else ():
                found.append((place, system, use, self._readings(system, [text])[text]))
        # each column is in the order of the rows already: merging them is quick
        return sorted(found, key=itemgetter(0))

    def _readings(self, system: str, texts: Iterable[Any]) -> dict[Any, _Read | None]:
        """Return how different texts read."""
        index, last3_of = self._indexers[system], self._last3
        reads: dict[Any, _Read | None] = {}
        for text in texts:
            try:
                value, indexed, digits, is_mobile, warning = read_contact(system, str(text))
            except ValueError:
                reads[text] = None
                continue
            if warning == PhoneSeveral.code and (apart := _apart(str(text))):
                each = self._readings(system, apart)
                first, *others = [read for one in apart if (read := each[one])]
                reads[text] = first._replace(others=tuple(others))
                continue
            hashed = index(indexed)
            last3 = last3_of[digits[-3:]] if digits else None
            told = LENGTHS[len(hashed)] + hashed + (LENGTHS[len(last3)] + last3 if last3 else NULL) + _MOBILE[is_mobile]
            told += text_fields([warning])[0] if warning else NULL
            reads[text] = _Read(value, hashed, last3, is_mobile, warning, told)
        return reads


def _apart(text: str) -> list[str]:
    """Return the numbers of a cell that holds several, the first first; none where one of them cannot be read."""
    try:
        return [f"{one.e164}#{one.extension}" if one.extension else one.e164 for one in read_phones(text)]
    except PhoneRefused:
        return []


_MOBILE = {True: packed_field(b"\1"), False: packed_field(b"\0")}
_NOTHING = frozenset({None, ""})


def _told(more: str) -> Iterator[tuple[str, str, str]]:
    """Yield (system, use, text) of the contact points beyond those that have a column, in order."""
    for entry in orjson.loads(more):
        system = entry.get("system") or ""
        if system in {"sms", "fax", "pager", "phone"}:
            system = "phone" if system in {"sms", "phone"} else ""
        if system in {"phone", "email", "line", "wechat"} and entry.get("value"):
            yield system, str(entry.get("use") or "")[:10], str(entry["value"])
