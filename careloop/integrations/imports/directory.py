"""Write what is about no patient: organizations, places and other resources, and the professionals records name."""

from typing import Any

from careloop.integrations.imports.rows import Row, RowChunk
from careloop.integrations.imports.staging import Outcome, Run, fetch, limits, stage
from careloop.integrations.imports.writing import once_per_id


def write_directory(chunk: RowChunk, run: Run) -> Outcome:
    """Write organizations, locations and other resources that are about no patient."""
    kind = chunk.kind
    outcome = Outcome(kind.resource)
    index = kind.index
    rows = once_per_id(chunk.rows, kind, outcome)

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
    found = fetch(
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
    return outcome


def write_practitioners(chunk: RowChunk, run: Run) -> Outcome:
    """Write the professionals that records name; the same id is the same person."""
    outcome = Outcome("Practitioner")
    index = chunk.kind.index
    rows = once_per_id(chunk.rows, chunk.kind, outcome)
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
    created = fetch(
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
    return outcome
