"""Reading follow-ups: the worklist, the numbers above it, one patient's, one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.kernel import sql

Row = dict[str, Any]
COUNTED_AT_MOST = 1000
OVERDUE_AFTER = timedelta(days=1)

# When a line comes up: put off until later counts.
COMES_UP = "greatest(f.due_at, coalesce(f.snoozed_until, f.due_at))"

WHEN = {
    "due": f"f.state = 'OPEN' and {COMES_UP} <= %(tonight)s",
    "overdue": f"f.state = 'OPEN' and {COMES_UP} < %(overdue)s",
    "later": f"f.state = 'OPEN' and {COMES_UP} > %(tonight)s",
    "done": "f.state <> 'OPEN'",
}


@dataclass(frozen=True)
class Filters:
    """What the worklist shows. `owner`: a user's id, "nobody" or empty for everybody."""

    when: str = "due"
    owner: str = ""
    location: UUID | None = None
    kind: str = ""
    priority: int | None = None


def worklist_sql(filters: Filters, *, now: datetime, tonight: datetime) -> tuple[str, Row]:
    """Return the worklist as SELECT without its WHERE's page part, and its named parameters.

    One statement gives every column of the list: patient, owner, location, origin.
    """
    conditions = [WHEN.get(filters.when, WHEN["due"])]
    if filters.owner == "nobody":
        conditions.append("f.owner_id is null")
    elif filters.owner:
        conditions.append("f.owner_id = %(owner)s")
    if filters.location:
        conditions.append("f.location_id = %(location)s")
    if filters.kind:
        conditions.append("f.kind = %(kind)s")
    if filters.priority:
        conditions.append("f.priority = %(priority)s")
    params: Row = {
        "tonight": tonight, "overdue": now - OVERDUE_AFTER, "owner": filters.owner, "location": filters.location,
        "kind": filters.kind, "priority": filters.priority,
    }  # fmt: skip
    return " and ".join(conditions), params


COLUMNS = f"""
    f.id, f.patient_id, f.kind, f.title, f.script, f.priority, f.state, f.due_at, f.snoozed_until, {COMES_UP} as comes_up_at,
    f.owner_id, f.outcome, f.outcome_note, f.attempts, f.origin, f.origin_id, f.created_at, f.closed_at, f.version,
    p.name as patient_name, p.chart_number, p.sex, p.birth_date, coalesce(nullif(u.name, ''), u.email) as owner_name,
    coalesce(nullif(c.name, ''), c.email) as closed_by_name, l.name as location_name
"""
FROM = """
    from followups_follow_up f
    join patients_patient p on p.id = f.patient_id
    left join accounts_user u on u.id = f.owner_id
    left join accounts_user c on c.id = f.closed_by_id
    left join tenancy_location l on l.id = f.location_id
"""


def one(follow_up_id: UUID) -> Row | None:
    """Return one follow-up with its names."""
    return sql.row(f"select {COLUMNS} {FROM} where f.id = %s", [follow_up_id])


def of_patient(patient_id: UUID, *, limit: int = 10) -> list[Row]:
    """Return a patient's follow-ups, open ones first."""
    return sql.rows(
        f"select {COLUMNS} {FROM} where f.patient_id = %s order by f.state <> 'OPEN', f.due_at desc limit %s",
        [patient_id, limit],
        planned=True,
    )


AT_LOCATIONS = """(%(locations)s::uuid[] is null or exists (
    select 1 from patients_patient p where p.id = f.patient_id and p.home_location_id = any(%(locations)s)))"""


@dataclass(frozen=True)
class Counts:
    """The numbers above the worklist."""

    due: int
    overdue: int
    mine: int
    unassigned: int
    later: int


def counts(*, now: datetime, tonight: datetime, me: UUID | None, locations: list[UUID] | None = None) -> Counts:
    """Count open follow-ups: one pass over the index of open ones.

    Args:
        locations: only patients whose home is one of these; None: all.
    """
    row = sql.row(
        f"""select count(*) filter (where {COMES_UP} <= %(tonight)s) as due,
                   count(*) filter (where {COMES_UP} < %(overdue)s) as overdue,
                   count(*) filter (where {COMES_UP} <= %(tonight)s and f.owner_id = %(me)s) as mine,
                   count(*) filter (where {COMES_UP} <= %(tonight)s and f.owner_id is null) as unassigned,
                   count(*) filter (where {COMES_UP} > %(tonight)s) as later
              from followups_follow_up f where f.state = 'OPEN' and {AT_LOCATIONS}""",
        {"tonight": tonight, "overdue": now - OVERDUE_AFTER, "me": me, "locations": locations},
    )
    assert row is not None
    return Counts(**row)


def staff() -> list[Row]:
    """Return the people who can be given a follow-up."""
    return sql.rows(
        """select u.id, coalesce(nullif(u.name, ''), u.email) as name from accounts_membership m join accounts_user u on u.id = m.user_id
            where m.is_active and u.is_active order by name"""
    )


def locations() -> list[Row]:
    """Return the places a follow-up can belong to."""
    return sql.rows("select id, name from tenancy_location where is_active order by name")
