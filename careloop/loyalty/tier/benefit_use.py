"""How much benefits are used: who has them, whom they were shown to, who used them. One statement."""

from datetime import datetime
from typing import Any

from careloop.kernel import sql


def measured(*, since: datetime, now: datetime) -> list[dict[str, Any]]:
    """Return each benefit that is or was switched on with members who have it today, and those it was shown to or who used it since.

    `users` of `offered` is the share that counts: who never saw a benefit could not choose it.
    """
    return sql.rows(
        """select b.id, b.kind, b.name, b.days, b.count, b.period, b.percent, b.amount, b.contact, b.url, b.is_on, t.name as tier, t.rank,
                  coalesce(e.members, 0)::int as entitled, coalesce(u.offered, 0)::int as offered, coalesce(u.users, 0)::int as users,
                  coalesce(u.uses, 0)::int as uses
             from loyalty_benefit b join loyalty_tier t on t.id = b.tier_id
             left join lateral (
                  select sum(m.members) as members from (
                      select a.tier_id, count(*) as members from loyalty_account a
                       where a.programme_id = t.programme_id and a.kind = 'PATIENT' and a.state = 'ACTIVE' and a.tier_id is not null
                       group by 1) as m join loyalty_tier o on o.id = m.tier_id
                   where b.is_on and t.is_active and (o.id = t.id or (b.and_above and o.rank > t.rank))) as e on true
             left join (
                  select benefit_id, count(distinct account_id) as offered, count(distinct account_id) filter (where what = 'USED') as users,
                         count(*) filter (where what = 'USED') as uses
                    from loyalty_benefit_use where at >= %(since)s and at <= %(now)s and undone_at is null group by 1) as u on u.benefit_id = b.id
            where b.is_on or u.benefit_id is not null order by t.rank desc, b.kind, b.name""",
        {"since": since, "now": now},
    )
