"""Does it add up? Recomputes everything the books say twice, and names each difference."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from careloop.kernel import sql

MOST = 50


@dataclass(frozen=True)
class Difference:
    """Something that does not add up: what, whose, what is written and what it should be."""

    what: str
    id: str
    written: int
    recomputed: int


@dataclass(frozen=True)
class Books:
    """What was looked at, and what was found."""

    entries: int
    accounts: int
    lots: int
    differences: list[Difference]

    @property
    def add_up(self) -> bool:
        return not self.differences


# name → a statement with id, written and recomputed of each difference
CHECKS: dict[str, str] = {
    "balance": """
        select a.id, a.balance as written, coalesce(e.points, 0) as recomputed from loyalty_account a
          left join (select account_id, sum(points) as points from (
                        select to_account_id as account_id, points from loyalty_entry union all select from_account_id, -points from loyalty_entry
                     ) as both_sides group by 1) as e on e.account_id = a.id
         where a.kind in ('PATIENT', 'POOL') and a.balance <> coalesce(e.points, 0)""",
    "lots_of_account": """
        select a.id, coalesce(l.points, 0) as written, greatest(a.balance, 0) as recomputed from loyalty_account a
          left join (select account_id, sum("left") as points from loyalty_lot group by 1) as l on l.account_id = a.id
         where a.kind in ('PATIENT', 'POOL') and coalesce(l.points, 0) <> greatest(a.balance, 0)""",
    "lot": """
        select l.id, l."left" as written, l.points + coalesce(u.points, 0) as recomputed from loyalty_lot l
          left join (select lot_id, sum(points) as points from loyalty_lot_use group by 1) as u on u.lot_id = l.id
         where l."left" <> l.points + coalesce(u.points, 0)""",
    "balance_after": """
        select account_id as id, balance as written, recomputed from (
            select account_id, balance, sum(points) over (partition by account_id order by id) as recomputed from (
                select id, to_account_id as account_id, points, to_balance as balance from loyalty_entry
                union all select id, from_account_id, -points, from_balance from loyalty_entry) as both_sides
             where balance is not null) as running
         where balance <> recomputed""",
    "reversed_twice": """
        select o.id, sum(r.points + r.waived) as written, o.points as recomputed from loyalty_entry o join loyalty_entry r on r.reverses_id = o.id
         group by o.id, o.points having sum(r.points + r.waived) > o.points""",
    "entry_of_nobody": """
        select e.id, 1 as written, 0 as recomputed from loyalty_entry e
         where not exists (select from loyalty_account a where a.id = e.from_account_id)
            or not exists (select from loyalty_account a where a.id = e.to_account_id)""",
    "lot_of_nothing": """
        select l.id, 1 as written, 0 as recomputed from loyalty_lot l
         where not exists (select from loyalty_entry e where e.id = l.entry_id) or not exists (select from loyalty_entry e where e.id = l.earning_id)""",
    "use_of_nothing": """
        select u.id, 1 as written, 0 as recomputed from loyalty_lot_use u
         where not exists (select from loyalty_lot l where l.id = u.lot_id) or not exists (select from loyalty_entry e where e.id = u.entry_id)""",
}  # fmt: skip

# the same names → what is so when nothing is found
MEANS: dict[str, str | Promise] = {
    "balance": gettext_lazy("A balance is the sum of its entries"),
    "lots_of_account": gettext_lazy("What is left in an account’s lots is its balance"),
    "lot": gettext_lazy("What is left in a lot is what came in less what was used"),
    "balance_after": gettext_lazy("The balance noted with each entry is right"),
    "reversed_twice": gettext_lazy("Nothing is reversed twice"),
    "entry_of_nobody": gettext_lazy("Every entry has two accounts"),
    "lot_of_nothing": gettext_lazy("Every lot has its entry"),
    "use_of_nothing": gettext_lazy("Everything that was used came from a lot"),
}


def check_books() -> Books:
    """Recompute balances, lots and running balances of the organization from its entries; at most 50 differences of each kind."""
    counted: dict[str, Any] = sql.row(
        """select (select count(*) from loyalty_entry) as entries, (select count(*) from loyalty_lot) as lots,
                  (select count(*) from loyalty_account where kind in ('PATIENT', 'POOL')) as accounts"""
    ) or {}  # fmt: skip
    found = [
        Difference(what, str(row["id"]), int(row["written"]), int(row["recomputed"]))
        for what, statement in CHECKS.items()
        for row in sql.rows(f"{statement} limit {MOST}")
    ]
    return Books(counted["entries"], counted["accounts"], counted["lots"], found)


def sentences(books: Books) -> list[str]:
    """Say what was looked at and each difference in words, a line each."""
    counted = {"entries": f"{books.entries:,}", "accounts": f"{books.accounts:,}", "lots": f"{books.lots:,}"}
    if books.add_up:
        return [_("the books add up (%(entries)s entries, %(accounts)s accounts, %(lots)s lots)") % counted]
    return [_("THE BOOKS DO NOT ADD UP (%(entries)s entries, %(accounts)s accounts, %(lots)s lots)") % counted] + [
        _("“%(rule)s” is not so for %(id)s: written %(written)s, recomputed %(recomputed)s")
        % {"rule": MEANS[one.what], "id": one.id, "written": f"{one.written:,}", "recomputed": f"{one.recomputed:,}"}
        for one in books.differences
    ]
