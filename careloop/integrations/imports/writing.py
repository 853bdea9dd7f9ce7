"""Write a chunk of records as a set: copy into staging, find what is known already, insert, update, publish.

Nothing here loops over rows in Python except to name patients and visits. Which column goes where is data (`targets`), what is made
of a row without the database is in `columns`. How a row finds the record it speaks of is said in `rows.py`; `match` below is that
rule in SQL.
"""

from collections.abc import Container, Iterator, Sequence
from typing import Any

from django.db import connection

from careloop.integrations.imports.columns import PreparedRecords, prepare_records
from careloop.integrations.imports.natural_keys import CALENDAR_KINDS
from careloop.integrations.imports.pairs import WriteAlone
from careloop.integrations.imports.references import find_encounters, find_patients, find_practitioners
from careloop.integrations.imports.rendering import NULL, joined, texts_of
from careloop.integrations.imports.rows import Kind, Row, RowChunk, Warned, column
from careloop.integrations.imports.staging import (
    Outcome,
    Run,
    drop,
    empty_table,
    fetch,
    limits,
    refused,
    stage_rendered,
    warn,
)
from careloop.integrations.imports.targets import CAST, TARGETS, Target

#: what a staged column is, where it is no text; times stay text until they are written
_STAGED_AS = {
    "n": "int", "id": "uuid", "patient_id": "uuid", "encounter_id": "uuid", "practitioner_id": "uuid", "day_only": "boolean",
}  # fmt: skip
_TEXT = 'text collate "C"'


# --- records --------------------------------------------------------------------------------------------------------


def write_records(chunk: RowChunk, run: Run) -> Outcome:
    """Write a chunk of records of one kind; see the module's text for how."""
    kind = chunk.kind
    target = TARGETS[kind.name]
    outcome = Outcome(kind.resource)
    rows = once_per_id(chunk.rows, kind, outcome)
    if not rows:
        return outcome
    ready: PreparedRecords | None = chunk.prepared if rows is chunk.rows else None
    if ready is None:
        ready = prepare_records(kind, rows, zone=run.zone, currency=run.currency)
    held = _stage(ready, rows, kind, run, outcome)
    if held:
        _match(kind, target, run, outcome)
        _insert(kind, target, run, outcome, held)
        _update(kind, target, run, outcome, held)
    return outcome


def once_per_id(rows: Sequence[Row], kind: Kind, outcome: Outcome) -> Sequence[Row]:
    """Keep the last of rows that share an external id; the earlier ones are warned about and counted as unchanged."""
    at = kind.index["external_id"]
    ids = list(filter(None, column(rows, at)))
    if len(ids) == len(set(ids)):
        return rows
    last: dict[Any, int] = {row[at]: place for place, row in enumerate(rows) if row[at]}
    kept = []
    for place, row in enumerate(rows):
        if row[at] and last[row[at]] != place:
            outcome.unchanged += 1
            if row[2:] != rows[last[row[at]]][2:]:
                outcome.warned.append(
                    Warned(str(row[0] or ""), int(row[1] or 0), "external_id", "row.duplicate_in_file")
                )
        else:
            kept.append(row)
    return kept


def _stage(ready: PreparedRecords, rows: Sequence[Row], kind: Kind, run: Run, outcome: Outcome) -> set[str]:
    """Stage the rows that can be written with their patient, visit and professional; return which columns were staged."""
    index = kind.index
    references: Sequence[Any] = column(rows, index["patient_external_id"])
    patients = find_patients(run, set(references))
    bad = {
        place: ("patient_external_id", "row.patient_unknown")
        for place, reference in enumerate(references)
        if reference not in patients
    }
    for place, problem in ready.bad.items():
        bad.setdefault(place, problem)
    texts: dict[str, Sequence[str]] = {
        "n": list(map(str, range(len(rows)))), "patient_id": [patients.get(reference, NULL) for reference in references],
    }  # fmt: skip
    if "encounter_external_id" in index:
        visits: Sequence[Any] = column(rows, index["encounter_external_id"])
        encounters = find_encounters(run, set(visits))
        texts["encounter_id"] = texts_of([encounters.get(reference) for reference in visits])
        for place, reference in enumerate(visits):
            if reference and reference not in encounters and place not in bad:
                outcome.warned.append(warn(rows[place], "encounter_external_id", "row.encounter_unknown"))
    if kind.name == "encounter":
        doers: Sequence[Any] = column(rows, index["practitioner_external_id"])
        if found := find_practitioners(run, set(doers)):
            texts["practitioner_id"] = texts_of([found.get(reference) for reference in doers])
    for place, (name, code) in sorted(bad.items()):
        outcome.refused.append(refused(rows[place], kind, name, code))
    outcome.warned += [
        warn(rows[place], name, "row.cut", {"limit": limit}) for place, name, limit in ready.cut if place not in bad
    ]
    if len(bad) == len(rows):
        return set()
    texts |= ready.columns
    outcome.patients += patients.values() if not bad else _of_the_good(references, patients, bad)
    rendered = joined([(name, _STAGED_AS.get(name, _TEXT)) for name in texts], texts.values(), bad)
    # a column list: counting every column of every chunk was a twentieth of an import of visits
    stage_rendered("stage", rendered, joined=("external_id", "patient_id", "natural_key"))
    return set(texts)


