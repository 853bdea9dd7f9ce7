"""Who takes part in a draw, by its rule: found as one set, also for the preview before it closes."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from careloop.kernel import sql
from careloop.loyalty.models import Draw

MOST_TICKETS = 20  # of one person, so that nobody's diary alone decides

# account and how many tickets it has
_MEMBERS = """
    select a.id, 1 as tickets from loyalty_account a
     where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.state = 'ACTIVE'
"""
_POINTS = """
    select a.id, 1 as tickets from loyalty_account a
      join lateral (
           select coalesce(sum(e.points - coalesce((select sum(r.points) from loyalty_entry r where r.reverses_id = e.id), 0)), 0) as earned
             from loyalty_entry e
            where e.to_member_id = a.id and e.kind = 'EARN' and e.occurred_at >= %(from)s and e.occurred_at < %(to)s
           ) g on g.earned >= %(least)s
     where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.state = 'ACTIVE'
"""
_KEPT = """
    select a.id, least(count(*), %(most)s)::int as tickets
      from loyalty_account a join scheduling_appointment v on v.patient_id = a.patient_id
     where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.state = 'ACTIVE'
       and v.state = 'fulfilled' and v.starts_at >= %(from)s and v.starts_at < %(to)s
     group by a.id
"""
_TIER = """
    select a.id, 1 as tickets
      from loyalty_account a join loyalty_tier t on t.id = a.tier_id join loyalty_tier low on low.id = %(tier)s
     where a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.state = 'ACTIVE' and t.rank >= low.rank
"""
_RULES = {Draw.Entry.TIER: _TIER, Draw.Entry.MEMBERS: _MEMBERS, Draw.Entry.POINTS: _POINTS, Draw.Entry.KEPT: _KEPT}

# The holder's code comes from a secret that is used once and kept nowhere, so that it says nothing about the account.
_GIVE = """
    insert into loyalty_draw_ticket (draw_id, account_id, number)
    select %(draw)s, t.id,
           substr(encode(sha256(%(salt)s::bytea || convert_to(t.place::text, 'UTF8')), 'hex'), 1, 12) || '-' || n
      from (select w.*, row_number() over (order by w.id) as place from ({who}) w) t cross join lateral generate_series(1, t.tickets) n
"""


def give_tickets(draw: Draw, *, zone: str, salt: bytes) -> int:
    """Write the tickets of everybody who takes part; return how many. The caller fixes them by closing the draw.

    Args:
        salt: 32 bytes by chance, used for this draw and kept nowhere.
    """
    statement = _GIVE.format(who=_RULES[Draw.Entry(draw.entry)])
    return sql.execute(statement, {**_given(draw, zone), "draw": draw.pk, "salt": salt})


def would_take_part(draw: Draw, *, zone: str) -> dict[str, int]:
    """Return how many people and tickets there would be if it closed now."""
    found = sql.row(
        f"select count(*) as people, coalesce(sum(t.tickets), 0)::int as tickets from ({_RULES[Draw.Entry(draw.entry)]}) t",
        _given(draw, zone),
    )
    return dict(found or {"people": 0, "tickets": 0})


def _given(draw: Draw, zone: str) -> dict[str, Any]:
    """The period runs from midnight to midnight on the clinic's clock."""
    clock = ZoneInfo(zone)
    starts = datetime.combine(draw.from_on, time(), clock) if draw.from_on else None
    ends = datetime.combine(draw.to_on + timedelta(days=1), time(), clock) if draw.to_on else None
    return {
        "programme": draw.programme_id, "from": starts, "to": ends, "least": draw.least_points, "most": MOST_TICKETS,
        "tier": draw.tier_id,
    }  # fmt: skip
