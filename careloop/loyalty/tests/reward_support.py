"""Rewards, coupons and partners for tests, in a clinic where everything may run unless a test says otherwise."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from careloop.accounts.models import User
from careloop.loyalty.models import Account, Coupon, Partner, Programme, Reward
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import partners, rewards
from careloop.loyalty.tests.make import member, open_one
from careloop.tenancy.models import Organization

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Taipei
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_numbers = itertools.count(1)


def anything_goes(organization: Any) -> None:
    """Work under the profile that carries none of the Taiwan rules."""
    Organization.objects.filter(pk=organization.pk).update(legal_profile="INTL")
    organization.legal_profile = "INTL"


def somebody(name: str = "櫃檯") -> User:
    """A member of staff."""
    return User.objects.create_user(f"desk-{next(_numbers)}-{uuid4().hex[:6]}@example.test", None, name=name)


def rich(points: int = 1000, *, name: str = "王小明", **more: Any) -> Account:
    """A member with so many points."""
    account = member(name=name, **more)
    if points:
        ledger.earn(
            account_id=account.pk, points=points, key=f"gift:{account.pk}", because=Because("MANUAL", note="測試"), now=NOW - DAY
        )  # fmt: skip
    return account


def reward(*, points: int = 100, on: bool = True, now: datetime = NOW, **values: Any) -> Reward:
    """A reward that is switched on."""
    where = Programme.objects.first() or open_one()
    values = {"name": "環保杯", "gives": "SERVICE", "points": points, "programme_id": where.pk, **values}
    made = rewards.save(Reward, values=values, now=now, by=somebody().pk)
    return rewards.switch_on(Reward, id=made.pk, now=now, by=somebody().pk) if on else made


def coupon(kind: str = "PERSONAL", *, on: bool = True, now: datetime = NOW, **values: Any) -> Coupon:
    """A coupon that is switched on."""
    where = Programme.objects.first() or open_one()
    values = {"name": "講座優先席", "gives": "SERVICE", "kind": kind, "programme_id": where.pk, **values}
    made = rewards.save(Coupon, values=values, now=now, by=somebody().pk)
    return rewards.switch_on(Coupon, id=made.pk, now=now, by=somebody().pk) if on else made


def partner(name: str = "巷口咖啡", *, pin: str = "135790", now: datetime = NOW) -> Partner:
    """A partner with a PIN."""
    by = somebody().pk
    made = partners.save(partner_id=None, name=name, contact="", is_active=True, now=now, by=by)
    partners.set_pin(partner_id=made.pk, pin=pin, now=now, by=by)
    made.refresh_from_db()
    return made
