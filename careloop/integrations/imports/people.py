"""Write patients and the people who belong to them: found again, sealed, and brought up to date, as a set.

A patient is found by the id in this source, another name, the chart number, a UUID of any source; without any of these by the
national id, and last by name, birth date and phone together. What is sealed is sealed here, before it is copied anywhere:
no plain telephone number or national id reaches a staging table.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from careloop.integrations.imports.rows import PATIENT, RELATED_PERSON, Row, RowChunk, Warned
from careloop.integrations.imports.writing import (
    Outcome,
    Run,
    _Bad,
    _fetch,
    _refused,
    drop,
    find_patients,
    limits,
    moment_text,
    note_growth,
    stage,
)  # fmt: skip
from careloop.kernel import sql, vault
from careloop.kernel.ids import uuid7
from careloop.kernel.text import grams
from careloop.patients import sealing
from careloop.patients.contacts import read_contact, read_identifier

TABLE = sealing.PATIENT_TABLE

#: column → (field, cast); sealed values and what is derived are added in code
_TEXTS = (
    "name", "family_name", "given_name", "sex", "language", "postal_code", "city", "district", "country",
    "marital_status", "blood_group", "occupation", "note",
)  # fmt: skip
_SYSTEMS = (("mobile", "phone", "mobile"), ("phone", "phone", "home"), ("email", "email", ""), ("line_id", "line", ""))
_CONTACT_PLACES = tuple((PATIENT.index[name], system, use) for name, system, use in _SYSTEMS)
_MORE_CONTACTS = PATIENT.index["contacts"]
_IDENTIFIER_KINDS = {
    "PPN": "passport", "NNTWN": "national_id", "NI": "national_id", "PRC": "resident_certificate", "NIIP": "insurance_card",
    "HC": "insurance_card",
}  # fmt: skip
#: what reading a contact or identifier noticed → our reason
_NOTICED = {
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
_SEX = frozenset({"male", "female", "other", "unknown"})


class _Random:
    """Random bytes taken from the system in one go: a call for each nonce costs more than the sealing."""

    def __init__(self, size: int) -> None:
        self.bytes = os.urandom(size)
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.bytes):
            self.bytes, self.at = os.urandom(max(size, 1 << 16)), 0
        taken = self.bytes[self.at : self.at + size]
        self.at += size
        return taken


@dataclass(slots=True)
class Contact:
    """A contact point ready to be copied; `value` is there for a patient who turns out to be known and has a key already."""

    id: str
    system: str
    use: str
    value: str
    index: bytes
    last3: str | None
    is_mobile: bool
    rank: int
    warning: str
    sealed: str


@dataclass(slots=True)
class Prepared:
    """What a row of a new patient needs, made before anybody knows whether the patient is new."""

    id: str
    key: bytes
    wrapped: bytes
    grams: str
    address: str | None
    contacts: list[Contact]
    warned: list[Warned]


class Preparer:
    """Reads, hashes and seals patients' rows ahead of the database, in the thread that reads the file.

    Sealed values have the form of `vault.seal` (nonce, then AES-256-GCM bound to the place); a key is wrapped as
    `Keyring.wrap` does. On a first import every row is new and nothing is wasted; on a second one only what really changed
    is sealed again under the patient's own key.
    """

    def __init__(self, organization_id: UUID) -> None:
        ring = vault.keyring()
        self.version = ring.current.to_bytes(4, "big")
        self.master = AESGCM(ring.masters[ring.current])
        self.index = {
            system: vault.blind_indexer(ring.index_key(organization_id, f"contact_point.{system}"))
            for system in ("phone", "email", "line", "wechat")
        }
        self.last3_index = vault.blind_indexer(ring.index_key(organization_id, "contact_point.last3"))
        self.last3: dict[str, str] = {}

    def prepare(self, rows: list[Row]) -> list[Prepared]:
        random = _Random(len(rows) * 120)
        take, wrap, version = random.take, self.master.encrypt, self.version
        address = PATIENT.index["address"]
        name = PATIENT.index["name"]
        made = []
        for row, patient in zip(rows, _new_ids(len(rows)), strict=True):
            key, nonce = take(32), take(12)
            wrapped = version + nonce + wrap(nonce, key, bytes.fromhex(patient.replace("-", "")))
            cipher = AESGCM(key)
            sealed = None
            if row[address]:
                nonce = take(12)
                place = f"{TABLE}.address_sealed.{patient}"
                sealed = "\\x" + (nonce + cipher.encrypt(nonce, str(row[address]).encode(), place.encode())).hex()
            warned: list[Warned] = []
            contacts = self._contacts(row, cipher, random, warned)
            made.append(Prepared(patient, key, wrapped, _grams(str(row[name] or "")), sealed, contacts, warned))
        return made

    def _contacts(self, row: Row, cipher: AESGCM, random: _Random, warned: list[Warned]) -> list[Contact]:
        given = _contacts_of(row)
        if not given:
            return []
        found = []
        for rank, ((system, use, text), row_id) in enumerate(zip(given, _new_ids(len(given)), strict=True), start=1):
            try:
                contact = read_contact(system, text)
            except ValueError:
                warned.append(_warn(row, system, "row.phone_unreadable"))
                continue
            if contact.warning:
                warned.append(_warn(row, use or system, _NOTICED.get(contact.warning, contact.warning)))
            end = contact.digits[-3:] if contact.digits else ""
            if end and end not in self.last3:
                self.last3[end] = "\\x" + self.last3_index(end).hex()
            nonce = random.take(12)
            place = f"{sealing.CONTACT_TABLE}.value_sealed.{row_id}"
            found.append(
                Contact(
                    row_id, system, use, contact.value, self.index[system](contact.indexed),
                    self.last3.get(end) if end else None, contact.is_mobile, rank, contact.warning,
                    "\\x" + (nonce + cipher.encrypt(nonce, contact.value.encode(), place.encode())).hex(),
                )
            )  # fmt: skip
        return found


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _new_ids(count: int) -> list[str]:
    """Return UUIDv7s as text (RFC 9562): the time in milliseconds, then random bits."""
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    head = f"{stamp[:8]}-{stamp[8:]}-7"
    tails = os.urandom(count * 10).hex()
    return [
        f"{head}{tails[at : at + 3]}-{_VARIANT[tails[at + 3]]}{tails[at + 4 : at + 7]}-{tails[at + 7 : at + 19]}"
        for at in range(0, count * 20, 20)
    ]


def prepare_ahead(chunks: Iterator[RowChunk], organization_id: UUID) -> Iterator[RowChunk]:
    """Pass chunks on, those of patients with what is read and sealed already. Touches no database."""
    preparer = Preparer(organization_id)
    for chunk in chunks:
        if chunk.kind.name == "patient":
            chunk.prepared = preparer.prepare(chunk.rows)
        yield chunk


@dataclass(slots=True)
class Found:
    """A row with the patient it speaks of."""

    row: Row
    patient: str
    is_new: bool
    ready: Prepared


def write_patients(chunk: RowChunk, run: Run) -> Outcome:
    """Write a chunk of patients with their contact points, identifiers and tags."""
    outcome = Outcome("Patient")
    rows = chunk.rows
    if not rows:
        return outcome
    ready: list[Prepared] = chunk.prepared or Preparer(run.organization_id).prepare(rows)
    found = _find(rows, ready, run, outcome)
    known = [one.patient for one in found if not one.is_new]
    keys = {str(patient): key for patient, key in sealing.create_keys(map(UUID, known)).items()} if known else {}
    _write_patients(found, run, keys, outcome)
    _write_contacts(found, run, keys, outcome)
    _write_identifiers(found, run, keys, outcome)
    _write_tags(found, run)
    drop("stage")
    for table in (TABLE, sealing.CONTACT_TABLE):
        note_growth(run, table, outcome.created)
    outcome.patients.update(one.patient for one in found)
    return outcome


# --- who is it ------------------------------------------------------------------------------------------------------


def _find(rows: list[Row], ready: list[Prepared], run: Run, outcome: Outcome) -> list[Found]:
    """Return each row with the patient it speaks of and whether that one is new; the last of several rows wins."""
    index = PATIENT.index
    at_id, at_chart, at_name = index["external_id"], index["chart_number"], index["name"]
    by_name = _by_external_id(rows, run)
    charts = [str(row[at_chart]) for row in rows if row[at_chart]]
    by_chart: dict[str, tuple[str, str, str]] = {
        chart: (str(patient), source, external)
        for chart, patient, source, external in _fetch(
            "select chart_number, id, source, external_id from patients_patient where chart_number = any(%s) and chart_number <> ''",
            [charts],
        )
    }
    by_identity = _by_identity(rows, run)
    fresh: dict[str, str] = {}
    taken: dict[str, int] = {}
    found: list[Found | None] = []
    for place, row in enumerate(rows):
        if not row[at_name]:
            outcome.refused.append(_refused(row, PATIENT, "name", "row.name_missing"))
            continue
        external, chart = str(row[at_id] or ""), str(row[at_chart] or "")
        identity = "" if external or chart else by_identity.key(row)
        key = f"i:{external}" if external else f"c:{chart}" if chart else f"n:{identity}"
        patient = by_name.get(external) if external else None
        if chart and chart in by_chart:
            holder, source, other = by_chart[chart]
            if patient is None and (not external or source != run.source or other in ("", external)):
                patient = holder
            elif patient != holder:
                outcome.refused.append(_refused(row, PATIENT, "chart_number", "row.chart_number_taken"))
                continue
        if patient is None and identity:
            patient = by_identity.found.get(identity)
            if patient is None:
                outcome.warned.append(_warn(row, "", "row.no_identity"))
        if patient is None and external and fresh.get(f"c:{chart}") not in (None, fresh.get(key)):
            outcome.refused.append(_refused(row, PATIENT, "chart_number", "row.chart_number_taken"))
            continue
        is_new = patient is None
        if patient is None:
            if key in fresh:
                patient = fresh[key]
            else:
                patient = fresh[key] = ready[place].id
                if chart:
                    fresh.setdefault(f"c:{chart}", patient)
        if patient in taken:
            earlier = found[taken[patient]]
            found[taken[patient]] = None
            outcome.unchanged += 1
            if earlier is not None:
                if earlier.row[2:] != row[2:]:
                    outcome.warned.append(_warn(earlier.row, "external_id", "row.duplicate_in_file"))
                # the later row is written with what was made for the first: its id is the one sealed for
                ready[place] = earlier.ready if not earlier.is_new else _again(earlier, row, run)
        taken[patient] = len(found)
        outcome.warned += ready[place].warned
        found.append(Found(row, patient, is_new, ready[place]))
    settled = [one for one in found if one is not None]
    _keep_names(settled, by_name, run)
    return settled


def _again(earlier: Found, row: Row, run: Run) -> Prepared:
    """Prepare a later row of a patient who is new in this very file under the id and key of the first."""
    preparer = Preparer(run.organization_id)
    made = preparer.prepare([row])[0]
    random = _Random(4096)
    cipher = AESGCM(earlier.ready.key)
    if row[PATIENT.index["address"]]:
        text = str(row[PATIENT.index["address"]])
        made.address = (
            "\\x" + vault.seal(earlier.ready.key, text, place=f"{TABLE}.address_sealed.{earlier.patient}").hex()
        )
    made.contacts = preparer._contacts(row, cipher, random, [])
    made.id, made.key, made.wrapped = earlier.patient, earlier.ready.key, earlier.ready.wrapped
    return made


def _by_external_id(rows: list[Row], run: Run) -> dict[str, str]:
    at = PATIENT.index["external_id"]
    wanted = {str(row[at]) for row in rows if row[at]}
    found: dict[str, str] = {}
    for statement in (
        "select external_id, id from patients_patient where source = %(source)s and external_id = any(%(wanted)s)",
        "select external_id, record_id from imports_name where kind = 'patient' and source = %(source)s "
        "and external_id = any(%(wanted)s)",
        # a UUID is the same person whatever the source
        "select external_id, id from patients_patient where source in (select code from imports_source) "
        "and external_id = any(%(wanted)s) and external_id ~ '^[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}$'",
    ):
        if wanted:
            given = {"source": run.source, "wanted": list(wanted)}
            found.update((external, str(patient)) for external, patient in _fetch(statement, given))
            wanted -= found.keys()
    return found


class _Identities:
    """Patients known by neither id nor chart number: by national id, or by name, birth date and phone together."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.found: dict[str, str] = {}

    def key(self, row: Row) -> str:
        index = PATIENT.index
        number = row[index["national_id"]]
        if number:
            return (
                "id:"
                + sealing.identifier_index(
                    self.run.organization_id, read_identifier("national_id", str(number)).value
                ).hex()
            )
        told = "|".join(str(row[index[name]] or "").strip() for name in ("name", "birth_date", "mobile", "phone"))
        return "nk:" + sealing.contact_index(self.run.organization_id, "identity", told).hex()