def _of_the_good(references: Sequence[Any], patients: dict[str, str], bad: Container[int]) -> Iterator[str]:
    return (patients[reference] for place, reference in enumerate(references) if place not in bad)


def _match(kind: Kind, target: Target, run: Run, outcome: Outcome) -> None:
    """Find the record each staged row speaks of: by its name in this source, then by natural key (see rows.py)."""
    table = target.table
    parameters: dict[str, Any] = {
        "source": run.source, "batch": run.batch_id, "kind": kind.name, "begun_again_at": run.begun_again_at or "-infinity",
    }  # fmt: skip
    empty_table("match", "n int, id uuid, how text")
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into match select s.n, r.id, 'name' from stage s join {table} r "
            "on r.source = %(source)s and r.external_id = s.external_id where s.external_id is not null",
            parameters,
        )
        if _had_rows(table, run):
            if not run.alone:
                raise WriteAlone
            cursor.execute(
                "insert into match select s.n, m.record_id, 'name' from stage s join imports_name m "
                "on m.kind = %(kind)s and m.source = %(source)s and m.external_id = s.external_id "
                "where s.external_id is not null and not exists (select 1 from match where match.n = s.n)",
                parameters,
            )
            for has_id in (True, False):
                _pair(target, has_id=has_id, by_day=kind.name in CALENDAR_KINDS, parameters=parameters)
            cursor.execute(
                "insert into imports_name (kind, source, external_id, record_id, batch_id) "
                "select %(kind)s, %(source)s, s.external_id, m.id, %(batch)s from match m join stage s using (n) "
                "where m.how = 'alias' on conflict do nothing",
                parameters,
            )
            outcome.grown["imports_name"] = cursor.rowcount
            cursor.execute(
                "insert into imports_claim (batch_id, record_id) select %(batch)s, id from match where how = 'claim' "
                "on conflict do nothing",
                parameters,
            )
            outcome.grown["imports_claim"] = cursor.rowcount
        cursor.execute("analyze match")


# The look-ups are lateral with `offset 0`, so that each wanted key is one walk down the index (organization, patient, time) however
# little the planner knows of a table that was empty a minute ago.
_WANTED = """
create temp table wanted on commit drop as
select s.n, s.patient_id, s.natural_key, s."{time}"::timestamptz as at,
       row_number() over (partition by s.patient_id, s.natural_key order by s.n) as place
  from stage s
 where s.external_id is {is_null} and s.natural_key <> '|' and not exists (select 1 from match where match.n = s.n)
"""
_KNOWN = """
create temp table known on commit drop as
with keys as materialized (select patient_id, natural_key, min(at) as at from wanted group by patient_id, natural_key),
there as (
    select k.patient_id, k.natural_key, found.id
      from keys k cross join lateral (
        select r.id, r.source, r.external_id, r.batch_id, r.recorded_at from {table} r
         where r.patient_id = k.patient_id and r.natural_key = k.natural_key {when}
        offset 0
      ) as found
     where (found.batch_id is distinct from %(batch)s or found.recorded_at < %(begun_again_at)s) {other}
)
select id, patient_id, natural_key, row_number() over (partition by patient_id, natural_key order by id) as place from there
"""
_AT = (
    """and r."{time}" >= date_trunc('second', k.at) and r."{time}" < date_trunc('second', k.at) + interval '1 second'"""
)
_PAIR = "insert into match select w.n, o.id, %(how)s from wanted w join known o using (patient_id, natural_key, place)"


