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

from careloop.integrations.imports.rendering import HEX, NULL, Rendered, texts_of
from careloop.integrations.imports.rows import Row, Warned
from careloop.kernel import vault
from careloop.kernel.ids import drawn, rising_uuid7s
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
    "phone.several": "row.phone_several",
    "phone.digits_lost": "row.phone_digits_lost",
    "phone.doubtful": "row.phone_doubtful",
    "email.odd": "row.email_unreadable",
    "identifier.check_digit": "row.national_id_check_digit",
    "identifier.shape": "row.national_id_check_digit",
}


class Contact(NamedTuple):
    """A contact point ready to be copied: every field is text for COPY already, with bytes in PostgreSQL's hex form."""

    id: str
    patient: str
    system: str
    use: str
    sealed: str
    hashed: str
    last3: str
    is_mobile: str
    warning: str
    rank: str


#: a contact as typed, worked out once however many patients share it: the value, its hash, what is noticed about it, and the fields
#: of `Contact` from `hashed` to `warning`; None for what cannot be read
_Read = tuple[str, str, str, str] | None


@dataclass
class Contacts:
    """The contact points of a chunk in the order of its rows."""

    #: each as a line of the staging table
    lines: list[str]
    #: the row each belongs to
    places: list[int]
    #: their values in clear, for patients who turn out to be known and have a key already
    values: list[str]

    @cached_property
    def _by_place(self) -> dict[int, list[tuple[Contact, str]]]:
        found: dict[int, list[tuple[Contact, str]]] = {}
        for place, line, value in zip(self.places, self.lines, self.values, strict=True):
            found.setdefault(place, []).append((Contact(*line.split("\t")), value))
        return found

    def of(self, place: int) -> list[tuple[Contact, str]]:
        """Return the contact points of one row, with their values in clear."""
        return self._by_place.get(place, [])

    def rendered(self) -> Rendered | None:
        return _rendered(self.lines)


def render_contacts(contacts: Sequence[Contact]) -> Rendered | None:
    return _rendered(["\t".join(contact) for contact in contacts])


def _rendered(lines: list[str]) -> Rendered | None:
    return Rendered(list(STAGED_CONTACTS), ("\n".join(lines) + "\n").encode(), len(lines)) if lines else None


class _LastDigits(dict[str, str]):
    """Three last digits → the blind index of phones that end in them: there are a thousand."""

    def __init__(self, index: Callable[[str], bytes]) -> None:
        self.index = index

    def __missing__(self, digits: str) -> str:
        made = self[digits] = HEX + self.index(digits).hex()
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
        ids: list[str],
        encrypts: list[Any],
        warned: dict[int, list[Warned]],
    ) -> Contacts:
        """Return every contact point of the rows, each once a patient, sealed.

        Args:
            given: the rows' columns by name.
            ids: the patients' ids.
            encrypts: the patients' keys as functions that encrypt (nonce, text, place).
            warned: gets what is odd, by row.
        """
        kept: list[tuple[int, str, str, str, int]] = []
        last, rank = -1, 0
        hashes: list[str] = []
        for place, what, read in self._given(given):
            if place != last:
                last, rank, hashes = place, 0, []
            rank += 1
            value, hashed, noticed, told = read or ("", "", "row.phone_unreadable", "")
            if noticed:
                system, _tab, use = what.partition("\t")
                name = system if not read or use == NULL else use
                warned.setdefault(place, []).append(warn(rows[place], name, noticed))
            if not read:
                continue
            if hashed in hashes:  # a hash is of one system only: each has a key of its own
                continue
            hashes.append(hashed)
            kept.append((place, what, value, told, rank))
        lines = [
            f"{row_id}\t{ids[place]}\t{what}\t{HEX}{(nonce + encrypts[place](nonce, value.encode(), _PLACE + row_id.encode())).hex()}"
            f"\t{told}\t{rank}"
            for (place, what, value, told, rank), (row_id, _raw), nonce in zip(
                kept, rising_uuid7s(len(kept)), drawn(vault.NONCE_BYTES, len(kept)), strict=True
            )
        ]
        return Contacts(lines, [one[0] for one in kept], [one[2] for one in kept])

    def _given(self, given: dict[str, Sequence[Any]]) -> list[tuple[int, str, _Read]]:
        """Return what the contact columns hold, row by row, in the order of the columns: (place, system and use, how it reads)."""
        found: list[tuple[int, str, _Read]] = []
        for name, system, use in _SYSTEMS:
            column = given[name]
            if texts := set(column) - _NOTHING:
                reads, what = self._readings(system, texts), f"{system}\t{use or NULL}"
                found += [(place, what, reads[text]) for place, text in enumerate(column) if text]
        more = given["contacts"]
        for place, told in enumerate(more) if not _NOTHING.issuperset(more) else ():
            for system, use, text in _told(str(told)) if told else ():
                found.append((place, f"{system}\t{texts_of([use])[0]}", self._readings(system, [text])[text]))
        # each column is in the order of the rows already: merging them is quick
        return sorted(found, key=itemgetter(0))

    def _readings(self, system: str, texts: Iterable[Any]) -> dict[Any, _Read]:
        """Return how different texts read."""
        index, last3 = self._indexers[system], self._last3
        reads: dict[Any, _Read] = {}
        for text in texts:
            try:
                value, indexed, digits, is_mobile, warning = read_contact(system, str(text))
            except ValueError:
                reads[text] = None
                continue
            hashed = HEX + index(indexed).hex()
            end = last3[digits[-3:]] if digits else NULL
            told = f"{hashed}\t{end}\t{'t' if is_mobile else 'f'}\t{warning or NULL}"
            reads[text] = (value, hashed, NOTICED.get(warning, warning), told)
        return reads


_NOTHING = frozenset({None, ""})


def _told(more: str) -> Iterator[tuple[str, str, str]]:
    """Yield (system, use, text) of the contact points beyond those that have a column, in order."""
    for entry in orjson.loads(more):
        system = entry.get("system") or ""
        if system in {"sms", "fax", "pager", "phone"}:
            system = "phone" if system in {"sms", "phone"} else ""
        if system in {"phone", "email", "line", "wechat"} and entry.get("value"):
            yield system, str(entry.get("use") or "")[:10], str(entry["value"])


def warn(row: Row, name: str, code: str, values: dict[str, Any] | None = None) -> Warned:
    return Warned(str(row[0] or ""), int(row[1] or 0), name, code, values or {})
