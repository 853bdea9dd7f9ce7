"""Write a chunk of rows as a set: copy into staging, find what is known already, insert, update, publish.

Nothing here loops over rows in Python except to bring them into text for COPY. Which column goes where is data (`TARGETS`).
How a row finds the record it speaks of is said in `rows.py`; `match` below is that rule in SQL.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection

from careloop.integrations.imports.moments import Bad, moment_text, remember
from careloop.integrations.imports.natural_keys import CALENDAR_KINDS, moment_key
from careloop.integrations.imports.rendering import Rendered, render
from careloop.integrations.imports.rows import Kind, Refused, Row, RowChunk, Warned
from careloop.kernel.money import decimals_of


@dataclass(slots=True)
class Run:
    """One import while it runs: whose, from where, and what has been learnt on the way."""

    organization_id: UUID
    batch_id: UUID
    source: str
    zone: tzinfo
    currency: str
    now: datetime
    actor_kind: str = "system"
    actor_id: UUID | None = None
    #: reference → id, for patients and encounters seen lately; emptied when it grows
    patients: dict[str, UUID] = field(default_factory=dict)
    encounters: dict[str, UUID] = field(default_factory=dict)
    #: tables that held rows of other batches when the import began
    had_rows: dict[str, bool] = field(default_factory=dict)
    #: table → rows written since the planner last counted it, and how many it counted then
    grown: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What became of a chunk."""

    resource: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Refused] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    #: ids of the patients whose data were written, for the audit log
    patients: set[UUID | str] = field(default_factory=set)
    #: for kinds whose rows are of several resource types
    created_by: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """Where the rows of a kind are kept: table, time column, and column → (field, how it is cast)."""

    table: str
    columns: dict[str, tuple[str, str]]
    time: str = ""
    event: str = ""


_CODED = {"status": ("status", "text"), "code_system": ("code_system", "text"), "code": ("code", "text"),
          "display": ("display", "text"), "note": ("note", "text")}  # fmt: skip
_STATUS = {**_CODED, "status": ("clinical_status", "text")}
_REASON = {"reason_code": ("reason_code", "text"), "reason_display": ("reason_display", "text")}
_DOER = {"practitioner_name": ("practitioner_name", "text")}

