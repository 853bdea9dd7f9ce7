"""What the clinic owes in points: by the month in which they end, what they are worth, and how much of it may never be asked for."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.loyalty.models import Programme
from careloop.loyalty.points.rules import Breakage, breakage


@dataclass(frozen=True)
class Month:
    """Points that end in one month; `first_day` None: never. `value` in the currency's smallest unit."""

    first_day: date | None
    points: int
    members: int
    value: int


@dataclass(frozen=True)
class Liability:
    """One programme's points outstanding. `owed` is what members owe (balances below zero), a positive number."""

    programme_id: UUID
    name: str
    point_name: str
    points: int
    value: int
    owed: int
    months: list[Month]
    breakage: Breakage | None
    ended_members: int

    @property
    def ending(self) -> int:
        """Points outstanding that have a last day: only these can expire."""
        return sum(month.points for month in self.months if month.first_day)

    def likely_unspent(self) -> tuple[int, int] | None:
        """Return between how many and how many of the points that can end will, if members go on as they did."""
        if self.breakage is None:
            return None
        return round(self.ending * self.breakage.low), round(self.ending * self.breakage.high)


def report(*, now: datetime) -> list[Liability]:
    """Return the liability of every programme that has points outstanding or is open, in four statements."""
    months: dict[UUID, list[dict[str, Any]]] = {}
    for row in sql.rows(
        """select a.programme_id, date_trunc('month', l.expires_on::timestamp)::date as first_day, sum(l."left")::bigint as points,
                  count(distinct l.account_id) as members
             from loyalty_lot l join loyalty_account a on a.id = l.account_id
            where l.is_open and (l.expires_on is null or l.expires_on >= loyalty_today(%s)) group by 1, 2 order by 1, 2""",
        [now],
    ):
        months.setdefault(row["programme_id"], []).append(row)
    owed = {
        row["programme_id"]: int(row["points"]) for row in sql.rows(
            "select programme_id, -sum(balance) as points from loyalty_account where balance < 0 group by 1"
        )
    }  # fmt: skip
    ended = {row["programme_id"]: row for row in sql.rows(ENDED, [now])}
    return [
        _of(programme, months.get(programme.pk, []), owed.get(programme.pk, 0), ended.get(programme.pk))
        for programme in Programme.objects.order_by("opened_at", "id")
        if programme.pk in months or programme.pk in owed or programme.state == "OPEN"
    ]


# lots as they were earned, not as they were handed on: what came of them is read from the entries that took from them
ENDED = """
    select programme_id, count(*) as members, sum(ended)::bigint as ended, sum(expired)::bigint as expired,
           sum(ended * ended)::numeric as ended_squared, sum(expired * expired)::numeric as expired_squared, sum(ended * expired)::numeric as products
      from (select a.programme_id, l.brought_by_id, sum(l.points) as ended, sum(coalesce(x.points, 0)) as expired
              from loyalty_lot l join loyalty_account a on a.id = l.account_id
              left join lateral (
                  select -sum(u.points) as points from loyalty_lot o join loyalty_lot_use u on u.lot_id = o.id
                    join loyalty_entry e on e.id = u.entry_id and e.kind = 'EXPIRE' where o.earning_id = l.earning_id) as x on true
             where l.entry_id = l.earning_id and l.expires_on < loyalty_today(%s) group by 1, 2) as of_member
     group by 1"""


def _of(programme: Programme, months: list[dict[str, Any]], owed: int, ended: dict[str, Any] | None) -> Liability:
    def value(points: int) -> int:
        return points * programme.point_value // 100

    rows = [Month(row["first_day"], row["points"], row["members"], value(row["points"])) for row in months]
    points = sum(row.points for row in rows)
    sums = {name: int(ended[name] or 0) for name in SUMS} if ended else dict.fromkeys(SUMS, 0)
    return Liability(
        programme_id=programme.pk, name=programme.name, point_name=programme.point_name, points=points, value=value(points), owed=owed,
        months=rows, breakage=breakage(**sums), ended_members=sums["members"],
    )  # fmt: skip


SUMS = ("members", "ended", "expired", "ended_squared", "expired_squared", "products")