def _by_identity(rows: list[Row], run: Run) -> _Identities:
    identities = _Identities(run)
    index = PATIENT.index
    keys = {identities.key(row) for row in rows if not row[index["external_id"]] and not row[index["chart_number"]]}
    numbers = [bytes.fromhex(key[3:]) for key in keys if key.startswith("id:")]
    if numbers:
        for value, patient in _fetch(
            "select value_index, patient_id from patients_identifier where value_index = any(%s)", [numbers]
        ):
            identities.found["id:" + bytes(value).hex()] = str(patient)
    if keys:
        identities.found.update(
            (external, str(patient))
            for external, patient in _fetch(
                "select external_id, id from patients_patient where source = %s and external_id = any(%s)",
                [run.source, list(keys)],
            )
        )
    return identities


def _keep_names(found: list[Found], by_name: dict[str, str], run: Run) -> None:
    """Note the id this source gives to a patient who was found in another way."""
    at = PATIENT.index["external_id"]
    names = [
        (str(one.row[at]), one.patient)
        for one in found
        if one.row[at] and not one.is_new and str(one.row[at]) not in by_name
    ]
    for external, patient in [*names, *by_name.items()]:
        run.patients[external] = UUID(patient)
    if names:
        _fetch(
            "with given as (select * from unnest(%(ids)s::text[], %(patients)s::uuid[]) as g (external_id, patient_id)) "
            "insert into imports_name (kind, source, external_id, record_id, batch_id) "
            "select 'patient', %(source)s, external_id, patient_id, %(batch)s from given on conflict do nothing returning 1",
            {
                "ids": [external for external, _patient in names], "patients": [patient for _external, patient in names],
                "source": run.source, "batch": run.batch_id,
            },
        )  # fmt: skip


