"""Posting points: one statement each, repeated under the same key as often as anybody likes.

Everything runs inside the caller's transaction and organization. The database function locks the account, writes the entry, its
lots and their uses, the balance and the event; what is decided there is told in migrations 0002, 0003 and 0007.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.loyalty import errors
from careloop.loyalty.points import families

MOST = 1_000_000_000


class Expiry(Enum):
    """When points end: by the programme's rule, unless a day (or None: never) is given."""

    BY_RULE = "by the programme's rule"


BY_RULE = Expiry.BY_RULE


@dataclass(frozen=True)
class Because:
    """Why points move, for staff and patient.

    Attributes:
        kind: a code: EARN_RULE, REWARD, REFUND, MANUAL, REFERRAL, DRAW, BIRTHDAY, TRANSFER, EXPIRY.
        ref: the id of what it was for.
        note: plain words, kept apart from the entry so that they can be erased.
    """

    kind: str
    ref: str = ""
    note: str = ""


@dataclass(frozen=True)
class Posted:
    """An entry as it was written, now or by an earlier call with the same key. `points` is signed as its member sees it."""

    entry_id: int
    account_id: UUID
    points: int
    balance: int
    is_new: bool


@dataclass(frozen=True)
class Earning:
    """One row of `earn_many`."""

    account_id: UUID
    points: int
    key: str
    because: Because
    by: UUID | None = None
    occurred_at: datetime | None = None
    expires_on: date | Expiry | None = BY_RULE


def earn(
    *, account_id: UUID, points: int, key: str, because: Because, now: datetime, by: UUID | None = None,
    occurred_at: datetime | None = None, expires_on: date | Expiry | None = BY_RULE,
) -> Posted:  # fmt: skip
    """Give points; what is owed (a balance below zero) is paid from them first.

    Args:
        key: names this earning in the organization; the same key again changes nothing.
        expires_on: the last day on which they can be spent; None: never.

    Raises:
        BadPoints, UnknownAccount, NoLongerMember. Nothing is written.
    """
    return _earn("EARN", account_id, points, key, because, now, by, occurred_at or now, expires_on)


def spend(
    *, account_id: UUID, points: int, key: str, because: Because, now: datetime, by: UUID | None = None
) -> Posted:  # fmt: skip
    """Take points, those that end first before others; a family's points where the account shares them.

    Raises:
        NotEnoughPoints: it never goes below zero here. Nothing is written.
        BadPoints, UnknownAccount, NoLongerMember.
    """
    return _spend("SPEND", account_id, points, key, because, now, by)


def adjust(*, account_id: UUID, points: int, key: str, because: Because, now: datetime, by: UUID | None) -> Posted:
    """Give (above zero) or take (below zero) points by hand.

    Raises:
        NotEnoughPoints: more is taken than there is, and the programme lets nobody owe points.
        ReasonMissing, BadPoints, UnknownAccount, NoLongerMember.
    """
    if not because.note.strip():
        raise errors.ReasonMissing
    if points > 0:
        return _earn("ADJUST", account_id, points, key, because, now, by, now, BY_RULE)
    return _spend("ADJUST", account_id, -points, key, because, now, by)


def reverse(
    *, key: str, of_key: str, points: int | None = None, because: Because, now: datetime, by: UUID | None = None
) -> Posted:
    """Undo an earning, a spending or a change by hand, wholly or (`points`) in part.

    What was spent goes back to the lots it came from, and keeps their last day: a point whose day has passed meanwhile expires at
    once, because spending and undoing must not lengthen its life. What was earned is taken from its own lot first, then from
    the others; beyond that the programme's `when_spent` lets the balance go below zero, or takes only what is there (the rest stands
    in the entry as waived). Points that expired already are never taken again.

    Raises:
        UnknownEntry, NotReversible, TooMuchToReverse. Nothing is written.
    """
    if points is not None:
        _check(points)
    found = _call(
        "loyalty_reverse(%(of_key)s, %(points)s, %(key)s, %(why)s, %(why_ref)s, %(words)s, %(now)s, %(by)s, %(by_kind)s, %(by_id)s)",
        of_key=of_key, points=points, **_reason(key, because), **_who(now, by),
    )  # fmt: skip
    match found["outcome"]:
        case "UNKNOWN":
            raise errors.UnknownEntry
        case "NEVER":
            raise errors.NotReversible
        case "MORE":
            raise errors.TooMuchToReverse(left=found["points"])
    return _posted(found, found["account_id"], "loyalty.points_reversed", because, now, by)


def earn_many(rows: Sequence[Earning], *, now: datetime) -> list[Posted]:
    """Give points to thousands of accounts in one statement; return what was posted, in the same order.

    Accounts that are unknown or whose membership has ended get nothing and are left out of the answer.

    Raises:
        BadPoints: one of the rows asks for no points at all, or too many. Nothing is written.
    """
    if not rows:
        return []
    for row in rows:
        _check(row.points)
    given = [
        {
            "account_id": str(row.account_id), "points": row.points, "key": row.key, "why": row.because.kind,
            "why_ref": row.because.ref, "words": row.because.note[:300], "happened_at": (row.occurred_at or now).isoformat(),
            "expires": row.expires_on.isoformat() if isinstance(row.expires_on, date) else None,
            "by_rule": row.expires_on is BY_RULE, "by_user": str(row.by) if row.by else None,
        }
        for row in rows
    ]  # fmt: skip
    actor = audit.current_actor()
    answers = sql.row(
        "select loyalty_earn_many(%s::jsonb, %s, %s, %s) as answers",
        [orjson.dumps(given).decode(), now, actor.kind, actor.id],
    )
    return [
        Posted(entry, row.account_id, points, balance, outcome == "NEW")
        for row, (outcome, entry, points, balance) in zip(rows, (answers or {})["answers"], strict=True)
        if outcome in ("NEW", "OLD")
    ]


