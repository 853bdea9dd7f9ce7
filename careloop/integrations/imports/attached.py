"""Write what hangs on patients: contact points, identifiers and tags, each once, sealed under the patient's own key."""

from dataclasses import dataclass

import orjson

from careloop.integrations.imports.preparing import Prepared
from careloop.integrations.imports.reaching import NOTICED, STAGED_CONTACTS, Contact
from careloop.integrations.imports.rendering import Rendered, bytea
from careloop.integrations.imports.rows import PATIENT, Row
from careloop.integrations.imports.staging import Outcome, Run, fetch, stage, stage_rendered, warn
from careloop.kernel import sql, vault
from careloop.kernel.ids import uuid7
from careloop.patients import sealing
from careloop.patients.contacts import read_identifier

_IDENTIFIER_KINDS = {
    "PPN": "passport", "NNTWN": "national_id", "NI": "national_id", "PRC": "resident_certificate", "NIIP": "insurance_card",
    "HC": "insurance_card",
}  # fmt: skip


@dataclass(slots=True)
class Found:
    """A row with the patient it speaks of, and where it stands in what was prepared."""

    row: Row
    patient: str
    is_new: bool
    ready: Prepared
    at: int

    @property
    def contacts(self) -> list[tuple[Contact, str]]:
        """The row's contact points with their values in clear."""
        return self.ready.contacts.of(self.at)


def new_contacts(found: list[Found], keys: dict[str, bytes]) -> list[Contact]:
    """Return the contact points that are not there yet, those of known patients sealed under their own key."""
    there: set[tuple[str, str, str]] = set()
    if keys:
        there = {
            (str(patient), system, bytea(bytes(value)))
            for patient, system, value in fetch(
                "select patient_id, system, value_index from patients_contact_point where patient_id = any(%s::uuid[])",
                [list(keys)],
            )
        }
    staged = []
    for one in found:
        if one.is_new:
            staged += [contact for contact, _value in one.contacts]
            continue
        for contact, value in one.contacts:
            if (one.patient, contact.system, contact.hashed) in there:
                continue
            place = f"{sealing.CONTACT_TABLE}.value_sealed.{contact.id}"
            sealed = bytea(vault.seal(keys[one.patient], value, place=place))
            staged.append(contact._replace(patient=one.patient, sealed=sealed))
    return staged


def write_contacts(staged: Rendered, run: Run, *, disputed: bool) -> None:
    """Insert contact points; `disputed` where others may be writing to the same patients."""
    stage_rendered("stage_contacts", staged, joined=[])
    held = {name for name, _kind in staged.columns}
    given = {
        name: f's."{name}"' if name in held else "false" if kind == "boolean" else f"null::{kind}"
        for name, kind in STAGED_CONTACTS
    }
    given |= {name: f"coalesce({given[name]}, '')" for name in ("use", "warning")}
    # nobody else writes to patients who are made in this very transaction
    with_others = "on conflict do nothing" if disputed else ""
    sql.execute(
        f"""insert into patients_contact_point (organization_id, {", ".join(given)}, reach, batch_id)
            select %s::uuid, {", ".join(given.values())}, 'unknown', %s from stage_contacts s {with_others}""",
        [run.organization_id, run.batch_id],
    )


def write_identifiers(found: list[Found], run: Run, keys: dict[str, bytes], outcome: Outcome) -> None:
    index = PATIENT.index
    at_number, at_more, at_sex = index["national_id"], index["identifiers"], index["sex"]
    if not any(one.row[at_number] or one.row[at_more] for one in found):
        return
    there: set[tuple[str, str, str, bytes]] = set()
    if keys:
        there = {
            (str(patient), kind, system, bytes(value))
            for patient, kind, system, value in fetch(
                "select patient_id, kind, system, value_index from patients_identifier where patient_id = any(%s::uuid[])",
                [list(keys)],
            )
        }
    index_key = vault.keyring().index_key(run.organization_id, "identifier")
    staged = []
    for one in found:
        row, patient = one.row, one.patient
        key = one.ready.keys[one.at] if one.is_new else keys[patient]
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
                outcome.warned.append(warn(row, "national_id", NOTICED.get(read.warning, read.warning)))
            elif read.sex and row[at_sex] in {"male", "female"} and read.sex != row[at_sex]:
                outcome.warned.append(warn(row, "sex", "row.sex_contradicts_id"))
            hashed = vault.blind_index(index_key, read.value)
            if (patient, read.kind, system, hashed) in there:
                continue
            there.add((patient, read.kind, system, hashed))
            row_id = uuid7()
            sealed = vault.seal(key, read.value, place=f"{sealing.IDENTIFIER_TABLE}.value_sealed.{row_id}")
            staged.append((row_id, patient, read.kind, system, bytea(sealed), bytea(hashed), read.warning))
    if not staged:
        return
    names = ("id", "patient_id", "kind", "system", "value_sealed", "value_index", "warning")
    kinds = ("uuid", "uuid", "text", "text", "bytea", "bytea", "text")
    stage("stage_identifiers", list(zip(names, kinds, strict=True)), staged, joined=False)
    fetch(
        f"""with new as (insert into patients_identifier ({", ".join(names)}, batch_id)
            select id, patient_id, kind, coalesce(system, ''), value_sealed, value_index, coalesce(warning, ''), %s
              from stage_identifiers on conflict do nothing returning 1) select count(*) from new""",
        [run.batch_id],
    )


def write_tags(found: list[Found], run: Run) -> None:
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
    fetch(
        """with given as (select word, row_number() over (order by word) as place from unnest(%s::text[]) as w (word)
                           where not exists (select 1 from patients_tag t where t.name = w.word)),
                new as (insert into patients_tag (id, name, color, number, is_archived)
                        select careloop_new_id(), word, 'teal', (select coalesce(max(number), 0) from patients_tag) + place, false
                          from given on conflict do nothing returning 1)
           select count(*) from new""",
        [words],
    )
    fetch(
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