def _warn(row: Row, name: str, code: str, values: dict[str, Any] | None = None) -> Warned:
    return Warned(str(row[0] or ""), int(row[1] or 0), name, code, values or {})


# --- the patient's own row ------------------------------------------------------------------------------------------


def _write_patients(found: list[Found], run: Run, keys: dict[str, bytes], outcome: Outcome) -> None:
    index = PATIENT.index
    texts_of = itemgetter(*(index[name] for name in _TEXTS))
    at_birth, at_dead, at_died, at_active = (
        index[name] for name in ("birth_date", "deceased", "deceased_at", "active")
    )
    at_registered, at_address, at_id, at_chart, at_sex = (
        index[name] for name in ("registered_on", "address", "external_id", "chart_number", "sex")
    )
    addresses = _addresses(keys)
    died = moment_text(run.zone)
    identities = _Identities(run)
    staged = []
    for one in found:
        row, patient = one.row, one.patient
        birth, precision = _birth(row[at_birth])
        died_at = None
        if row[at_died]:
            try:
                died_at = died(str(row[at_died]))
            except _Bad:
                outcome.warned.append(_warn(row, "deceased_at", "row.not_a_date"))
        texts = texts_of(row)
        if row[at_sex] and row[at_sex] not in _SEX:
            texts = (*texts[:3], "unknown", *texts[4:])
            outcome.warned.append(_warn(row, "sex", "row.unknown_sex"))
        address = one.ready.address
        if not one.is_new and address:
            address = None
            if addresses.get(patient) != row[at_address]:
                place = f"{TABLE}.address_sealed.{patient}"
                address = "\\x" + vault.seal(keys[patient], str(row[at_address]), place=place).hex()
        dead = bool(row[at_dead]) or died_at is not None
        external = row[at_id] or ("" if row[at_chart] else identities.key(row))
        staged.append(
            (
                patient, one.is_new, external, row[at_chart], birth, precision,
                dead if dead or row[at_dead] is not None else None, died_at, row[at_active], row[at_registered], address,
                one.ready.grams, "\\x" + one.ready.wrapped.hex() if one.is_new else None, *texts,
            )
        )  # fmt: skip
    text = 'text collate "C"'
    stage(
        "stage",
        [
            ("id", "uuid"), ("is_new", "boolean"), ("external_id", text), ("chart_number", text), ("birth_date", "date"),
            ("birth_precision", "text"), ("deceased", "boolean"), ("deceased_at", "timestamptz"), ("active", "boolean"),
            ("registered_on", "date"), ("address_sealed", "bytea"), ("name_grams", "text[]"), ("wrapped", "bytea"),
            *((name, "text") for name in _TEXTS),
        ],
        staged,
        joined=bool(keys),
    )  # fmt: skip
    _insert_patients(run, outcome)
    if len(staged) > outcome.created:
        _update_patients(run, outcome, len(staged) - outcome.created)


