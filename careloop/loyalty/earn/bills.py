"""Which payment belongs to which bill: the same money shows twice, as the clinic's invoice and as a payment made here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.kernel import sql

if TYPE_CHECKING:
    from careloop.loyalty.earn.earning import Thing

WITHIN = timedelta(days=14)
"""A payment can be made until two weeks after it was asked for, so that far from its bill it may lie."""
OTHER = {"invoice": "payment", "payment": "invoice"}


@dataclass(frozen=True)
class Seen:
    """Money that was seen: from which side, when, how much (minor units)."""

    source: str
    on: date
    at: datetime
    amount: int


def day_of(new: Seen, seen: Sequence[Seen]) -> Seen | None:
    """Return what was seen of the same bill from the other side, on another day; None: it stays on its own day.

    On one day everything is one bill. Otherwise the nearest of the same amount within two weeks that has no partner yet.
    """
    other = OTHER[new.source]
    if any(one.source == other and one.on == new.on for one in seen):
        return None
    alone = [
        one for one in seen
        if one.source == other and one.amount == new.amount and abs(one.on - new.on) <= WITHIN
        and not any(mine.source == new.source and mine.on == one.on and mine.amount == new.amount for mine in seen)
    ]  # fmt: skip
    return min(alone, key=lambda one: (abs(one.on - new.on), one.at), default=None)


def matched(things: Sequence["Thing"], accounts: Mapping[UUID, Sequence[UUID]], zone: ZoneInfo) -> list["Thing"]:
    """Return the things with payments and invoices of one bill on one day; the rest as they are. One query for all.

    Args:
        accounts: the patients' accounts.
    """
    money = [one for one in things if one.source in OTHER and one.patient_id in accounts]
    if not money:
        return list(things)
    seen = _seen(accounts, min(one.occurred_at for one in money).astimezone(zone).date())
    found = []
    for one in things:
        if one.source in OTHER and one.patient_id in accounts:
            known = seen[one.patient_id]
            new = Seen(one.source, one.occurred_at.astimezone(zone).date(), one.occurred_at, one.amount)
            if same := day_of(new, known):
                one = replace(one, occurred_at=same.at, settles_from=one.settles_from or one.occurred_at)
                new = replace(new, on=same.on, at=same.at)
            known.append(new)
        found.append(one)
    return found


def _seen(accounts: Mapping[UUID, Sequence[UUID]], first: date) -> dict[UUID, list[Seen]]:
    patient_of = {account: patient for patient, several in accounts.items() for account in several}
    seen: dict[UUID, list[Seen]] = defaultdict(list)
    for row in sql.rows(
        """select distinct account_id, source, source_ref, occurred_on, occurred_at, seen_amount from loyalty_earning
            where account_id = any(%s::uuid[]) and source in ('invoice', 'payment') and occurred_on >= %s and seen_amount > 0""",
        [list(patient_of), first - WITHIN],
    ):
        seen[patient_of[row["account_id"]]].append(
            Seen(row["source"], row["occurred_on"], row["occurred_at"], row["seen_amount"])
        )
    return seen
