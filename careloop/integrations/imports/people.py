"""Write patients: found again, kept sealed, and brought up to date, as a set.

A patient is found by the id in this source, another name, the chart number, a UUID of any source; without any of these by the
national id, and last by name, birth date and phone together. What is sealed is sealed before it is copied anywhere (see
`preparing`): no plain telephone number or national id reaches a staging table.
"""

from collections.abc import Sequence
from operator import or_
from typing import Any, NamedTuple
from uuid import UUID

from careloop.integrations.imports.attached import Found, new_contacts, write_contacts, write_identifiers, write_tags
from careloop.integrations.imports.pairs import WriteAlone
from careloop.integrations.imports.preparing import (
    STAGED,
    STAGED_AT,
    TABLE,
    TEXTS,
    Prepared,
    Preparer,
    identity_key,
    read_birth,
)
from careloop.integrations.imports.reaching import render_contacts
from careloop.integrations.imports.references import LISTED, listed
from careloop.integrations.imports.rendering import Rendered, bytea, is_empty, render
from careloop.integrations.imports.rows import PATIENT, Row, RowChunk, column
from careloop.integrations.imports.staging import (
    Outcome,
    Run,
    fetch,
    limits,
    refused,
    stage_rendered,
    warn,
)
from careloop.kernel import sql, vault
from careloop.kernel.text import normalise
from careloop.patients import sealing


def write_patients(chunk: RowChunk, run: Run) -> Outcome:
    """Write a chunk of patients with their contact points, identifiers and tags."""
    outcome = Outcome("Patient")
    rows = chunk.rows
    if not rows:
        return outcome
    ready: Prepared = chunk.prepared or Preparer(run.organization_id, run.zone).prepare(rows)
    by_name, by_chart = _by_external_id(rows, run), _by_chart_number(rows)
    keys: dict[str, bytes] = {}
    if not by_name and not by_chart and _all_strangers(rows):
        found = [Found(rows[at], ready.ids[at], True, ready, at) for at in _that_tell_more(rows)]
        outcome.patients += ready.ids
        outcome.warned += [one for at in sorted(ready.warned) for one in ready.warned[at]]
        staged, contacts = ready.text, ready.contact_text
        if staged is None:
            staged, contacts = ready.rendered(), ready.contacts.rendered()
    else:
        if not run.alone:
            raise WriteAlone
        found = _find(rows, ready, run, outcome, by_name, by_chart)
        if not found:
            return outcome
        known = [UUID(one.patient) for one in found if not one.is_new]
        keys = {str(patient): key for patient, key in sealing.create_keys(known).items()} if known else {}
        staged = render(STAGED, _as_found(found, keys))
        contacts = render_contacts(new_contacts(found, keys))
    _write_patients(staged, run, outcome, known=len(keys))
    if contacts is not None:
        write_contacts(contacts, run, disputed=bool(keys))
    write_identifiers(found, run, keys, outcome)
    write_tags(found, run)
    for table in (TABLE, sealing.CONTACT_TABLE):
        outcome.grown[table] = outcome.created
    outcome.patients += [one.patient for one in found]
    return outcome


_NUMBER, _MORE_NUMBERS, _TAGS = (PATIENT.index[name] for name in ("national_id", "identifiers", "tags"))
_NAME, _BIRTH = (PATIENT.index[name] for name in ("name", "birth_date"))


def _that_tell_more(rows: Sequence[Row]) -> list[int]:
    """Return the places of rows with identifiers or tags, which have tables of their own."""
    columns = [column(rows, at) for at in (_NUMBER, _MORE_NUMBERS, _TAGS)]
    if all(map(is_empty, columns)):
        return []
    return [at for at, given in enumerate(zip(*columns, strict=True)) if any(given)]


# --- who is it ------------------------------------------------------------------------------------------------------


class _Holder(NamedTuple):
    """Who has a chart number already: the patient, the source and its id for them, and what tells people apart."""

    patient: str
    source: str
    external_id: str
    name: str
    born: str | None


def _by_chart_number(rows: Sequence[Row]) -> dict[str, _Holder]:
    """Return chart number → the patient who has it already, for the rows' numbers."""
    charts = [str(chart) for chart in column(rows, PATIENT.index["chart_number"]) if chart]
    if not charts:
        return {}
    return {
        chart: _Holder(*holder)
        for chart, *holder in fetch(
            "select chart_number, id::text, source, external_id, name, case birth_precision when 'day' then birth_date::text end "
            f"from patients_patient where chart_number = any({LISTED}) and chart_number <> ''",
            {"wanted": listed(charts)},
        )
    }