def _birth(written: Any) -> tuple[str | None, str | None]:
    if not written:
        return None, None
    text = str(written)[:10]
    try:
        day = date.fromisoformat(text + {4: "-01-01", 7: "-01", 10: ""}[len(text)])
    except (ValueError, KeyError):
        return None, None
    return day.isoformat(), {4: "year", 7: "month", 10: "day"}[len(text)]


def _grams(name: str) -> str:
    return "{" + ",".join(f'"{piece}"' for piece in grams(name)) + "}"


def _addresses(keys: dict[str, bytes]) -> dict[str, str]:
    """Return the addresses of known patients, so that an unchanged one is not sealed and counted as a change."""
    if not keys:
        return {}
    opened: dict[str, str] = {}
    for patient, sealed in _fetch(
        "select id, address_sealed from patients_patient where id = any(%s::uuid[]) and address_sealed is not null",
        [list(keys)],
    ):
        try:
            opened[str(patient)] = vault.open_sealed(
                keys[str(patient)], sealed, place=f"{TABLE}.address_sealed.{patient}"
            )
        except vault.VaultError:
            continue
    return opened


def _insert_patients(run: Run, outcome: Outcome) -> None:
    cut = limits(TABLE)
    texts = ", ".join(
        f"coalesce(left(s.{name}, {cut[name]}), '')" if name in cut else f"coalesce(s.{name}, '')"
        for name in _TEXTS
        if name != "sex"
    )
    names = ", ".join(name for name in _TEXTS if name != "sex")
    outcome.created = _fetch(
        f"""
        with new as (
            insert into patients_patient (id, external_id, source, chart_number, birth_date, birth_precision, deceased,
                deceased_at, active, registered_on, address_sealed, name_grams, sex, {names}, batch_id, created_at, updated_at)
            select s.id, coalesce(left(s.external_id, 160), ''), %(source)s, coalesce(left(s.chart_number, 60), ''),
                   s.birth_date, coalesce(s.birth_precision, 'day'), coalesce(s.deceased, false), s.deceased_at,
                   coalesce(s.active, true), s.registered_on, s.address_sealed, s.name_grams, coalesce(s.sex, 'unknown'), {texts},
                   %(batch)s, %(now)s, %(now)s
              from stage s where s.is_new
            returning id, registered_on
        ), keyed as (
            insert into patients_key (patient_id, wrapped) select s.id, s.wrapped from stage s where s.is_new
        ), published as (
            insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, batch_id,
                                      historical, payload)
            select 'patient.registered', id, coalesce(registered_on::timestamp at time zone %(zone)s, %(now)s), %(now)s,
                   %(actor_kind)s, %(actor_id)s, %(source)s, %(batch)s, true, %(how)s::jsonb
              from new
        )
        select count(*) from new
        """,
        {
            "source": run.source, "batch": run.batch_id, "now": run.now, "zone": str(run.zone), "actor_kind": run.actor_kind,
            "actor_id": run.actor_id, "how": '{"how": "import"}',
        },
    )[0][0]  # fmt: skip


