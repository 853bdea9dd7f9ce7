"""Benefits of tiers: set up under the guard, had by members, and counted when they are offered and used."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean
from careloop.loyalty import guard
from careloop.loyalty.models import Benefit, BenefitUse, Tier
from careloop.loyalty.tier import errors
from careloop.loyalty.tier import rules as tier_rules
from careloop.tenancy.models import Organization

Row = dict[str, Any]
FIELDS = (
    "kind",
    "name",
    "text",
    "and_above",
    "days",
    "count",
    "period",
    "percent",
    "amount",
    "contact",
    "url",
    "practitioner_id",
    "is_care",
)

# the benefits of a member's tier and of lower ones that go on above
HAD = """select b.id, a.id as account_id from loyalty_account a join loyalty_tier t on t.id = a.tier_id
    join loyalty_tier o on o.programme_id = a.programme_id and o.is_active and (o.id = t.id or o.rank < t.rank)
    join loyalty_programme m on m.id = a.programme_id and m.state = 'OPEN'
    join loyalty_benefit b on b.tier_id = o.id and b.is_on and (o.id = t.id or b.and_above)
   where a.kind = 'PATIENT' and a.state = 'ACTIVE'"""

guard.register(
    guard.Guarded(
        Benefit, _("Benefits of tiers"), lambda: Benefit.objects.select_related("tier").order_by("tier__rank", "name"),
        lambda one: one.is_on, screen="tiers:benefit", title=lambda one: one.name,
    )
)  # fmt: skip


# -- setting up ----------------------------------------------------------------------------------------------------


@transaction.atomic
def save_benefit(
    *, tier_id: UUID, values: dict[str, Any], now: datetime, by: UUID | None, benefit_id: UUID | None = None,
    version: int | None = None,
) -> Benefit:  # fmt: skip
    """Make a benefit or change one; one that is switched on stays so only while the guard lets the new form be.

    Raises:
        UnknownTier, UnknownBenefit, TierChangedMeanwhile.
    """
    if not Tier.objects.filter(pk=tier_id).exists():
        raise errors.UnknownTier
    benefit = Benefit(id=uuid7(), created_at=now, version=0)
    if benefit_id is not None:
        benefit = _locked(benefit_id, version)
    benefit.tier_id = tier_id
    for name in FIELDS:
        if name in values:
            setattr(benefit, name, values[name])
    benefit.name, benefit.text = clean(benefit.name)[:60], clean(benefit.text)[:300]
    benefit.changed_at, benefit.version = now, benefit.version + 1
    benefit.save()
    audit.record("loyalty.benefit_saved", target=("benefit", benefit.pk), details={"kind": benefit.kind}, now=now)
    return benefit


@transaction.atomic
def switch(*, benefit_id: UUID, on: bool, now: datetime, by: UUID | None, version: int | None = None) -> Benefit:
    """Switch a benefit on or off.

    Raises:
        OfferStopped: a rule stops it; the error holds the verdict. UnknownBenefit, TierChangedMeanwhile.
    """
    benefit = _locked(benefit_id, version)
    if benefit.is_on == on:
        return benefit
    if on:
        guard.refuse_stopped(benefit, organization=Organization.objects.get(), now=now)
    benefit.is_on, benefit.changed_at, benefit.version = on, now, benefit.version + 1
    benefit.save(update_fields=["is_on", "changed_at", "version"])
    audit.record("loyalty.benefit_switched", target=("benefit", benefit_id), details={"on": on}, now=now)
    return benefit


def _locked(benefit_id: UUID, version: int | None) -> Benefit:
    found = Benefit.objects.select_for_update().filter(pk=benefit_id).first()
    if found is None:
        raise errors.UnknownBenefit
    if version is not None and found.version != version:
        raise errors.TierChangedMeanwhile
    return found


# -- what members have ---------------------------------------------------------------------------------------------


def had_by(account_id: UUID, *, now: datetime) -> list[Benefit]:
    """Return the benefits an account has today: switched on, of its tier or a lower one that goes on above, and let be by the guard."""
    return _in_force(f"{HAD} and a.id = %s", [account_id], now=now)


def _in_force(statement: str, params: Sequence[Any], *, now: datetime) -> list[Benefit]:
    found = list(
        Benefit.objects.filter(pk__in=[row["id"] for row in sql.rows(statement, params)])
        .select_related("tier", "practitioner").order_by("-tier__rank", "kind", "name")
    )  # fmt: skip
    return guard.in_force(found, organization=Organization.objects.get(), now=now) if found else []


def benefits_of(patient_id: UUID, *, now: datetime | None = None) -> list[Row]:
    """Return the benefits a patient has today as a member, in all programmes; only those in force under the guard."""
    found = _in_force(f"{HAD} and a.patient_id = %s", [patient_id], now=now or timezone.now())
    return [shown(one) for one in found]


def shown(one: Benefit) -> Row:
    """Return a benefit as pages read it."""
    who = one.practitioner.name if one.practitioner_id and one.practitioner else one.contact
    return {
        "id": one.pk, "kind": one.kind, "kind_label": one.get_kind_display(), "name": one.name, "text": one.text, "days": one.days,
        "count": one.count, "period": one.period, "period_label": one.get_period_display() if one.period else "",
        "percent": one.percent, "amount": one.amount, "contact": who if one.kind == Benefit.Kind.HEALTH_ADVISER else one.contact,
        "url": one.url, "tier": one.tier.name, "tier_id": one.tier_id,
    }  # fmt: skip


def more_days(patient_id: UUID, *, now: datetime | None = None) -> int:
    """Return how many days earlier than others a patient may book: the most that any of their tiers gives, 0 for most people."""
    statement = f"{HAD} and a.patient_id = %s and b.kind = 'BOOKING_WINDOW'"
    return max((one.days or 0 for one in _in_force(statement, [patient_id], now=now or timezone.now())), default=0)


# -- offered and used ------------------------------------------------------------------------------------------------


def note_offered(patient_id: UUID, *, now: datetime, kinds: Iterable[str] = ()) -> int:
    """Note that a member was shown the benefits they have, each once a month at most; return how many notes are new."""
    kind = " and b.kind = any(%(kinds)s)" if (wanted := list(kinds)) else ""
    statement = f"{HAD} and a.patient_id = %(patient)s{kind}"
    had = sql.rows(statement, {"patient": patient_id, "kinds": wanted})
    if not had:
        return 0
    allowed = {one.pk for one in guard.in_force(Benefit.objects.filter(pk__in=[row["id"] for row in had]), organization=Organization.objects.get(), now=now)}  # fmt: skip
    day = today(now)
    return len(BenefitUse.objects.bulk_create(
        [
            BenefitUse(benefit_id=row["id"], account_id=row["account_id"], what=BenefitUse.What.OFFERED, on_date=day, at=now,
                       key=f"offered:{row['id']}:{row['account_id']}:{day:%Y-%m}")
            for row in had if row["id"] in allowed
        ],
        ignore_conflicts=True,
    ))  # fmt: skip


@transaction.atomic
def use_item(*, account_id: UUID, benefit_id: UUID, key: str, now: datetime, by: UUID | None) -> BenefitUse:
    """Count one use of a service item at the desk; the same key counts once.

    Raises:
        NotInForce: the member does not have it today. UsedUp: all of this period are used.
    """
    # two desks may count at once; the member's row makes the second one wait
    sql.value("select 1 from loyalty_account where id = %s for no key update", [account_id])
    key = f"used:{key}"
    if earlier := BenefitUse.objects.filter(key=key, account_id=account_id).first():
        return earlier
    benefit = next((one for one in had_by(account_id, now=now) if one.pk == benefit_id), None)
    if benefit is None or benefit.kind != Benefit.Kind.SERVICE_ITEM:
        raise errors.NotInForce
    day = today(now)
    first, last = tier_rules.period_of(day, benefit.period)
    used = BenefitUse.objects.filter(
        benefit_id=benefit_id, account_id=account_id, what=BenefitUse.What.USED, undone_at=None, on_date__range=(first, last)
    ).count()  # fmt: skip
    assert benefit.count is not None
    if used >= benefit.count:
        raise errors.UsedUp(count=benefit.count, next_on=tier_rules.period_of(day, benefit.period)[1])
    made = BenefitUse.objects.create(
        benefit_id=benefit_id, account_id=account_id, what=BenefitUse.What.USED, key=key, on_date=day, at=now, by_id=by
    )
    audit.record("loyalty.benefit_used", patients=_whose(account_id), target=("benefit", benefit_id), now=now)
    return made


@transaction.atomic
def undo_use(*, use_id: int, account_id: UUID, now: datetime, by: UUID | None) -> BenefitUse:
    """Take back a use that was counted by mistake; twice is once.

    Raises:
        UnknownBenefit: there is no such use of this member's.
    """
    made = BenefitUse.objects.select_for_update().filter(
        pk=use_id, account_id=account_id, what=BenefitUse.What.USED, benefit__kind=Benefit.Kind.SERVICE_ITEM
    ).first()  # fmt: skip
    if made is None:
        raise errors.UnknownBenefit
    if made.undone_at is None:
        made.undone_at, made.undone_by_id = now, by
        made.save(update_fields=["undone_at", "undone_by"])
        audit.record(
            "loyalty.benefit_use_undone", patients=_whose(account_id), target=("benefit", made.benefit_id), now=now
        )
    return made


def _whose(account_id: UUID) -> list[UUID]:
    return [sql.value("select patient_id from loyalty_account where id = %s", [account_id])]


def note_early_bookings(booked: Sequence[tuple[UUID, datetime]], *, now: datetime) -> int:
    """Count bookings that lay beyond everybody's window, of members whom their tier lets book so early.

    Args:
        booked: appointments, and when each was made.
    """
    if not booked:
        return 0
    found = sql.rows(
        f"""select h.id as benefit_id, h.account_id, p.id as appointment_id, w.at
             from unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) as w(id, at)
             join scheduling_appointment p on p.id = w.id
             join scheduling_service v on v.id = p.service_id
             join lateral ({HAD} and a.patient_id = p.patient_id and b.kind = 'BOOKING_WINDOW'
                            and p.starts_at <= w.at + make_interval(days => v.days_ahead + b.days)
                          order by b.days desc limit 1) as h on true
            where p.starts_at > w.at + make_interval(days => v.days_ahead)""",
        {"ids": [one for one, _at in booked], "times": [at for _one, at in booked]},
    )
    if not found:
        return 0
    benefits = Benefit.objects.filter(pk__in={row["benefit_id"] for row in found})
    allowed = {one.pk for one in guard.in_force(benefits, organization=Organization.objects.get(), now=now)}
    made = [
        BenefitUse(benefit_id=row["benefit_id"], account_id=row["account_id"], what=BenefitUse.What.USED, on_date=today(row["at"]),
                   at=row["at"], key=f"booked:{row['appointment_id']}", ref=str(row["appointment_id"]))
        for row in found if row["benefit_id"] in allowed
    ]  # fmt: skip
    return len(BenefitUse.objects.bulk_create(made, ignore_conflicts=True))


def items_of(account_id: UUID, *, now: datetime) -> list[Row]:
    """Return the service items a member has, with how many of this period are left and the last uses."""
    items = [one for one in had_by(account_id, now=now) if one.kind == Benefit.Kind.SERVICE_ITEM]
    day = today(now)
    found = []
    for one in items:
        first, last = tier_rules.period_of(day, one.period)
        this_period = BenefitUse.objects.filter(
            benefit=one, account_id=account_id, what=BenefitUse.What.USED, undone_at=None, on_date__range=(first, last)
        )
        used = list(this_period.order_by("-at", "-pk"))
        found.append(
            {**shown(one), "used": len(used), "left": max(0, (one.count or 0) - len(used)), "until": last, "uses": used}
        )
    return found


def today(now: datetime) -> date:
    """Return the day it is at the clinic."""
    return now.astimezone(ZoneInfo(sql.value("select time_zone from tenancy_organization"))).date()