def _is_another(row: Row, name: str, born: str | None) -> bool:
    """Return whether a row speaks of somebody else than the holder of its chart number: another name and another birth date.

    A clinic may have given a number again; the history of one must never come into the record of the other. One of the two
    may differ: names change, birth dates are corrected.
    """
    other_name, other_day = _told(row)
    return None not in (born, other_day) and born != other_day and normalise(other_name) != normalise(name)


def _all_strangers(rows: Sequence[Row]) -> bool:
    """Return whether rows that nobody here answers to speak of as many patients: named, and no id or chart number twice."""
    names, ids, charts = (column(rows, PATIENT.index[name]) for name in ("name", "external_id", "chart_number"))
    if not all(names) or not (all(charts) or all(map(or_, map(bool, ids), map(bool, charts)))):
        return False
    for numbers in (ids, charts):
        given = [value for value in numbers if value]
        if len(given) != len(set(given)):
            return False
    return True


def _find(
    rows: Sequence[Row],
    ready: Prepared,
    run: Run,
    outcome: Outcome,
    by_name: dict[str, str],
    by_chart: dict[str, _Holder],
) -> list[Found]:
    """Return each row with the patient it speaks of and whether that one is new; the last of several rows wins."""
    index = PATIENT.index
    at_id, at_chart, at_name = index["external_id"], index["chart_number"], index["name"]
    by_identity = _by_identity(rows, run)
    keeping = _with_a_number(rows, by_name, by_chart)
    fresh: dict[str, str] = {}
    made: set[str] = set()
    #: chart number → the patient who gets it here
    claimed: dict[str, str] = {}
    taken: dict[str, int] = {}
    found: list[Found | None] = []
    for place, row in enumerate(rows):
        if not row[at_name]:
            outcome.refused.append(refused(row, PATIENT, "name", "row.name_missing"))
            continue
        external, chart = str(row[at_id] or ""), str(row[at_chart] or "")
        identity = "" if external or chart else by_identity.key(row)
        key = f"i:{external}" if external else f"c:{chart}" if chart else f"n:{identity}"
        patient = by_name.get(external) if external else None
        if chart and chart in by_chart:
            holder = by_chart[chart]
            if patient is None and (
                not external or holder.source != run.source or holder.external_id in ("", external)
            ):
                if _is_another(row, holder.name, holder.born):
                    outcome.refused.append(refused(row, PATIENT, "chart_number", "row.chart_number_of_another"))
                    continue
                patient = holder.patient
            elif patient != holder.patient:
                outcome.refused.append(refused(row, PATIENT, "chart_number", "row.chart_number_taken"))
                continue
        if patient is None and identity:
            patient = by_identity.found.get(identity)
            if patient is None:
                outcome.warned.append(warn(row, "", "row.no_identity"))
        if patient is None:
            patient = fresh.get(key) or (None if external else claimed.get(chart))
        whose = patient or ready.ids[place]
        if chart and chart not in by_chart and whose not in keeping and claimed.setdefault(chart, whose) != whose:
            outcome.refused.append(refused(row, PATIENT, "chart_number", "row.chart_number_taken"))
            continue
        if patient is None:
            patient = fresh[key] = whose
            made.add(whose)
        one = Found(row, patient, patient in made, ready, place)
        if patient in taken:
            earlier = found[taken[patient]]
            if earlier is not None and not external and chart and _is_another(row, *_told(earlier.row)):
                outcome.refused.append(refused(row, PATIENT, "chart_number", "row.chart_number_of_another"))
                continue
            found[taken[patient]] = None
            outcome.unchanged += 1
            if earlier is not None:
                if earlier.row[2:] != row[2:]:
                    outcome.warned.append(warn(earlier.row, "external_id", "row.duplicate_in_file"))
                one = _again(earlier, one, run)
        taken[patient] = len(found)
        outcome.warned += ready.warned.get(place, ())
        found.append(one)
    settled = [one for one in found if one is not None]
    _keep_names(settled, by_name, run)
    return settled


def _told(row: Row) -> tuple[str, str | None]:
    day, precision = read_birth(row[_BIRTH])
    return str(row[_NAME] or ""), day if precision == "day" else None


def _with_a_number(rows: Sequence[Row], by_name: dict[str, str], by_chart: dict[str, _Holder]) -> set[str]:
    """Return which known patients keep their chart number although a row gives another one, which nobody has."""
    at_id, at_chart = PATIENT.index["external_id"], PATIENT.index["chart_number"]
    asked = {
        by_name[str(row[at_id])]
        for row in rows
        if row[at_chart] and row[at_id] in by_name and str(row[at_chart]) not in by_chart
    }
    if not asked:
        return set()
    kept = fetch(
        "select id::text from patients_patient where id = any(%s::uuid[]) and chart_number <> ''", [list(asked)]
    )
    return {patient for (patient,) in kept}


