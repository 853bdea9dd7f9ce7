"""A membership with tiers for tests, and things that happen to its members."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from careloop.events.registry import Published, reading_at
from careloop.facts import services as facts_services
from careloop.facts.handlers import WATCHED, keep_facts
from careloop.loyalty.join import membership
from careloop.loyalty.models import Account, Programme, Tier
from careloop.loyalty.tier import handlers as tier_handlers
from careloop.loyalty.tier import setup as tier_setup
from careloop.loyalty.tier import standing
from careloop.loyalty.tier.setup import Definition
from careloop.patients.models import Patient
from careloop.records.models import Encounter, Invoice

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Taipei
TAIPEI = ZoneInfo("Asia/Taipei")


def a_programme(**fields: Any) -> Programme:
    """An open programme of the whole organization."""
    return Programme.objects.create(
        **{"name": "安心會員", "state": "OPEN", "created_at": NOW, "changed_at": NOW, "opened_at": NOW, **fields}
    )


def a_tier(programme: Programme, name: str, rank: int, *, now: datetime = NOW, **more: Any) -> Tier:
    """Set up a tier as staff do; nobody is told."""
    return tier_setup.define(
        programme_id=programme.pk, definition=Definition(name=name, rank=rank, **more), now=now, by=None
    )


def a_member(programme: Programme, name: str = "王小明", *, now: datetime = NOW, **fields: Any) -> Account:
    """A patient who joined, with the wide row that lists read."""
    patient = Patient.objects.create(**{"name": name, "created_at": now, "updated_at": now, **fields})
    facts_services.refresh([patient.pk], now=now)
    return membership.join(patient_id=patient.pk, programme_id=programme.pk, how="DESK", now=now, by=None)


def visit(account: Account, day: Any, **fields: Any) -> Encounter:
    at = at_noon(day)
    return Encounter.objects.create(
        patient_id=account.patient_id, started_at=at, recorded_at=at, **{"status": "finished", **fields}
    )


def bill(account: Account, day: Any, self_pay: int, **fields: Any) -> Invoice:
    at = at_noon(day)
    return Invoice.objects.create(
        patient_id=account.patient_id, issued_at=at, recorded_at=at, self_pay_amount=self_pay, **fields
    )


def at_noon(day: Any) -> datetime:
    """Noon at the clinic."""
    return datetime.combine(day, time(12), TAIPEI).astimezone(UTC)


def work_out(account: Account, day: Any, *, due_only: bool = False) -> Account:
    """Let a day's look at this member happen at noon."""
    now = at_noon(day)
    facts_services.refresh([account.patient_id], now=now)
    standing.evaluate(
        account.programme_id, patient_ids=None if due_only else [account.patient_id], due_only=due_only, now=now
    )
    account.refresh_from_db()
    return account


def follow(batch: list[Published], *, now: datetime) -> None:
    """Keep the facts, then follow the tiers, as the two readers do."""
    with reading_at(now):
        keep_facts([one for one in batch if one.kind in WATCHED])
        tier_handlers.follow([one for one in batch if one.kind in (*tier_handlers.COUNTS, *tier_handlers.BOOKED)])