def _pair(target: Target, *, has_id: bool, by_day: bool, parameters: dict[str, Any]) -> None:
    """Match rows by natural key: the n-th incoming row of a key to the n-th known record of it that is still free."""
    # Two records of one source never become one: a row with an id does not meet a record that has a name here already.
    other = (
        "and not (found.source = %(source)s and found.external_id <> '') and (select m.id from imports_name m "
        "where m.record_id = found.id and m.kind = %(kind)s and m.source = %(source)s limit 1) is null"
        if has_id
        else "and (select c.id from imports_claim c where c.batch_id = %(batch)s and c.record_id = found.id limit 1) is null"
    )
    when = "" if by_day else _AT.format(time=target.time)
    with connection.cursor() as cursor:
        cursor.execute(_WANTED.format(time=target.time, is_null="not null" if has_id else "null"))
        if by_day or cursor.rowcount:
            cursor.execute("analyze wanted")
            cursor.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
            cursor.execute(_KNOWN.format(table=target.table, when=when, other=other), parameters)
            cursor.execute("set local enable_seqscan = on; set local enable_bitmapscan = on")
            cursor.execute("analyze known")
            cursor.execute(_PAIR, {**parameters, "how": "alias" if has_id else "claim"})
            if not by_day:
                # a row without any time is compared with the patient's other records of its key
                cursor.execute("drop table known")
                cursor.execute("delete from wanted where at is not null")
                if len(fetch("select 1 from wanted limit 1")):
                    cursor.execute(_KNOWN.format(table=target.table, when="", other=other), parameters)
                    cursor.execute(_PAIR, {**parameters, "how": "alias" if has_id else "claim"})
    drop("wanted", "known")


def _had_rows(table: str, run: Run) -> bool:
    """Return whether the table held rows of other batches, or of this one before it was begun again, when the import came to it."""
    if table not in run.had_rows:
        run.had_rows[table] = (
            bool(run.begun_again_at)
            or fetch(f"select exists (select 1 from {table} where batch_id is distinct from %s)", [run.batch_id])[0][0]
        )
    return run.had_rows[table]


def _staged(name: str, held: set[str]) -> str:
    """Return the SQL of a staged value; a column in which nothing stood was not staged."""
    return f's."{name}"' if name in held else "null::text"


def _value(name: str, how: str, table: str, held: set[str]) -> str:
    """Return the SQL of a staged value, cast, with empty for missing texts, cut to what the column takes."""
    staged = _staged(name, held)
    if how == "text":
        limit = limits(table).get(name)
        return f"coalesce(left({staged}, {limit}), '')" if limit else f"coalesce({staged}, '')"
    if how == "json":
        empty = "null" if name == "components" else "'[]'"
        return f"coalesce({staged}::jsonb, {empty}::jsonb)"
    if how == "money":
        return f"coalesce({staged}::bigint, 0)"
    if how == "flag":
        return f"coalesce({staged}::boolean, false)"
    return f"{staged}{CAST[how]}"


#: what else a fact carries, beside the record's id, code and display: field → column
_PAYLOADS = {
    "encounter": {"class_code": "class_code", "department": "department"},
    "medication": {"refillable": "is_refillable"},
    "invoice": {"self_pay": "self_pay_amount", "total": "total_amount", "currency": "currency"},
}