def _again(earlier: Found, later: Found, run: Run) -> Found:
    """Return the later of two rows of one patient, completed from the earlier one as if that had been written before it.

    A patient who is new in this very file has the id and the key of the first row.
    """
    row = tuple(new if new not in (None, "") else old for new, old in zip(later.row, earlier.row, strict=True))
    if row == later.row and not earlier.is_new:
        return later
    key = earlier.ready.keys[earlier.at]
    made = Preparer(run.organization_id, run.zone).prepare([row], ids=[earlier.patient], keys=[key])
    return Found(row, earlier.patient, earlier.is_new, made, 0)


def _by_external_id(rows: Sequence[Row], run: Run) -> dict[str, str]:
    wanted = set(map(str, filter(None, column(rows, PATIENT.index["external_id"]))))
    found: dict[str, str] = {}
    for statement in (
        "select external_id, id::text from patients_patient where source = %(source)s and external_id <> '' "
        f"and external_id = any({LISTED})",
        "select external_id, record_id::text from imports_name where kind = 'patient' and source = %(source)s "
        f"and external_id = any({LISTED})",
        # a UUID is the same person whatever the source
        "select external_id, id::text from patients_patient where source in (select code from imports_source) "
        f"and external_id <> '' and external_id = any({LISTED}) and external_id ~ '^[0-9a-fA-F]{{8}}-[0-9a-fA-F-]{{27}}$'",
    ):
        if wanted:
            given = {"source": run.source, "wanted": listed(wanted)}
            found.update(fetch(statement, given))
            wanted -= found.keys()
    return found