TARGETS: dict[str, Target] = {
    "encounter": Target(
        "records_encounter",
        {
            **_CODED, **_REASON, **_DOER, "class_code": ("class_code", "text"), "started_at": ("start", "at"),
            "ended_at": ("end", "at"), "location_name": ("location_name", "text"), "department": ("department", "text"),
            "practitioner_id": ("practitioner_id", "uuid"),
        },
        "started_at", "encounter.recorded",
    ),
    "condition": Target(
        "records_condition",
        {
            **_STATUS, "verification_status": ("verification_status", "text"), "category": ("category", "text"),
            "severity": ("severity", "text"), "onset_at": ("onset", "at"), "abated_at": ("abatement", "at"),
        },
        "onset_at", "condition.recorded",
    ),
    "allergy": Target(
        "records_allergy",
        {
            **_STATUS, "verification_status": ("verification_status", "text"), "type": ("type", "text"),
            "category": ("category", "text"), "criticality": ("criticality", "text"), "noted_at": ("recorded", "at"),
            "ended_at": ("ended", "at"), "reactions": ("reactions", "json"),
        },
        "noted_at", "allergy.recorded",
    ),
    "medication": Target(
        "records_medication",
        {
            **_CODED, **_REASON, **_DOER, "intent": ("intent", "text"), "started_at": ("start", "at"),
            "ended_at": ("end", "at"), "dosage": ("dosage", "text"), "is_refillable": ("refillable", "flag"),
            "fills_allowed": ("refills_allowed", "small"), "fills_taken": ("dispenses", "small"),
            "days_supply": ("days_supply", "small"), "quantity": ("quantity", "float"),
            "supply_ends_on": ("supply_ends_on", "date"),
        },
        "started_at", "medication.recorded",
    ),
    "observation": Target(
        "records_observation",
        {
            **_CODED, "category": ("category", "text"), "observed_at": ("effective", "at"),
            "comparator": ("comparator", "text"), "value_number": ("value_number", "float"),
            "value_text": ("value_text", "text"), "value_code": ("value_code", "text"), "unit": ("unit", "text"),
            "reference_low": ("reference_low", "float"), "reference_high": ("reference_high", "float"),
            "reference_text": ("reference_text", "text"), "interpretation": ("interpretation", "text"),
            "components": ("components", "json"),
        },
        "observed_at", "observation.recorded",
    ),
    "procedure": Target(
        "records_procedure",
        {
            **_CODED, **_REASON, **_DOER, "performed_at": ("start", "at"), "ended_at": ("end", "at"),
            "body_site": ("body_site", "text"),
        },
        "performed_at", "procedure.recorded",
    ),
    "immunization": Target(
        "records_immunization",
        {
            **_CODED, **_DOER, "given_at": ("occurrence", "at"), "dose_number": ("dose_number", "small"),
            "lot_number": ("lot_number", "text"), "site": ("site", "text"),
        },
        "given_at", "immunization.recorded",
    ),
    "report": Target(
        "records_report",
        {
            "status": ("status", "text"), "code_system": ("code_system", "text"), "code": ("code", "text"),
            "display": ("display", "text"), **_DOER, "category": ("category", "text"), "issued_at": ("effective", "at"),
            "conclusion": ("conclusion", "text"), "text": ("text", "text"), "results": ("results", "json"),
        },
        "issued_at", "report.recorded",
    ),
    "care_plan": Target(
        "records_care_plan",
        {
            **_CODED, **_REASON, "intent": ("intent", "text"), "title": ("title", "text"), "started_at": ("start", "at"),
            "ended_at": ("end", "at"), "activities": ("activities", "json"),
        },
        "started_at", "care_plan.recorded",
    ),
    "invoice": Target(
        "records_invoice",
        {
            "status": ("status", "text"), "note": ("note", "text"), "number": ("number", "text"),
            "issued_at": ("issued", "at"), "payer_kind": ("payer_kind", "text"), "currency": ("currency", "text"),
            "total_amount": ("total_amount", "money"), "self_pay_amount": ("self_pay_amount", "money"),
            "lines": ("lines", "json"),
        },
        "issued_at", "invoice.recorded",
    ),
    "other": Target(
        "records_other",
        {
            "status": ("status", "text"), "code_system": ("code_system", "text"), "code": ("code", "text"),
            "display": ("display", "text"), "resource_type": ("resource_type", "text"), "category": ("category", "text"),
            "happened_at": ("start", "at"), "ended_at": ("end", "at"), "value_number": ("value_number", "float"),
            "unit": ("unit", "text"), "text": ("text", "text"),
        },
        "happened_at", "other.recorded",
    ),
}  # fmt: skip

#: how many lately seen references are remembered
REMEMBERED = 200_000

_CAST = {
    "at": "::timestamptz", "json": "::jsonb", "float": "::float8", "small": "::int", "money": "::bigint", "date": "::date",
    "flag": "::boolean", "uuid": "::uuid", "text": "",
}  # fmt: skip


@cache
def limits(table: str) -> dict[str, int]:
    """Return the longest text each column of a table takes."""
    model = next(model for model in apps.get_models() if model._meta.db_table == table)
    return {str(column.column): column.max_length for column in model._meta.concrete_fields if column.max_length}


# --- to the database and back ---------------------------------------------------------------------------------------


def stage(
    table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], *, joined: bool = True
) -> None:
    """Make a staging table of rows that lives until the end of the transaction; None and the empty string are NULL."""
    stage_rendered(table, render(columns, rows, without_empty=False), joined=joined)


def stage_rendered(table: str, rendered: Rendered, *, joined: bool = True) -> None:
    """Make a staging table of what was rendered ahead, and tell the planner its size.

    Args:
        joined: whether a statement joins it to other tables; a table that is only read through needs no statistics.
    """
    kinds = ", ".join(f'"{name}" {kind}' for name, kind in rendered.columns)
    names = ", ".join(f'"{name}"' for name, _kind in rendered.columns)
    with connection.cursor() as cursor:
        cursor.execute(f"create temp table {table} ({kinds}) on commit drop")
        with cursor.copy(f"copy {table} ({names}) from stdin") as copy:
            copy.write(rendered.text)
        if joined:
            cursor.execute(f"analyze {table}")


