"""Contact points of rows of patients: read as people type them, each found by a blind index, sealed under the patient's key.

Works on a whole chunk, ahead of the database (see `preparing`). What repeats (a family's number, the last three digits) is worked
out once. No plain number is in what is rendered.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from careloop.integrations.imports.packing import LENGTHS, NULL, UUID_LENGTH, packed, packed_field, text_fields
from careloop.integrations.imports.rendering import Rendered, bytea, is_empty, render
from careloop.integrations.imports.rows import Row, Warned
from careloop.integrations.imports.staging import warn
from careloop.kernel import vault
from careloop.kernel.ids import drawn, rising_uuid7s
from careloop.kernel.phones import PhoneRefused, PhoneSeveral, read_phones
from careloop.patients import sealing
from careloop.patients.contacts import plain_contacts, read_contact

#: the columns of the staging table of contact points, in the order of `Contact`
STAGED_CONTACTS: tuple[tuple[str, str], ...] = (
    ("id", "uuid"), ("patient_id", "uuid"), ("system", "text"), ("use", "text"), ("value_sealed", "bytea"), ("value_index", "bytea"),
    ("is_mobile", "boolean"), ("warning", "text"), ("rank", "int"),
)  # fmt: skip

#: (system, use) of each column of a row
_SYSTEMS = {"mobile": ("phone", "mobile"), "phone": ("phone", "home"), "email": ("email", ""), "line_id": ("line", "")}
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
    is_mobile: bool
    warning: str
    rank: int


#: a contact as typed, worked out once however many patients share it: what is sealed, the hash, the fields from the hash to the warning
#: as COPY takes them, is it mobile, the warning, and the same of the numbers behind the first one where one cell holds several
_Read = tuple[bytes, bytes, bytes, bool, str, tuple["_Read", ...]]
#: a contact point that is kept: the row's place, its (system, use), how it reads, and which of the row's it is
_Kept = tuple[int, tuple[str, str], _Read, int]


#: a contact point as it is given: the row's place, its (system, use), and how it reads if it can be read
_Found = tuple[int, tuple[str, str], _Read | None]


@dataclass
class Contacts:
    """The contact points of a chunk in the order of its rows."""

    kept: list[_Kept]
    #: their own ids as text and bytes, and their sealed values
    ids: tuple[list[str], list[bytes]]
    sealed: list[bytes]
    #: the ids of the patients, row by row, as text and bytes
    patients: tuple[list[str], list[bytes]]

    @cached_property
    def _by_place(self) -> dict[int, list[tuple[Contact, str]]]:
        found: dict[int, list[tuple[Contact, str]]] = {}
        for (place, (system, use), read, rank), row_id, sealed in zip(self.kept, self.ids[0], self.sealed, strict=True):
            value, hashed, _packed, is_mobile, warning, _others = read
            contact = Contact(
                row_id, self.patients[0][place], system, use, bytea(sealed), bytea(hashed), is_mobile, warning, rank
            )
            found.setdefault(place, []).append((contact, value.decode()))
        return found

    def of(self, place: int) -> list[tuple[Contact, str]]:
        """Return the contact points of one row, with their values in clear."""
        return self._by_place.get(place, [])

    def rendered(self) -> Rendered | None:
        """Return all as COPY takes them."""
        if not self.kept:
            return None
        kinds, ranks, join = _PackedKinds(), _PackedRanks(), b"".join
        owners = [UUID_LENGTH + raw for raw in self.patients[1]]
        rows = [
            join((UUID_LENGTH, raw, owners[place], kinds[kind], LENGTHS[len(sealed)], sealed, read[2], ranks[rank]))
            for (place, kind, read, rank), raw, sealed in zip(self.kept, self.ids[1], self.sealed, strict=True)
        ]
        return packed(list(STAGED_CONTACTS), rows, len(rows))


def render_contacts(contacts: Sequence[Contact]) -> Rendered | None:
    """Return contact points of patients some of whom were known already."""
    return render(STAGED_CONTACTS, contacts) if contacts else None


class _PackedKinds(dict[tuple[str, str], bytes]):
    """(system, use) → the two fields."""

    def __missing__(self, kind: tuple[str, str]) -> bytes:
        made = self[kind] = b"".join(text_fields(kind))
        return made


class _PackedRanks(dict[int, bytes]):
    """Which of the row's contact points → its field."""

    def __missing__(self, rank: int) -> bytes:
        made = self[rank] = packed_field(rank.to_bytes(4, "big"))
        return made


