"""Programmes and members for tests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.events.models import Event
from careloop.events.registry import Published
from careloop.loyalty.earn import rule_book
from careloop.loyalty.join import membership, programme
from careloop.loyalty.models import Account, EarnRule, Programme
from careloop.patients.tests.make import patient

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Taipei
BEFORE = NOW - timedelta(days=400)


def open_one(name: str = "會員計畫", *, now: datetime = BEFORE, **values: Any) -> Programme:
    """An open programme of the whole organization."""
    made = programme.create(name=name, now=now, by=None, **{"terms": "點數不可兌換現金。", **values})
    return programme.open_programme(programme_id=made.pk, now=now, by=None)


def member(
    where: Programme | None = None, *, who: UUID | None = None, name: str = "王小明", now: datetime = BEFORE,
    how: str = "DESK", **details: Any,
) -> Account:  # fmt: skip
    """A patient who joined a year ago, in the open programme (made when there is none)."""
    where = where or membership.programme_for(None) or open_one()
    return membership.join(
        patient_id=who or patient(name, now=now, **details), programme_id=where.pk, how=how, now=now, by=None
    )


def rule(
    where: Programme | None = None, kind: str = "VISIT", *, points: int = 0, on: bool = True, **values: Any
) -> EarnRule:
    """A rule of the open programme, switched on."""
    where = where or membership.programme_for(None) or open_one()
    if kind == "SELF_PAY":
        values = {"per_amount": 100, **values}
    made = rule_book.add_rule(
        programme_id=where.pk,
        now=BEFORE,
        by=None,
        kind=kind,
        points=points or (1 if kind == "SELF_PAY" else 10),
        **{"name": kind.lower(), **values},
    )
    return rule_book.switch(rule_id=made.pk, on=True, now=BEFORE, by=None) if on else made


class Log:
    """Hands the events that are new since the last look to whoever reads them."""

    def __init__(self, take: Callable[..., None]) -> None:
        self.take, self.last = take, 0

    def read(self, *, now: datetime = NOW) -> None:
        rows = list(Event.objects.filter(id__gt=self.last).order_by("id"))
        self.last = max((one.id for one in rows), default=self.last)
        batch = [
            Published(one.id, one.kind, one.patient_id, one.occurred_at, one.recorded_at, one.source, one.batch_id, one.historical, one.payload)
            for one in rows
        ]  # fmt: skip
        self.take(batch, now=now)