def drop(*tables: str) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"drop table if exists {table}")


def _fetch(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def note_growth(run: Run, table: str, rows: int) -> None:
    """Have a table counted again once it is four times what it was: plans made for an empty table are a hundred times slower."""
    run.grown[table] = run.grown.get(table, 0) + rows
    if table not in run.counted:
        run.counted[table] = max(
            0, int(_fetch("select reltuples from pg_class where oid = %s::regclass", [table])[0][0])
        )
    if run.grown[table] > max(500, run.counted[table] * 3):
        _fetch("select imports_analyze(%s)", [[table]])
        run.counted[table] += run.grown[table]
        run.grown[table] = 0


# --- references -----------------------------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def find_patients(run: Run, references: Iterable[str]) -> dict[str, UUID]:
    """Return the patient behind each reference: by the id in this source, another name, the chart number, a UUID of any source.

    A merged patient gives the survivor. References nobody answers to are left out.
    """
    if len(run.patients) > REMEMBERED:
        run.patients.clear()
    known = run.patients
    wanted = {reference for reference in references if reference and reference not in known}
    for statement in (
        "select external_id, id from patients_patient where source = %(source)s and external_id = any(%(wanted)s)",
        "select external_id, record_id from imports_name where kind = 'patient' and source = %(source)s "
        "and external_id = any(%(wanted)s)",
        "select chart_number, id from patients_patient where chart_number <> '' and chart_number = any(%(wanted)s)",
    ):
        if wanted:
            found = dict(_fetch(statement, {"source": run.source, "wanted": list(wanted)}))
            known.update(found)
            wanted -= found.keys()
    if uuids := [reference for reference in wanted if _UUID.fullmatch(reference)]:
        found = dict(
            _fetch(
                "select external_id, id from patients_patient where external_id = any(%(wanted)s) and source in "
                "(select code from imports_source)",
                {"wanted": uuids},
            )
        )
        known.update(found)
    return _survivors(known, references)


def _survivors(known: dict[str, UUID], references: Iterable[str]) -> dict[str, UUID]:
    """Follow merged patients to the record that stands for them now."""
    answer = {reference: known[reference] for reference in references if reference in known}
    for _step in range(5):
        moved = dict(
            _fetch(
                "select id, merged_into_id from patients_patient where id = any(%s) and merged_into_id is not null",
                [list(set(answer.values()))],
            )
        )
        if not moved:
            break
        answer = {reference: moved.get(patient, patient) for reference, patient in answer.items()}
    return answer


def find_encounters(run: Run, references: Iterable[str]) -> dict[str, UUID]:
    """Return the encounter behind each reference, by its id in this source or another name it is known by here."""
    if len(run.encounters) > REMEMBERED:
        run.encounters.clear()
    known = run.encounters
    wanted = {reference for reference in references if reference and reference not in known}
    for statement in (
        "select external_id, id from records_encounter where source = %(source)s and external_id = any(%(wanted)s)",
        "select external_id, record_id from imports_name where kind = 'encounter' and source = %(source)s "
        "and external_id = any(%(wanted)s)",
    ):
        if wanted:
            found = dict(_fetch(statement, {"source": run.source, "wanted": list(wanted)}))
            known.update(found)
            wanted -= found.keys()
    return known


def find_practitioners(run: Run, references: Iterable[str]) -> dict[str, UUID]:
    """Return the practitioner behind each reference of this source."""
    wanted = [reference for reference in references if reference]
    if not wanted:
        return {}
    return dict(
        _fetch(
            "select external_id, id from records_practitioner where source = %s and external_id = any(%s)",
            [run.source, wanted],
        )
    )


# --- columns to text ------------------------------------------------------------------------------------------------


def _small(value: Any) -> int:
    number = int(Decimal(str(value)))
    if not 0 <= number <= 32767:
        raise Bad("row.not_a_whole_number")
    return number


def _float(value: Any) -> str:
    float(value)
    return str(value)


def minor_units(value: Any, currency: str) -> int:
    """Return an amount in the currency's minor units, rounded half up: sources keep more digits than coins have."""
    scaled = Decimal(str(value)).scaleb(decimals_of(currency))
    return int(scaled.to_integral_value(rounding="ROUND_HALF_UP"))


# --- records --------------------------------------------------------------------------------------------------------


def write_records(chunk: RowChunk, run: Run) -> Outcome:
    """Write a chunk of records of one kind; see the module's text for how."""
    kind = chunk.kind
    target = TARGETS[kind.name]
    outcome = Outcome(kind.resource)
    rows = _once_per_id(chunk.rows, kind, outcome)
    if not rows:
        return outcome
    staged = _stage_records(rows, kind, target, run, outcome)
    if staged:
        _match(kind, target, run, outcome)
        _insert(kind, target, run, outcome)
        _update(kind, target, run, outcome)
        drop("stage", "match")
    return outcome


def _once_per_id(rows: list[Row], kind: Kind, outcome: Outcome) -> list[Row]:
    """Keep the last of rows that share an external id; the earlier ones are warned about and counted as unchanged."""
    at = kind.index["external_id"]
    ids = [row[at] for row in rows if row[at]]
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


def _stage_records(rows: list[Row], kind: Kind, target: Target, run: Run, outcome: Outcome) -> int:
    index = kind.index
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    references = columns[index["patient_external_id"]]
    patients = find_patients(run, set(references))  # type: ignore[arg-type]
    encounters: dict[Any, UUID] = {}
    visit_column: Sequence[Any] = ()
    if "encounter_external_id" in index:
        visit_column = columns[index["encounter_external_id"]]
        encounters = find_encounters(run, set(visit_column))  # type: ignore[arg-type]
    bad: dict[int, tuple[str, str]] = {}
    for place, reference in enumerate(references):
        if reference not in patients:
            bad[place] = ("patient_external_id", "row.patient_unknown")

    to_moment = remember(moment_text(run.zone))
    staged: dict[str, Sequence[Any]] = {
        "n": range(len(rows)),
        "external_id": columns[index["external_id"]],
        "patient_id": [patients.get(reference) for reference in references],  # type: ignore[arg-type]
        "natural_key": _natural_keys(kind, columns, run),
    }
    if visit_column:
        staged["encounter_id"] = [encounters.get(reference) for reference in visit_column]
        for place, reference in enumerate(visit_column):
            if reference and reference not in encounters and place not in bad:
                outcome.warned.append(_warned(rows[place], "encounter_external_id", "row.encounter_unknown"))
    for name, (source, how) in target.columns.items():
        if name == "practitioner_id":
            found = find_practitioners(run, set(columns[index["practitioner_external_id"]]))
            staged[name] = [found.get(reference) for reference in columns[index["practitioner_external_id"]]]
            continue
        if name == "supply_ends_on":
            staged[name] = _supply_ends(columns, index)
            continue
        values = columns[index[source]]
        if how == "at":
            values = to_moment(values)
        elif how == "small":
            values = remember(_small)(values)
        elif how == "float":
            values = remember(_float)(values)
        elif how == "money":
            values = _money(values, columns[index["currency"]], run)
        elif name == "currency":
            values = [value or run.currency for value in values]
        staged[name] = values
        if how in {"at", "small", "float", "money"}:
            for place, value in enumerate(values):
                if isinstance(value, Bad):
                    bad.setdefault(place, (source, value.code))
    if target.time:
        staged["day_only"] = [
            value is not None and len(str(value)) <= 10 for value in columns[index[target.columns[target.time][0]]]
        ]
    names = list(staged)
    lines: Iterable[tuple[Any, ...]] = zip(*staged.values(), strict=True)
    if bad:
        for place, (name, code) in sorted(bad.items()):
            outcome.refused.append(_refused(rows[place], kind, name, code))
        lines = [line for place, line in enumerate(lines) if place not in bad]
        if not lines:
            return 0
    outcome.patients.update(patient for place, patient in enumerate(staged["patient_id"]) if place not in bad)
    kinds = {"n": "int", "patient_id": "uuid", "encounter_id": "uuid", "practitioner_id": "uuid", "day_only": "boolean"}
    stage("stage", [(name, kinds.get(name, 'text collate "C"')) for name in names], lines)
    return len(rows) - len(bad)


def _natural_keys(kind: Kind, columns: list[Sequence[Any]], run: Run) -> list[str]:
    """Return CODE|time for every row (see `natural_keys`), the text standing in where there is no code."""
    index = kind.index
    count = len(columns[0])
    codes: list[str] = [""] * count
    if "code" in index:
        displays = columns[index["display"]]
        codes = [
            str(code or display or "").strip().upper()[:140]
            for code, display in zip(columns[index["code"]], displays, strict=True)
        ]
    if kind.name == "other":
        types = columns[index["resource_type"]]
        codes = [f"{name}:{code}" for name, code in zip(types, codes, strict=True)]
    time = next((key.column for key in kind.natural_key if key.how in {"AT", "ON"}), "")

    def key_of(written: Any) -> str:
        try:
            return moment_key(kind.name, str(written), zone=run.zone)
        except ValueError:
            raise Bad("row.not_a_date") from None

    moments = remember(key_of)(columns[index[time]]) if time else [""] * count
    return [
        f"{code}|{'' if moment is None or isinstance(moment, Bad) else moment}"
        for code, moment in zip(codes, moments, strict=True)
    ]


def _supply_ends(columns: list[Sequence[Any]], index: dict[str, int]) -> list[str | None]:
    """Return the last day of the current fill: the start plus the days that one fill lasts."""
    ends: list[str | None] = []
    for start, days in zip(columns[index["start"]], columns[index["days_supply"]], strict=True):
        try:
            ends.append(
                (date.fromisoformat(str(start)[:10]) + timedelta(days=int(days) - 1)).isoformat()
                if start and days
                else None
            )
        except (ValueError, OverflowError):
            ends.append(None)
    return ends


def _money(values: Sequence[Any], currencies: Sequence[Any], run: Run) -> list[Any]:
    found: list[Any] = []
    for value, currency in zip(values, currencies, strict=True):
        if value is None or value == "":
            found.append(None)
            continue
        try:
            found.append(minor_units(value, str(currency or run.currency)))
        except (InvalidOperation, ValueError):
            found.append(Bad("row.not_an_amount"))
    return found


def _refused(row: Row, kind: Kind, name: str, code: str) -> Refused:
    raw = ["" if value is None else str(value) for value in row[2:]]
    return Refused(str(row[0] or ""), int(row[1] or 0), name, code, {}, raw)


def _warned(row: Row, name: str, code: str) -> Warned:
    return Warned(str(row[0] or ""), int(row[1] or 0), name, code)


def _match(kind: Kind, target: Target, run: Run, outcome: Outcome) -> None:
    """Find the record each staged row speaks of: by its name in this source, then by natural key (see rows.py)."""
    table = target.table
    parameters: dict[str, Any] = {"source": run.source, "batch": run.batch_id, "kind": kind.name}
    with connection.cursor() as cursor:
        cursor.execute("create temp table match (n int, id uuid, how text) on commit drop")
        cursor.execute(
            f"insert into match select s.n, r.id, 'name' from stage s join {table} r "
            "on r.source = %(source)s and r.external_id = s.external_id where s.external_id is not null",
            parameters,
        )
        if run.had_rows.setdefault(table, _had_rows(table, run)):
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
            note_growth(run, "imports_name", cursor.rowcount)
            cursor.execute(
                "insert into imports_claim (batch_id, record_id) select %(batch)s, id from match where how = 'claim' "
                "on conflict do nothing",
                parameters,
            )
            note_growth(run, "imports_claim", cursor.rowcount)
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
        select r.id, r.source, r.external_id, r.batch_id from {table} r
         where r.patient_id = k.patient_id and r.natural_key = k.natural_key {when}
        offset 0
      ) as found
     where found.batch_id is distinct from %(batch)s {other}
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
                if len(_fetch("select 1 from wanted limit 1")):
                    cursor.execute(_KNOWN.format(table=target.table, when="", other=other), parameters)
                    cursor.execute(_PAIR, {**parameters, "how": "alias" if has_id else "claim"})
    drop("wanted", "known")