def _update_patients(run: Run, outcome: Outcome, known: int) -> None:
    cut = limits(TABLE)
    new = {
        name: f"coalesce(left(s.{name}, {cut[name]}), r.{name})" if name in cut else f"coalesce(s.{name}, r.{name})"
        for name in (*_TEXTS, "birth_date", "birth_precision", "deceased", "deceased_at", "active", "registered_on")
    }
    new["deceased"] = "r.deceased or coalesce(s.deceased, false)"
    new["chart_number"] = f"coalesce(nullif(r.chart_number, ''), left(s.chart_number, {cut['chart_number']}), '')"
    new["address_sealed"] = "coalesce(s.address_sealed, r.address_sealed)"
    new["name_grams"] = "s.name_grams"
    old = ", ".join(f"r.{name}" for name in new)
    pairs = ", ".join(f"'{name}', r.{name}" for name in new)
    sets = ", ".join(f"{name} = {value}" for name, value in new.items())
    changed = _fetch(
        f"""
        with changed as materialized (
            select r.id, jsonb_build_object({pairs}, 'version', r.version) as before
              from stage s join patients_patient r on r.id = s.id
             where not s.is_new and ({", ".join(new.values())}) is distinct from ({old})
        ), updated as (
            update patients_patient r set {sets}, version = r.version + 1, updated_at = %(now)s
              from changed c join stage s on s.id = c.id where r.id = c.id
            returning r.id, r.batch_id, jsonb_build_object({pairs}, 'version', r.version) as after
        ), kept as (
            insert into imports_change (batch_id, "table", record_id, before, after)
            select %(batch)s, 'patients_patient', id, c.before, u.after from changed c join updated u using (id)
             where u.batch_id is distinct from %(batch)s
        ), published as (
            insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, batch_id,
                                      historical, payload)
            select 'patient.updated', id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, %(source)s, %(batch)s, true,
                   jsonb_build_object('fields', '[]'::jsonb)
              from updated
        )
        select count(*) from updated
        """,
        {
            "source": run.source, "batch": run.batch_id, "now": run.now, "actor_kind": run.actor_kind,
            "actor_id": run.actor_id,
        },
    )[0][0]  # fmt: skip
    outcome.updated += changed
    outcome.unchanged += known - changed