class _Identities:
    """Patients known by neither id nor chart number: by national id, or by name, birth date and phone together."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.found: dict[str, str] = {}

    def key(self, row: Row) -> str:
        return identity_key(row, self.run.organization_id)


def _by_identity(rows: Sequence[Row], run: Run) -> _Identities:
    identities = _Identities(run)
    index = PATIENT.index
    keys = {identities.key(row) for row in rows if not row[index["external_id"]] and not row[index["chart_number"]]}
    numbers = [bytes.fromhex(key[3:]) for key in keys if key.startswith("id:")]
    if numbers:
        for value, patient in fetch(
            "select value_index, patient_id from patients_identifier where value_index = any(%s)", [numbers]
        ):
            identities.found["id:" + bytes(value).hex()] = str(patient)
    if keys:
        identities.found.update(
            (external, str(patient))
            for external, patient in fetch(
                "select external_id, id from patients_patient where source = %s and external_id <> '' and external_id = any(%s)",
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
        run.patients[external] = patient
    if names:
        fetch(
            "with given as (select * from unnest(%(ids)s::text[], %(patients)s::uuid[]) as g (external_id, patient_id)) "
            "insert into imports_name (kind, source, external_id, record_id, batch_id) "
            "select 'patient', %(source)s, external_id, patient_id, %(batch)s from given on conflict do nothing returning 1",
            {
                "ids": [external for external, _patient in names], "patients": [patient for _external, patient in names],
                "source": run.source, "batch": run.batch_id,
            },
        )  # fmt: skip


# --- the patient's own row ------------------------------------------------------------------------------------------


def _as_found(found: list[Found], keys: dict[str, bytes]) -> list[tuple[Any, ...]]:
    """Return the rows to stage: as prepared for new patients, under their own id and key for known ones."""
    addresses = _addresses(keys)
    at_address, at_wrapped = STAGED_AT["address_sealed"], STAGED_AT["wrapped"]
    staged = []
    for one in found:
        values = one.ready.rows[one.at]
        if not one.is_new:
            address, plain = None, one.row[PATIENT.index["address"]]
            if plain and addresses.get(one.patient) != plain:
                place = f"{TABLE}.address_sealed.{one.patient}"
                address = bytea(vault.seal(keys[one.patient], str(plain), place=place))
            changed = list(values)
            changed[0], changed[1], changed[at_address], changed[at_wrapped] = one.patient, False, address, None
            values = tuple(changed)
        staged.append(values)
    return staged


def _write_patients(staged: Rendered, run: Run, outcome: Outcome, *, known: int) -> None:
    stage_rendered("stage", staged, joined=["id"] if known else [])
    given = _given(staged)
    _insert_patients(run, outcome, given)
    if staged.rows > outcome.created:
        _update_patients(run, outcome, staged.rows - outcome.created, given)


def _given(staged: Rendered) -> dict[str, str]:
    """Return each column of the staging table as it is read: one in which nothing stood was not staged.

    Nor is it staged that a patient is new where all are.
    """
    held = dict(staged.columns)
    given = {name: _staged(name, kind, held.get(name)) for name, kind in STAGED}
    return given if "is_new" in held else {**given, "is_new": "true"}


def _staged(name: str, kind: str, held_as: str | None) -> str:
    if held_as is None:
        return f"null::{kind}"
    return f's."{name}"' if held_as == kind else f's."{name}"::{kind}'


def _addresses(keys: dict[str, bytes]) -> dict[str, str]:
    """Return the addresses of known patients, so that an unchanged one is not sealed and counted as a change."""
    if not keys:
        return {}
    opened: dict[str, str] = {}
    for patient, sealed in fetch(
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


def _insert_patients(run: Run, outcome: Outcome, given: dict[str, str]) -> None:
    """Insert the new patients with their keys, and publish that they are there.

    The organization and the transaction are named once: as column defaults they would be worked out for every row. Row-level
    security checks them all the same.
    """
    cut = limits(TABLE)
    texts = ", ".join(
        f"coalesce(left({given[name]}, {cut[name]}), '')" if name in cut else f"coalesce({given[name]}, '')"
        for name in TEXTS
        if name != "sex"
    )
    names = ", ".join(name for name in TEXTS if name != "sex")
    parameters = {
        "organization": run.organization_id, "source": run.source, "batch": run.batch_id, "now": run.now,
        "zone": str(run.zone), "actor_kind": run.actor_kind, "actor_id": run.actor_id, "how": '{"how": "import"}',
    }  # fmt: skip
    outcome.created = sql.execute(
        f"""
        insert into patients_patient (organization_id, id, external_id, source, chart_number, birth_date, birth_precision, deceased,
               deceased_at, active, registered_on, address_sealed, name_grams, sex, {names}, batch_id, created_at, updated_at)
        select %(organization)s::uuid, s.id, coalesce(left({given["external_id"]}, 160), ''), %(source)s,
               coalesce(left({given["chart_number"]}, 60), ''), {given["birth_date"]}, coalesce({given["birth_precision"]}, 'day'),
               coalesce({given["deceased"]}, false), {given["deceased_at"]}, coalesce({given["active"]}, true),
               {given["registered_on"]}, {given["address_sealed"]}, {given["name_grams"]}, coalesce({given["sex"]}, 'unknown'),
               {texts}, %(batch)s::uuid, %(now)s::timestamptz, %(now)s::timestamptz
          from stage s where {given["is_new"]}
        """,
        parameters,
    )
    if not outcome.created:
        return
    sql.execute(
        f"""insert into patients_key (organization_id, patient_id, wrapped)
            select %(organization)s::uuid, s.id, {given["wrapped"]} from stage s where {given["is_new"]}""",
        parameters,
    )
    sql.execute(
        f"""
        insert into events_event (organization_id, xid, kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source,
                                  batch_id, historical, payload)
        select %(organization)s::uuid, (select pg_current_xact_id()::text::bigint), 'patient.registered', s.id,
               coalesce({given["registered_on"]}::timestamp at time zone %(zone)s, %(now)s::timestamptz), %(now)s::timestamptz,
               %(actor_kind)s, %(actor_id)s::uuid, %(source)s, %(batch)s::uuid, true, %(how)s::jsonb
          from stage s where {given["is_new"]}
        """,
        parameters,
    )


def _update_patients(run: Run, outcome: Outcome, known: int, given: dict[str, str]) -> None:
    cut = limits(TABLE)
    new = {
        name: f"coalesce(left({given[name]}, {cut[name]}), r.{name})"
        if name in cut
        else f"coalesce({given[name]}, r.{name})"
        for name in (*TEXTS, "birth_date", "birth_precision", "deceased", "deceased_at", "active", "registered_on")
    }
    # who asked that the record is not used is not brought back by what another system says
    new["active"] = f"{new['active']} and r.restriction = ''"
    new["deceased"] = f"r.deceased or coalesce({given['deceased']}, false)"
    new["chart_number"] = (
        f"coalesce(nullif(r.chart_number, ''), left({given['chart_number']}, {cut['chart_number']}), '')"
    )
    new["address_sealed"] = f"coalesce({given['address_sealed']}, r.address_sealed)"
    new["name_grams"] = f"coalesce({given['name_grams']}, r.name_grams)"
    old = ", ".join(f"r.{name}" for name in new)
    pairs = ", ".join(f"'{name}', r.{name}" for name in new)
    sets = ", ".join(f"{name} = {value}" for name, value in new.items())
    changed = fetch(
        f"""
        with changed as materialized (
            select r.id, jsonb_build_object({pairs}, 'version', r.version) as before
              from stage s join patients_patient r on r.id = s.id
             where not {given["is_new"]} and ({", ".join(new.values())}) is distinct from ({old})
               for update of r
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
                   jsonb_build_object('fields', (
                       select coalesce(jsonb_agg(case field when 'address_sealed' then 'address' else field end order by field), '[]')
                         from jsonb_object_keys(u.after) as field
                        where field not in ('version', 'name_grams') and u.after -> field is distinct from c.before -> field))
              from changed c join updated u using (id)
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