@dataclass(slots=True)
class Reacher:
    """Reads, hashes and seals contact points of one organization's patients."""

    organization_id: UUID
    _indexers: dict[str, Callable[[Sequence[str]], list[bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for system in ("phone", "email", "line", "wechat"):
            self._indexers[system] = sealing.contact_indexer(self.organization_id, system)

    def contacts(
        self,
        rows: Sequence[Row],
        given: dict[str, Sequence[Any]],
        ids: tuple[list[str], list[bytes]],
        encrypts: list[Any],
        warned: dict[int, list[Warned]],
    ) -> Contacts:
        """Return every contact point of the rows, each once a patient, sealed.

        Args:
            given: the rows' columns by name; one that is not there holds nothing.
            ids: the patients' ids as text and bytes.
            encrypts: the patients' keys as functions that encrypt (nonce, text, place).
            warned: gets what is odd, by row.
        """
        found, plain = self._given(given)
        kept = _each(found) if plain else self._once(found, rows, warned)
        own = rising_uuid7s(len(kept))
        sealed = [
            nonce + encrypts[place](nonce, read[0], _PLACE + row_id.encode())
            for (place, _kind, read, _rank), row_id, nonce in zip(
                kept, own[0], drawn(vault.NONCE_BYTES, len(kept)), strict=True
            )
        ]
        return Contacts(kept, own, sealed, ids)

    def _once(self, found: list[_Found], rows: Sequence[Row], warned: dict[int, list[Warned]]) -> list[_Kept]:
        """Return what each row holds, once a patient, and note what is odd."""
        kept: list[_Kept] = []
        last, rank = -1, 0
        hashes: list[bytes] = []
        for place, kind, read in found:
            if place != last:
                last, rank, hashes = place, 0, []
            rank += 1
            if read is None:
                warned.setdefault(place, []).append(warn(rows[place], kind[0], "row.phone_unreadable"))
                continue
            _value, hashed, _packed, _is_mobile, warning, others = read
            if others:
                warned.setdefault(place, []).append(warn(rows[place], kind[1] or kind[0], "row.phone_several"))
            elif warning:
                noticed = NOTICED.get(warning, warning)
                warned.setdefault(place, []).append(warn(rows[place], kind[1] or kind[0], noticed))
            if hashed not in hashes:  # a hash is of one system only: each has a key of its own
                hashes.append(hashed)
                kept.append((place, kind, read, rank))
            for other in others:
                rank += 1
                if other[1] not in hashes:
                    hashes.append(other[1])
                    kept.append((place, (kind[0], "mobile" if other[3] else ""), other, rank))
        return kept

    def _given(self, given: dict[str, Sequence[Any]]) -> tuple[list[_Found], bool]:
        """Return what the contact columns hold, row by row, in the order of the columns; and whether nothing is odd or can be there twice."""
        found: list[_Found] = []
        systems: list[str] = []
        plain = True
        for name, kind in _SYSTEMS.items():
            column = given.get(name, ())
            if is_empty(column):
                continue
            systems.append(kind[0])
            reads = self._readings(kind[0], set(column) - _NOTHING)
            found += [(place, kind, reads[text]) for place, text in enumerate(column) if text]
            plain = plain and all(read and not read[4] and not read[5] for read in reads.values())
        more = given.get("contacts", ())
        if not is_empty(more):
            plain = False
            for place, told in enumerate(more):
                for system, use, text in _told(str(told)) if told else ():
                    found.append((place, (system, use), self._readings(system, {text})[text]))
        # each column is in the order of the rows already: merging them is quick
        return sorted(found, key=itemgetter(0)), plain and len(systems) == len(set(systems))

    def _readings(self, system: str, texts: Set[Any]) -> dict[Any, _Read | None]:
        """Return how different texts read: the usual ones all at once, which is most of a column."""
        indexes = self._indexers[system]
        plain = plain_contacts(system, [text for text in texts if isinstance(text, str)])
        is_mobile = system == "phone"
        told = _MOBILE[is_mobile] + NULL
        reads: dict[Any, _Read | None] = {
            text: (value.encode(), hashed, _INDEX_LENGTH + hashed + told, is_mobile, "", ())
            for (text, value), hashed in zip(plain.items(), indexes(list(plain.values())), strict=True)
        }
        for text in texts - plain.keys():
            try:
                value, indexed, is_mobile, warning = read_contact(system, str(text))
            except ValueError:
                reads[text] = None
                continue
            if warning == PhoneSeveral.code and (apart := _apart(str(text))):
                each = self._readings(system, set(apart))
                first, *others = [read for one in apart if (read := each[one])]
                reads[text] = (*first[:5], tuple(others))
                continue
            hashed = indexes([indexed])[0]
            told = _INDEX_LENGTH + hashed + _MOBILE[is_mobile] + (text_fields([warning])[0] if warning else NULL)
            reads[text] = value.encode(), hashed, told, is_mobile, warning, ()
        return reads


def _each(found: list[_Found]) -> list[_Kept]:
    """Return contact points that are all kept, with which of the row's each is."""
    kept: list[_Kept] = []
    last, rank = -1, 0
    for place, kind, read in found:
        rank = rank + 1 if place == last else 1
        last = place
        assert read
        kept.append((place, kind, read, rank))
    return kept


def _apart(text: str) -> list[str]:
    """Return the numbers of a cell that holds several, the first first; none where one of them cannot be read."""
    try:
        return [f"{one.e164}#{one.extension}" if one.extension else one.e164 for one in read_phones(text)]
    except PhoneRefused:
        return []


_INDEX_LENGTH = LENGTHS[vault.INDEX_BYTES]
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