# --- contact points, identifiers, keys, tags ------------------------------------------------------------------------


def _contacts_of(row: Row) -> list[tuple[str, str, str]]:
    """Return (system, use, text) of a row's contact points, in order."""
    given = [(system, use, str(row[at])) for at, system, use in _CONTACT_PLACES if row[at]]
    if more := row[_MORE_CONTACTS]:
        for entry in orjson.loads(str(more)):
            system = entry.get("system") or ""
            if system in {"sms", "fax", "pager", "phone"}:
                system = "phone" if system in {"sms", "phone"} else ""
            if system in {"phone", "email", "line", "wechat"} and entry.get("value"):
                given.append((system, str(entry.get("use") or "")[:10], str(entry["value"])))
    return given


def _write_contacts(found: list[Found], run: Run, keys: dict[str, bytes], outcome: Outcome) -> None:
    there: set[tuple[str, str, bytes]] = set()
    if keys:
        there = {
            (str(patient), system, bytes(value))
            for patient, system, value in _fetch(
                "select patient_id, system, value_index from patients_contact_point where patient_id = any(%s::uuid[])",
                [list(keys)],
            )
        }
    staged = []
    for one in found:
        contacts = one.ready.contacts
        for contact in contacts:
            if not one.is_new or len(contacts) > 1:
                if (one.patient, contact.system, contact.index) in there:
                    continue
                there.add((one.patient, contact.system, contact.index))
            if not one.is_new:
                place = f"{sealing.CONTACT_TABLE}.value_sealed.{contact.id}"
                contact.sealed = "\\x" + vault.seal(keys[one.patient], contact.value, place=place).hex()
            staged.append(
                (contact.id, one.patient, contact.system, contact.use, contact.sealed, "\\x" + contact.index.hex(), contact.last3,
                 contact.is_mobile, contact.rank, contact.warning)
            )  # fmt: skip
    if not staged:
        return
    names = (
        "id",
        "patient_id",
        "system",
        "use",
        "value_sealed",
        "value_index",
        "last3_index",
        "is_mobile",
        "rank",
        "warning",
    )
    kinds = ("uuid", "uuid", "text", "text", "bytea", "bytea", "bytea", "boolean", "int", "text")
    stage("stage_contacts", list(zip(names, kinds, strict=True)), staged, joined=False)
    # nobody else writes to patients who are made in this very transaction
    with_others = "on conflict do nothing" if keys else ""
    sql.execute(
        f"""insert into patients_contact_point ({", ".join(names)}, reach, batch_id)
            select id, patient_id, system, coalesce(use, ''), value_sealed, value_index, last3_index, is_mobile, rank,
                   coalesce(warning, ''), 'unknown', %s from stage_contacts {with_others}""",
        [run.batch_id],
    )
    drop("stage_contacts")


