"""What is read of referrals: lists, figures, and the tree of who brought whom."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.accounts.scope import at_home, current_location_ids
from careloop.kernel import sql
from careloop.kernel.masking import mask_name

Row = dict[str, Any]
PAGE = 50
DEPTH = 4
"""How far the tree goes down: friends of friends of friends, and theirs."""
ROOTS = 20
MOST_IN_TREE = 500

_LISTED = """
    select r.id, r.state, r.how, r.reasons, r.made_at, r.visited_at, r.completed_at, r.given, r.withheld, r.decision_note, r.decided_at,
           r.referrer_id, a.name as referrer, a.home_location_id as referrer_home,
           r.friend_id, b.name as friend, b.home_location_id as friend_home
      from loyalty_referral r join patients_patient a on a.id = r.referrer_id join patients_patient b on b.id = r.friend_id
"""


def listed(*, state: str, beyond: str, order: str, limit: int, more: Mapping[str, Any]) -> list[Row]:
    """Return referrals as a page shows them, names of patients of other branches masked."""
    home, at = at_home("b.home_location_id")
    rows = sql.rows(
        f"{_LISTED} where (%(state)s = '' or r.state = %(state)s) {home} {beyond} order by {order} limit %(limit)s",
        {**at, **more, "state": state, "limit": limit},
    )
    return [_shown(row) for row in rows]


def one(referral_id: UUID) -> Row | None:
    """Return one referral, or None when it is none of these branches'."""
    home, at = at_home("b.home_location_id")
    found = sql.row(f"{_LISTED} where r.id = %(id)s {home}", {**at, "id": referral_id})
    return _shown(found) if found else None


def of_patient(patient_id: UUID) -> dict[str, Any]:
    """Return who brought a patient, and whom the patient brought: two statements."""
    brought_by = sql.row(f"{_LISTED} where r.friend_id = %s", [patient_id])
    friends = sql.rows(f"{_LISTED} where r.referrer_id = %s order by r.made_at desc, r.id desc limit 50", [patient_id])
    return {"brought_by": _shown(brought_by) if brought_by else None, "friends": [_shown(row) for row in friends]}


def _shown(row: Row) -> Row:
    limit = current_location_ids()
    for who in ("referrer", "friend"):
        hidden = limit is not None and row[f"{who}_home"] not in limit
        row[f"{who}_hidden"] = hidden
        if hidden:
            row[who] = mask_name(row[who])
    return row


def figures(*, since: datetime) -> Row:
    """Return how referrals went since a moment: registered, came, waiting, held, and days until the first visit. One statement."""
    home, at = at_home("b.home_location_id")
    found = sql.row(
        f"""select count(*) as made, count(*) filter (where r.state = 'COMPLETED') as came,
                   count(*) filter (where r.state = 'WAITING') as waiting, count(*) filter (where r.state = 'HELD') as held,
                   count(*) filter (where r.state = 'REFUSED') as refused, count(distinct r.referrer_id) as members,
                   round(percentile_cont(0.5) within group (order by extract(epoch from r.visited_at - r.made_at) / 86400)
                         filter (where r.state = 'COMPLETED'))::int as days
              from loyalty_referral r join patients_patient b on b.id = r.friend_id where r.made_at > %(since)s {home}""",
        {**at, "since": since},
    )
    assert found is not None
    return found


def held_count() -> int:
    """Return how many referrals wait for somebody to decide."""
    home, at = at_home("b.home_location_id")
    return int(
        sql.value(
            f"select count(*) from loyalty_referral r join patients_patient b on b.id = r.friend_id where r.state = 'HELD' {home}",
            at,
        )
    )


# -- the tree ----------------------------------------------------------------------------------------------------

_ROOTS = """
    select r.referrer_id as id from loyalty_referral r join patients_patient p on p.id = r.referrer_id
     where r.state <> 'REFUSED' {home}
       and not exists (select from loyalty_referral up where up.friend_id = r.referrer_id and up.state <> 'REFUSED')
     group by r.referrer_id order by count(*) desc, r.referrer_id limit %(roots)s
"""
_TREE = """
    with recursive branch(id, parent_id, depth, path, state, made_at) as (
        select id, null::uuid, 0, array[id], ''::text, null::timestamptz from unnest(%(ids)s::uuid[]) as root(id)
        union all
        select r.friend_id, b.id, b.depth + 1, b.path || r.friend_id, r.state::text, r.made_at
          from branch b join loyalty_referral r on r.referrer_id = b.id and r.state <> 'REFUSED'
         where b.depth < %(depth)s and not r.friend_id = any(b.path)
    )
    select b.id, b.parent_id, b.depth, b.state, b.made_at, p.name, p.home_location_id,
           (select count(*) from loyalty_referral k where k.referrer_id = b.id and k.state <> 'REFUSED') as brought
      from branch b join patients_patient p on p.id = b.id order by b.depth, b.made_at, b.id limit %(most)s
"""


def top_referrers() -> list[UUID]:
    """Return those who brought most and were brought by nobody."""
    home, at = at_home("p.home_location_id")
    return [row["id"] for row in sql.rows(_ROOTS.format(home=home), {**at, "roots": ROOTS})]


def tree(root_ids: Sequence[UUID], *, depth: int = DEPTH) -> list[Row]:
    """Return who brought whom from these patients down, as nested rows with `children`. One statement.

    `hidden`: of another branch, so masked and without a link. `more`: has friends below the depth shown.
    """
    rows = sql.rows(_TREE, {"ids": list(root_ids), "depth": depth, "most": MOST_IN_TREE})
    limit = current_location_ids()
    nodes: dict[UUID, Row] = {}
    roots: list[Row] = []
    for row in rows:
        hidden = limit is not None and row["home_location_id"] not in limit
        node = {**row, "name": mask_name(row["name"]) if hidden else row["name"], "hidden": hidden, "children": []}
        nodes.setdefault(row["id"], node)
        if row["parent_id"] is None:
            roots.append(node)
        elif row["parent_id"] in nodes:
            nodes[row["parent_id"]]["children"].append(node)
    for node in nodes.values():
        node["more"] = node["brought"] - len(node["children"])
    order = {one: place for place, one in enumerate(root_ids)}
    return sorted(roots, key=lambda root: order[root["id"]])


def ids_in(nodes: Sequence[Row]) -> list[UUID]:
    """Return all patients of a tree, for the audit log."""
    return [one for node in nodes for one in (node["id"], *ids_in(node["children"]))]
