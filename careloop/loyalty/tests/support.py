"""A programme, its members, and short ways to post for them."""

import itertools
from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.loyalty.models import Account, Programme
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because
from careloop.patients import services as patients

_numbers = itertools.count(1)
VISIT, REWARD, REFUND = Because("EARN_RULE"), Because("REWARD"), Because("REFUND")


def open_programme(now: datetime, **fields: Any) -> Programme:
    fields = {"name": "安心會員", "state": "OPEN", "opened_at": now, "created_at": now, "changed_at": now, **fields}
    return Programme.objects.create(**fields)


def member(programme: Programme, now: datetime, name: str = "王小明", **more: Any) -> UUID:
    patient = patients.register(
        details={"name": name, **more}, idempotency_key=uuid7(), now=now, by=None, even_if_similar=True
    )
    return Account.objects.create(programme=programme, kind="PATIENT", patient_id=patient.patient_id, joined_at=now).pk


def earn(account: UUID, points: int, now: datetime, **more: Any) -> ledger.Posted:
    more = {"key": f"earn {next(_numbers)}", "because": VISIT, **more}
    return ledger.earn(account_id=account, points=points, now=now, **more)


def spend(account: UUID, points: int, now: datetime, **more: Any) -> ledger.Posted:
    more = {"key": f"spend {next(_numbers)}", "because": REWARD, **more}
    return ledger.spend(account_id=account, points=points, now=now, **more)


def reverse(of_key: str, now: datetime, **more: Any) -> ledger.Posted:
    more = {"key": f"undo {next(_numbers)}", "because": REFUND, **more}
    return ledger.reverse(of_key=of_key, now=now, **more)


def lots(account: UUID) -> list[tuple[Any, int]]:
    """Return what is left in each open lot, with its last day, in the order in which they are spent."""
    return [
        (row["expires_on"], row["left"]) for row in sql.rows(
            """select expires_on, "left" from loyalty_lot where account_id = %s and is_open order by expires_on, earned_at, id""",
            [account],
        )
    ]  # fmt: skip


def balance(account: UUID) -> int:
    return Account.objects.get(pk=account).balance