def _had_rows(table: str, run: Run) -> bool:
    return bool(
        _fetch(f"select exists (select 1 from {table} where batch_id is distinct from %s)", [run.batch_id])[0][0]
    )


def _value(name: str, how: str, table: str, *, alias: str = "s") -> str:
    """Return the SQL of a staged value, cast, with empty for missing texts, cut to what the column takes."""
    staged = f'{alias}."{name}"'
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
    return f"{staged}{_CAST[how]}"


#: what else a fact carries, beside the record's id, code and display: field → column
_PAYLOADS = {
    "encounter": {"class_code": "class_code", "department": "department"},
    "medication": {"refillable": "is_refillable"},
    "invoice": {"self_pay": "self_pay_amount", "total": "total_amount", "currency": "currency"},
}


def _insert(kind: Kind, target: Target, run: Run, outcome: Outcome) -> None:
    """Insert the rows that speak of nothing known, and publish what happened, in one statement."""
    table = target.table
    columns = {name: _value(name, how, table) for name, (_source, how) in target.columns.items()}
    columns |= {
        "patient_id": "s.patient_id", "natural_key": "left(s.natural_key, 200)", "external_id": "coalesce(left(s.external_id, 200), '')",
        "source": "%(source)s", "batch_id": "%(batch)s", "recorded_at": "%(now)s",
    }  # fmt: skip
    if kind.name != "encounter":
        columns["encounter_id"] = "s.encounter_id"
    names = ", ".join(f'"{name}"' for name in columns)
    code = "code" if "code" in target.columns or kind.name == "invoice" else "''"
    resource = "resource_type" if kind.name == "other" else "''"
    extra = _PAYLOADS.get(kind.name, {})
    more = "".join(f", {column}" for column in extra.values())
    payload = "".join(f", '{name}', {column}" for name, column in extra.items())
    found = _fetch(
        f"""
        with new as (
            insert into {table} ({names}) select {", ".join(columns.values())}
              from stage s where not exists (select 1 from match where match.n = s.n) order by s.n
            returning id, patient_id, "{target.time}" as at, {code} as code, display, {resource} as resource{more}
        ), published as (
            insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, batch_id,
                                      historical, payload)
            select %(event)s, patient_id, coalesce(at, %(now)s), %(now)s, %(actor_kind)s, %(actor_id)s, %(source)s,
                   %(batch)s, true, jsonb_build_object('record_id', id, 'code', code, 'display', display{payload})
              from new
        )
        select resource, count(*) from new group by resource
        """,
        {
            "source": run.source, "batch": run.batch_id, "now": run.now, "event": target.event,
            "actor_kind": run.actor_kind, "actor_id": run.actor_id,
        },
    )  # fmt: skip
    for resource_type, count in found:
        outcome.created += count
        if resource_type:
            outcome.created_by[resource_type] = count
    note_growth(run, table, outcome.created)