def _write_identifiers(found: list[Found], run: Run, keys: dict[str, bytes], outcome: Outcome) -> None:
    index = PATIENT.index
    at_number, at_more, at_sex = index["national_id"], index["identifiers"], index["sex"]
    if not any(one.row[at_number] or one.row[at_more] for one in found):
        return
    there: set[tuple[str, str, str, bytes]] = set()
    if keys:
        there = {
            (str(patient), kind, system, bytes(value))
            for patient, kind, system, value in _fetch(
                "select patient_id, kind, system, value_index from patients_identifier where patient_id = any(%s::uuid[])",
                [list(keys)],
            )
        }
    index_key = vault.keyring().index_key(run.organization_id, "identifier")
    staged = []
    for one in found:
        row, patient = one.row, one.patient
        key = one.ready.key if one.is_new else keys[patient]
        given: list[tuple[str, str, str]] = []
        if row[at_number]:
            given.append(("national_id", "", str(row[at_number])))
        if row[at_more]:
            for entry in orjson.loads(str(row[at_more])):
                if entry.get("value"):
                    kind = str(entry.get("type") or "")
                    given.append(
                        (
                            _IDENTIFIER_KINDS.get(kind, "other"),
                            str(entry.get("system") or kind)[:160],
                            str(entry["value"]),
                        )
                    )
        for kind, system, text in given:
            try:
                read = read_identifier(kind, text)
            except ValueError:
                continue
            if read.warning:
                outcome.warned.append(_warn(row, "national_id", _NOTICED.get(read.warning, read.warning)))
            elif read.sex and row[at_sex] in {"male", "female"} and read.sex != row[at_sex]:
                outcome.warned.append(_warn(row, "sex", "row.sex_contradicts_id"))
            hashed = vault.blind_index(index_key, read.value)
            if (patient, read.kind, system, hashed) in there:
                continue
            there.add((patient, read.kind, system, hashed))
            row_id = uuid7()
            sealed = vault.seal(key, read.value, place=f"{sealing.IDENTIFIER_TABLE}.value_sealed.{row_id}")
            staged.append(
                (row_id, patient, read.kind, system, "\\x" + sealed.hex(), "\\x" + hashed.hex(), read.warning)
            )
    if not staged:
        return
    names = ("id", "patient_id", "kind", "system", "value_sealed", "value_index", "warning")
    kinds = ("uuid", "uuid", "text", "text", "bytea", "bytea", "text")
    stage("stage_identifiers", list(zip(names, kinds, strict=True)), staged, joined=False)
    _fetch(
        f"""with new as (insert into patients_identifier ({", ".join(names)}, batch_id)
            select id, patient_id, kind, coalesce(system, ''), value_sealed, value_index, coalesce(warning, ''), %s
              from stage_identifiers on conflict do nothing returning 1) select count(*) from new""",
        [run.batch_id],
    )
    drop("stage_identifiers")