def _insert(kind: Kind, target: Target, run: Run, outcome: Outcome, held: set[str]) -> None:
    """Insert the rows that speak of nothing known, and publish what happened, in one statement."""
    table = target.table
    columns = {name: _value(name, how, table, held) for name, (_source, how) in target.columns.items()}
    columns |= {
        "id": "s.id", "patient_id": "s.patient_id", "natural_key": "left(s.natural_key, 200)", "external_id": "coalesce(left(s.external_id, 200), '')",
        "source": "%(source)s", "batch_id": "%(batch)s", "recorded_at": "%(now)s", "organization_id": "%(organization)s::uuid",
    }  # fmt: skip
    if kind.name != "encounter":
        columns["encounter_id"] = "s.encounter_id"
    names = ", ".join(f'"{name}"' for name in columns)
    code = "code" if "code" in target.columns or kind.name == "invoice" else "''"
    resource = "resource_type" if kind.name == "other" else "''"
    extra = _PAYLOADS.get(kind.name, {})
    more = "".join(f", {column}" for column in extra.values())
    payload = "".join(f", '{name}', {column}" for name, column in extra.items())
    found = fetch(
        f"""
        with new as (
            insert into {table} ({names}) select {", ".join(columns.values())}
              from stage s where not exists (select 1 from match where match.n = s.n) order by s.n
            returning id, patient_id, "{target.time}" as at, {code} as code, display, {resource} as resource{more}
        ), published as (
            insert into events_event (organization_id, xid, kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source,
                                      batch_id, historical, payload)
            select %(organization)s::uuid, (select pg_current_xact_id()::text::bigint), %(event)s, patient_id, coalesce(at, %(now)s), %(now)s, %(actor_kind)s, %(actor_id)s, %(source)s,
                   %(batch)s, true, jsonb_build_object('record_id', id, 'code', code, 'display', display{payload})
              from new
        )
        select resource, count(*) from new group by resource
        """,
        {
            "organization": run.organization_id, "source": run.source, "batch": run.batch_id, "now": run.now, "event": target.event,
            "actor_kind": run.actor_kind, "actor_id": run.actor_id,
        },
    )  # fmt: skip
    for resource_type, count in found:
        outcome.created += count
        if resource_type:
            outcome.created_by[resource_type] = count
    outcome.grown[table] = outcome.created


def _update(kind: Kind, target: Target, run: Run, outcome: Outcome, held: set[str]) -> None:
    """Bring known records up to date; what the source leaves empty stays, and what was before is kept for undo."""
    table = target.table
    matched = fetch("select count(*) from match")[0][0]
    if not matched:
        return
    new: dict[str, str] = {}
    for name, (_source, how) in target.columns.items():
        value = f"{_staged(name, held)}{CAST[how]}"
        if how == "text" and (limit := limits(table).get(name)):
            value = f"left({_staged(name, held)}, {limit})"
        new[name] = f'coalesce({value}, r."{name}")'
        if how == "at" and kind.name in CALENDAR_KINDS:
            # a bare day does not overwrite the time of day that another source knows
            near = f"""abs(extract(epoch from r."{name}" - {_staged(name, held)}::timestamptz)) < 129600"""
            new[name] = f'case when s.day_only and {near} then r."{name}" else {new[name]} end'
    new["natural_key"] = "left(s.natural_key, 200)"
    if kind.name != "encounter":
        new["encounter_id"] = "coalesce(s.encounter_id, r.encounter_id)"
    old_values = ", ".join(f'r."{name}"' for name in new)
    pairs = ", ".join(f"'{name}', r.\"{name}\"" for name in new)
    sets = ", ".join(f'"{name}" = {value}' for name, value in new.items())
    changed = fetch(
        f"""
        with changed as materialized (
            select distinct on (r.id) r.id, m.n, jsonb_build_object({pairs}) as before
              from match m join stage s using (n) join {table} r on r.id = m.id
             where ({", ".join(new.values())}) is distinct from ({old_values})
             order by r.id, m.n desc
        ), updated as (
            update {table} r set {sets} from changed c join stage s on s.n = c.n where r.id = c.id
            returning r.id, r.patient_id, jsonb_build_object({pairs}) as after
        ), kept as (
            insert into imports_change (batch_id, "table", record_id, before, after)
            select %(batch)s, %(table)s, c.id, c.before, u.after from changed c join updated u using (id)
            where not exists (select 1 from {table} own where own.id = c.id and own.batch_id = %(batch)s)
        ), published as (
            insert into events_event (organization_id, xid, kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source,
                                      batch_id, historical, payload)
            select %(organization)s::uuid, (select pg_current_xact_id()::text::bigint), 'record.updated', patient_id, %(now)s, %(now)s,
                   %(actor_kind)s, %(actor_id)s, %(source)s, %(batch)s, true, jsonb_build_object('record', %(kind)s::text, 'count', count(*))
              from updated group by patient_id
        )
        select count(*) from updated
        """,
        {
            "batch": run.batch_id, "table": table, "organization": run.organization_id, "source": run.source, "now": run.now,
            "actor_kind": run.actor_kind, "actor_id": run.actor_id, "kind": kind.name,
        },
    )[0][0]  # fmt: skip
    outcome.updated += changed
    outcome.unchanged += matched - changed


def is_record(kind: Kind) -> bool:
    return kind.name in TARGETS