def _update(kind: Kind, target: Target, run: Run, outcome: Outcome) -> None:
    """Bring known records up to date; what the source leaves empty stays, and what was before is kept for undo."""
    table = target.table
    matched = _fetch("select count(*) from match")[0][0]
    if not matched:
        return
    new: dict[str, str] = {}
    for name, (_source, how) in target.columns.items():
        value = f's."{name}"{_CAST[how]}'
        if how == "text" and (limit := limits(table).get(name)):
            value = f'left(s."{name}", {limit})'
        new[name] = f'coalesce({value}, r."{name}")'
        if how == "at" and kind.name in CALENDAR_KINDS:
            # a bare day does not overwrite the time of day that another source knows
            near = f"""abs(extract(epoch from r."{name}" - s."{name}"::timestamptz)) < 129600"""
            new[name] = f'case when s.day_only and {near} then r."{name}" else {new[name]} end'
    new["natural_key"] = "left(s.natural_key, 200)"
    if kind.name != "encounter":
        new["encounter_id"] = "coalesce(s.encounter_id, r.encounter_id)"
    old_values = ", ".join(f'r."{name}"' for name in new)
    pairs = ", ".join(f"'{name}', r.\"{name}\"" for name in new)
    sets = ", ".join(f'"{name}" = {value}' for name, value in new.items())
    changed = _fetch(
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
        )
        select count(*) from updated
        """,
        {"batch": run.batch_id, "table": table},
    )[0][0]
    outcome.updated += changed
    outcome.unchanged += matched - changed


def is_record(kind: Kind) -> bool:
    return kind.name in TARGETS


# --- what is about no patient ---------------------------------------------------------------------------------------


def write_directory(chunk: RowChunk, run: Run) -> Outcome:
    """Write organizations, locations and other resources that are about no patient."""
    kind = chunk.kind
    outcome = Outcome(kind.resource)
    index = kind.index
    rows = _once_per_id(chunk.rows, kind, outcome)

    def pick(row: Row, name: str) -> Any:
        return row[index[name]] if name in index else None

    staged = []
    for place, row in enumerate(rows):
        resource = pick(row, "resource_type") or kind.resource
        staged.append(
            (
                place, pick(row, "external_id"), resource, (str(pick(row, "name") or pick(row, "display") or ""))[:300],
                str(pick(row, "type_display") or pick(row, "category") or "")[:160], pick(row, "code_system"), pick(row, "code"),
                pick(row, "status"), str(pick(row, "phone") or "")[:60], str(pick(row, "address") or "")[:300],
                str(pick(row, "city") or "")[:60],
                pick(row, "part_of_external_id") or pick(row, "organization_external_id"), pick(row, "text"),
            )
        )  # fmt: skip
    if not staged:
        return outcome
    names = (
        "n",
        "external_id",
        "resource_type",
        "name",
        "type_display",
        "code_system",
        "code",
        "status",
        "phone",
        "address",
        "city",
        "part_of",
        "text",
    )
    stage("stage", [(name, "int" if name == "n" else 'text collate "C"') for name in names], staged)
    fields = names[2:]
    listed = ", ".join(f'"{name}"' for name in fields)
    cut = limits("imports_directory")
    values = ", ".join(
        f"coalesce(left(s.{name}, {cut[name]}), '')" if name in cut else f"coalesce(s.{name}, '')" for name in fields
    )
    match = "d.resource_type = s.resource_type and d.external_id = s.external_id and d.external_id <> ''"
    found = _fetch(
        f"""
        with new as (
            insert into imports_directory ({listed}, external_id, source, batch_id, recorded_at)
            select {values}, coalesce(s.external_id, ''), %(source)s, %(batch)s, %(now)s from stage s
             where not exists (select 1 from imports_directory d where {match})
            returning resource_type
        ) select resource_type, count(*) from new group by resource_type
        """,
        {"source": run.source, "batch": run.batch_id, "now": run.now},
    )
    for resource, count in found:
        outcome.created += count
        outcome.created_by[resource] = count
    outcome.unchanged += len(staged) - outcome.created
    drop("stage")
    return outcome


def write_practitioners(chunk: RowChunk, run: Run) -> Outcome:
    """Write the professionals that records name; the same id is the same person."""
    outcome = Outcome("Practitioner")
    index = chunk.kind.index
    rows = _once_per_id(chunk.rows, chunk.kind, outcome)
    if not rows:
        return outcome
    names = ("external_id", "name", "sex", "specialty", "active")
    stage(
        "stage",
        [("n", "int"), *((name, "boolean" if name == "active" else 'text collate "C"') for name in names)],
        [(place, *(row[index[name]] for name in names)) for place, row in enumerate(rows)],
    )
    match = "p.external_id = s.external_id and p.external_id <> '' and p.source in (select code from imports_source)"
    parameters = {"source": run.source, "batch": run.batch_id}
    created = _fetch(
        f"""
        with new as (
            insert into records_practitioner (name, sex, specialty, is_active, source, external_id, batch_id)
            select left(s.name, 160), coalesce(left(s.sex, 10), ''), coalesce(left(s.specialty, 80), ''), coalesce(s.active, true),
                   %(source)s, coalesce(s.external_id, ''), %(batch)s
              from stage s where not exists (select 1 from records_practitioner p where {match})
            returning 1
        ) select count(*) from new
        """,
        parameters,
    )[0][0]
    outcome.created = created
    outcome.unchanged += len(rows) - created
    drop("stage")
    return outcome