def transfer(
    *, from_account_id: UUID, to_account_id: UUID, points: int, key: str, because: Because, now: datetime, by: UUID | None,
    agreed_by: UUID | None = None,
) -> Posted:  # fmt: skip
    """Hand points to somebody of the same family; they keep their last day. Return what the giver sees.

    Args:
        agreed_by: the patient who agrees, when it is not the giver: a child's points go only with a guardian's word.

    Raises:
        NoTransfers, NotFamily, GuardianMustAgree: the rules of `families`.
        NotEnoughPoints, SameFamilyPoints, OtherProgramme, BadPoints, UnknownAccount, NoLongerMember. Nothing is written.
    """
    _check(points)
    families.check_transfer(from_account_id, to_account_id, agreed_by=agreed_by, now=now)
    found = _call(
        "loyalty_transfer(%(giver)s, %(taker)s, %(points)s, %(key)s, %(why)s, %(why_ref)s, %(words)s, %(now)s, %(by)s, %(by_kind)s, "
        "%(by_id)s)",
        giver=from_account_id, taker=to_account_id, points=points, **_reason(key, because), **_who(now, by),
    )  # fmt: skip
    _check_account(found)
    match found["outcome"]:
        case "SAME":
            raise errors.SameFamilyPoints
        case "OTHER":
            raise errors.OtherProgramme
        case "SHORT":
            raise errors.NotEnoughPoints(balance=found["balance"], asked=points)
    return _posted(found, from_account_id, "loyalty.points_handed_over", because, now, by)


def expire(*, now: datetime, most: int = 5_000) -> int:
    """Let the points of ended lots expire, about `most` lots at once; return how many entries that made."""
    return int(sql.value("select loyalty_expire(%s, %s)", [most, now]))


def _earn(
    kind: str, account_id: UUID, points: int, key: str, because: Because, now: datetime, by: UUID | None, occurred_at: datetime,
    expires_on: date | Expiry | None,
) -> Posted:  # fmt: skip
    _check(points)
    found = _call(
        "loyalty_earn(%(account)s, %(points)s, %(key)s, %(why)s, %(why_ref)s, %(words)s, %(at)s, %(expires)s, %(by_rule)s, %(kind)s, "
        "%(now)s, %(by)s, %(by_kind)s, %(by_id)s)",
        account=account_id, points=points, at=occurred_at, kind=kind, by_rule=expires_on is BY_RULE,
        expires=None if isinstance(expires_on, Expiry) else expires_on, **_reason(key, because), **_who(now, by),
    )  # fmt: skip
    _check_account(found)
    return _posted(
        found, account_id, "loyalty.points_given" if kind == "EARN" else "loyalty.points_adjusted", because, now, by
    )


def _spend(
    kind: str, account_id: UUID, points: int, key: str, because: Because, now: datetime, by: UUID | None
) -> Posted:  # fmt: skip
    _check(points)
    found = _call(
        "loyalty_spend(%(account)s, %(points)s, %(key)s, %(why)s, %(why_ref)s, %(words)s, %(kind)s, %(now)s, %(by)s, %(by_kind)s, "
        "%(by_id)s)",
        account=account_id, points=points, kind=kind, **_reason(key, because), **_who(now, by),
    )  # fmt: skip
    _check_account(found)
    if found["outcome"] == "SHORT":
        raise errors.NotEnoughPoints(balance=found["balance"], asked=points)
    return _posted(
        found, account_id, "loyalty.points_spent" if kind == "SPEND" else "loyalty.points_adjusted", because, now, by
    )


def _check(points: int) -> None:
    if not 0 < points <= MOST:
        raise errors.BadPoints(most=MOST)


def _check_account(found: dict[str, Any]) -> None:
    if found["outcome"] == "UNKNOWN":
        raise errors.UnknownAccount
    if found["outcome"] == "LEFT":
        raise errors.NoLongerMember


def _reason(key: str, because: Because) -> dict[str, str]:
    return {"key": key, "why": because.kind, "why_ref": because.ref, "words": because.note.strip()[:300]}


def _who(now: datetime, by: UUID | None) -> dict[str, Any]:
    actor = audit.current_actor()
    return {"now": now, "by": by, "by_kind": actor.kind, "by_id": actor.id}


def _call(call: str, /, **given: Any) -> dict[str, Any]:
    return sql.row(f"select * from {call}", given) or {}


def _posted(
    found: dict[str, Any], account_id: UUID, action: str, because: Because, now: datetime, by: UUID | None
) -> Posted:
    """Return what was posted; where a person acted, the audit chain knows."""
    is_new = found["outcome"] == "NEW"
    if is_new and by is not None:
        audit.record(
            action, patients=[found["patient_id"]], target=("loyalty_entry", found["entry_id"]), reason=because.note,
            details={"points": found["points"], "because": because.kind}, now=now,
        )  # fmt: skip
    return Posted(found["entry_id"], account_id, found["points"], found["balance"], is_new)
