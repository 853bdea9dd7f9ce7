"""What screens and the patient's own pages read about members. Callers audit what they show."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from careloop.accounts.scope import at_home
from careloop.kernel import sql
from careloop.loyalty.join import membership

Row = dict[str, Any]
PAGE = 50

_COLUMNS = """
a.id, a.patient_id, a.programme_id, a.member_number, a.state, a.joined_at, a.joined_how, a.left_at, a.pool_id, a.version,
coalesce(f.balance, a.balance) as balance, p.name, p.chart_number, m.name as programme, m.point_name, m.state as programme_state,
m.allows_pools, m.allows_transfers, m.valid_months, t.name as tier, t.colour as tier_colour, a.tier_since,
(select coalesce(sum(e.points - e.taken_back), 0)::int from loyalty_earning e where e.account_id = a.id and e.state = 'PENDING') as pending
"""
_FROM = """
from loyalty_account a join patients_patient p on p.id = a.patient_id join loyalty_programme m on m.id = a.programme_id
     left join loyalty_tier t on t.id = a.tier_id left join loyalty_account f on f.id = a.pool_id
"""


@dataclass(frozen=True)
class Filters:
    """What the list of members is limited to."""

    text: str = ""  # a card's code, a member number, a chart number, or part of a name
    tier: str = ""  # a tier's id; NONE: without one
    programme: str = ""
    state: str = "ACTIVE"  # ACTIVE, LEFT, or PENDING: active with points that wait

    def where(self) -> tuple[str, Row]:
        here, params = at_home("p.home_location_id")
        conditions = [f"a.kind = 'PATIENT'{here}"]
        if self.state == "LEFT":
            conditions.append("a.state = 'LEFT'")
        else:
            conditions.append("a.state = 'ACTIVE'")
        if self.state == "PENDING":
            conditions.append(
                "exists (select 1 from loyalty_earning e where e.account_id = a.id and e.state = 'PENDING')"
            )
        if self.tier == "NONE":
            conditions.append("a.tier_id is null")
        elif self.tier:
            conditions.append("a.tier_id = %(tier)s::uuid")
            params["tier"] = self.tier
        if self.programme:
            conditions.append("a.programme_id = %(programme)s::uuid")
            params["programme"] = self.programme
        if self.text:
            number = membership.number_of_code(self.text)
            params |= {"text": self.text, "number": number or ""}
            conditions.append(
                "a.member_number = %(number)s" if number
                else "(p.chart_number = %(text)s or position(%(text)s in p.name) > 0 or position(%(text)s in a.member_number) = 1)"
            )  # fmt: skip
        return " and ".join(conditions), params


def listed(filters: Filters, *, beyond: str, order: str, limit: int, more: Row) -> list[Row]:
    """Return one page of members, who joined last first; `beyond` and `order` come from a keyset."""
    where, params = filters.where()
    return sql.rows(
        f"select {_COLUMNS} {_FROM} where {where} and {beyond} order by {order} limit %(limit)s",
        {**params, **more, "limit": limit},
    )


def figures() -> Row:
    """Return how many members there are, their points, and what waits: of those the reader may see."""
    here, params = at_home("p.home_location_id")
    found = sql.row(
        f"""with mine as (select a.id, a.balance from loyalty_account a join patients_patient p on p.id = a.patient_id
                           where a.kind = 'PATIENT' and a.state = 'ACTIVE'{here})
            select (select count(*) from mine)::int as members, (select coalesce(sum(balance), 0) from mine)::bigint as balance,
                   (select coalesce(sum(e.points - e.taken_back), 0) from loyalty_earning e join mine on mine.id = e.account_id
                     where e.state = 'PENDING')::bigint as pending""",
        params,
    )
    return found or {}


def of_account(account_id: UUID) -> Row | None:
    """Return one member; None when there is none the reader may see."""
    here, params = at_home("p.home_location_id")
    return sql.row(
        f"select {_COLUMNS} {_FROM} where a.id = %(id)s and a.kind = 'PATIENT'{here}", {**params, "id": account_id}
    )


def of_patient(patient_id: UUID) -> list[Row]:
    """Return the patient's accounts, the one that counts first, those that ended last."""
    return sql.rows(
        f"""select {_COLUMNS} {_FROM} where a.patient_id = %s and a.kind = 'PATIENT'
             order by (a.state = 'ACTIVE') desc, (m.state = 'OPEN') desc, (m.location_id = p.home_location_id) is true desc,
                      (m.location_id is null) desc, a.joined_at desc""",
        [patient_id],
    )


def earnings_of(account_id: UUID, *, limit: int = 30, pending_only: bool = False) -> list[Row]:
    """Return what a member earned and why, the latest first; `due_on` is a day of the clinic's clock."""
    only = "and e.state = 'PENDING'" if pending_only else ""
    return sql.rows(
        f"""select e.id, e.state, e.because, e.occurred_on, e.amount, e.currency, e.base_points, e.percent, e.points, e.taken_back, e.capped_by,
                   e.note, e.points - e.taken_back as net, (e.due_at at time zone o.time_zone)::date as due_on, e.settled_at,
                   r.id as rule_id, r.name as rule, r.kind
              from loyalty_earning e join loyalty_earn_rule r on r.id = e.rule_id join tenancy_organization o on o.id = e.organization_id
             where e.account_id = %s {only} order by e.occurred_at desc, e.id desc limit %s""",
        [account_id, limit],
    )


def people_of(lines: list[str]) -> tuple[list[Row], list[str]]:
    """Return the patients whom these lines name by card, member number or chart number, and the lines that name nobody. One query."""
    by_number = {line: number for line in lines if (number := membership.number_of_code(line))}
    here, params = at_home("p.home_location_id")
    found = sql.rows(
        f"""select p.id, p.name, p.chart_number, coalesce(a.member_number, '') as member_number
              from patients_patient p left join loyalty_account a on a.patient_id = p.id and a.kind = 'PATIENT' and a.state = 'ACTIVE'
             where p.merged_into_id is null and (a.member_number = any(%(numbers)s) or p.chart_number = any(%(charts)s)){here}""",
        {**params, "numbers": list(by_number.values()), "charts": [line for line in lines if line not in by_number]},
    )
    known = {row["member_number"]: row for row in found if row["member_number"]} | {
        row["chart_number"]: row for row in found if row["chart_number"]
    }
    people, nobody = {}, []
    for line in lines:
        row = known.get(by_number.get(line, line))
        if row is None:
            nobody.append(line)
        else:
            people[row["id"]] = row
    return list(people.values()), nobody


def tiers() -> list[Row]:
    """Return the tiers that members may have, by their id and name, the lowest first."""
    return sql.rows("select id, name from loyalty_tier where is_active order by rank, id")
