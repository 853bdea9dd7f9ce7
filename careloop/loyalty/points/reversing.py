"""A member of staff reverses one entry of a statement, wholly or in part, and says why.

The ledger does it; here stands what hangs on the entry: an earning keeps count of what was taken back, so that a refund afterwards
does not take it a second time, and a redemption is taken back on its own page, where the piece comes back too.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty import errors
from careloop.loyalty.models import Earning, Redemption
from careloop.loyalty.points import ledger
from careloop.loyalty.points.words import reason_of

REVERSIBLE = ("EARN", "SPEND", "ADJUST")


def entry_on(account_id: UUID, entry_id: int) -> dict[str, Any]:
    """Return an entry of this member's statement, with `left`: how many of its points can still be reversed.

    Raises:
        UnknownEntry: it is not on this statement.
    """
    row = sql.row(
        """select e.id, e.key, e.kind, e.because, e.because_ref, e.points, e.occurred_at, n.words as note,
                  g.name as from_name, t.name as to_name, o.kind as of_kind,
                  case when e.from_member_id = %(account)s then -1 else 1 end as side,
                  e.points - (select coalesce(sum(x.points + x.waived), 0)::int from loyalty_entry x where x.reverses_id = e.id) as left
             from loyalty_entry e left join loyalty_entry_note n on n.entry_id = e.id left join loyalty_entry o on o.id = e.reverses_id
             left join loyalty_account ga on ga.id = e.from_member_id left join patients_patient g on g.id = ga.patient_id
             left join loyalty_account ta on ta.id = e.to_member_id left join patients_patient t on t.id = ta.patient_id
            where e.id = %(entry)s and %(account)s in (e.from_member_id, e.to_member_id)""",
        {"account": account_id, "entry": entry_id},
    )
    if row is None:
        raise errors.UnknownEntry
    return {**row, "signed_points": row["side"] * row["points"], "reason": reason_of(row)}


def why_not(entry: dict[str, Any]) -> DomainError | None:
    """Return why an entry cannot be reversed here (any more), if so."""
    if entry["kind"] not in REVERSIBLE:
        return errors.NotReversible()
    if redemption_of(entry):
        return errors.BelongsToRedemption()
    return errors.ReversedAlready() if entry["left"] <= 0 else None


def redemption_of(row: dict[str, Any]) -> UUID | None:
    """Return the redemption that this spending paid for, if it did for one."""
    if row["kind"] != "SPEND" or row["because"] != "REWARD":
        return None
    try:
        ref = UUID(row["because_ref"])
    except ValueError:
        return None
    return Redemption.objects.filter(pk=ref).values_list("pk", flat=True).first()


@transaction.atomic
def reverse_entry(
    *, account_id: UUID, entry_id: int, points: int | None = None, reason: str, key: str, now: datetime, by: UUID
) -> ledger.Posted:
    """Reverse an entry, or `points` of it; the same key again changes nothing.

    Raises:
        ReasonMissing. What `why_not` and `ledger.reverse` refuse: UnknownEntry, NotReversible, ReversedAlready,
        BelongsToRedemption, TooMuchToReverse, BadPoints. Nothing is written.
    """
    if not reason.strip():
        raise errors.ReasonMissing
    # the member first, as whoever settles or takes back an earning does
    sql.rows("select id from loyalty_account where id = %s for no key update", [account_id])
    entry = entry_on(account_id, entry_id)
    is_repeat = sql.value("select reverses_id from loyalty_entry where key = %s", [key]) == entry_id
    if not is_repeat and (refusal := why_not(entry)) is not None:
        raise refusal
    of_key = entry["key"]
    earning = Earning.objects.select_for_update(of=("self",)).filter(key=of_key, account_id=account_id).first()
    posted = ledger.reverse(
        key=key, of_key=of_key, points=points, because=ledger.Because("MANUAL", note=reason), now=now, by=by
    )
    if earning is not None and posted.is_new:
        gone = sql.row("select points + waived as points from loyalty_entry where id = %s", [posted.entry_id]) or {}
        earning.taken_back = min(earning.points, earning.taken_back + gone["points"])
        earning.save(update_fields=["taken_back"])
    return posted