def _write_tags(found: list[Found], run: Run) -> None:
    at = PATIENT.index["tags"]
    pairs = [
        (one.patient, word.strip()[:40])
        for one in found
        if one.row[at]
        for word in str(one.row[at]).replace("、", "|").replace(";", "|").split("|")
        if word.strip()
    ]
    if not pairs:
        return
    words = sorted({word for _patient, word in pairs})
    _fetch(
        """with given as (select word, row_number() over (order by word) as place from unnest(%s::text[]) as w (word)
                           where not exists (select 1 from patients_tag t where t.name = w.word)),
                new as (insert into patients_tag (id, name, color, number, is_archived)
                        select careloop_new_id(), word, 'teal', (select coalesce(max(number), 0) from patients_tag) + place, false
                          from given on conflict do nothing returning 1)
           select count(*) from new""",
        [words],
    )
    _fetch(
        """with new as (insert into patients_patient_tag (patient_id, tag_id, given_at, batch_id)
                select distinct g.patient_id, t.id, %(now)s::timestamptz, %(batch)s::uuid
                  from unnest(%(patients)s::uuid[], %(words)s::text[]) as g (patient_id, word)
                  join patients_tag t on t.name = g.word on conflict do nothing returning 1)
           select count(*) from new""",
        {
            "now": run.now, "batch": run.batch_id, "patients": [patient for patient, _word in pairs],
            "words": [word for _patient, word in pairs],
        },
    )  # fmt: skip


# --- related persons ------------------------------------------------------------------------------------------------


def write_related(chunk: RowChunk, run: Run) -> Outcome:
    """Write the people who belong to patients; the same id, or the same name for one patient, is the same person."""
    outcome = Outcome("RelatedPerson")
    index = RELATED_PERSON.index
    at_patient, at_name, at_id = (index[name] for name in ("patient_external_id", "name", "external_id"))
    patients = find_patients(run, {str(row[at_patient]) for row in chunk.rows if row[at_patient]})
    wanted: list[tuple[Row, UUID]] = []
    for row in chunk.rows:
        patient = patients.get(str(row[at_patient]))
        if patient is None:
            outcome.refused.append(_refused(row, RELATED_PERSON, "patient_external_id", "row.patient_unknown"))
        else:
            wanted.append((row, patient))
    if not wanted:
        return outcome
    there = {
        (patient, name): external
        for patient, name, external in _fetch(
            "select patient_id, name, external_id from patients_related_person where patient_id = any(%s)",
            [list({patient for _row, patient in wanted})],
        )
    }
    keys = sealing.create_keys({patient for _row, patient in wanted})
    staged: list[Sequence[Any]] = []
    for row, patient in wanted:
        name = str(row[at_name])[:160]
        if (patient, name) in there:
            outcome.unchanged += 1
            continue
        there[(patient, name)] = str(row[at_id] or "")
        row_id = uuid7()
        sealed: list[str | None] = []
        for column in ("phone", "email"):
            text = row[index[column]]
            if not text:
                sealed.append(None)
                continue
            value = read_contact(column, str(text)).value
            place = f"{sealing.RELATED_TABLE}.{column}_sealed.{row_id}"
            sealed.append("\\x" + vault.seal(keys[patient], value, place=place).hex())
        staged.append(
            (row_id, patient, name, str(row[index["relationship"]] or "")[:20], str(row[index["sex"]] or "")[:10],
             row[index["birth_date"]], bool(row[index["guardian"]]), *sealed, str(row[at_id] or "")[:160])
        )  # fmt: skip
    outcome.patients.update(patient for _row, patient in wanted)
    if not staged:
        return outcome
    names = (
        "id",
        "patient_id",
        "name",
        "relationship",
        "sex",
        "birth_date",
        "is_guardian",
        "phone_sealed",
        "email_sealed",
        "external_id",
    )
    kinds = ("uuid", "uuid", "text", "text", "text", "date", "boolean", "bytea", "bytea", "text")
    stage("stage", list(zip(names, kinds, strict=True)), staged)
    outcome.created = _fetch(
        f"""with new as (insert into patients_related_person ({", ".join(names)}, source, batch_id)
            select id, patient_id, name, coalesce(relationship, ''), coalesce(sex, ''), birth_date, is_guardian, phone_sealed,
                   email_sealed, coalesce(external_id, ''), %s, %s from stage returning 1) select count(*) from new""",
        [run.source, run.batch_id],
    )[0][0]
    drop("stage")
    return outcome
