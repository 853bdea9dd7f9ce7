"""Setting up tiers: what each asks for, and everybody's tier worked out again when that changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean
from careloop.loyalty import tasks
from careloop.loyalty.models import Tier, TierCriterion
from careloop.loyalty.tier import errors, standing
from careloop.loyalty.tier.rules import Rule
from careloop.loyalty.tier.standing import TierRule
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.jobs import defer

Row = dict[str, Any]


@dataclass(frozen=True)
class Definition:
    """A tier as staff write it down. `criteria`: metric → least number (money in minor units)."""

    name: str
    rank: int
    join: str = "ALL"
    criteria: Mapping[str, int] = field(default_factory=dict)
    window: str = "MONTHS"
    months: int = 12
    grace_days: int = 30
    colour: str = "grey"
    is_active: bool = True

    def rule(self) -> Rule:
        return Rule(
            self.rank, self.join, tuple(sorted(self.criteria.items())), self.window, self.months, self.grace_days
        )


@transaction.atomic
def define(
    *, programme_id: UUID, definition: Definition, now: datetime, by: UUID | None, tier_id: UUID | None = None,
    version: int | None = None, announce: bool = False, at_once: bool = True,
) -> Tier:  # fmt: skip
    """Make a tier or change one; everybody's tier is then worked out again.

    Args:
        tier_id: None for a new one. version: the one whoever changes it has seen.
        announce: whether journeys may congratulate those who rise by the change.
        at_once: work everybody out here and now; otherwise a background job does.

    Raises:
        UnknownTier, RankTaken, CriteriaMissing, TierChangedMeanwhile.
    """
    tier = write(programme_id, definition, tier_id=tier_id, version=version, now=now)
    audit.record(
        "loyalty.tier_defined", target=("tier", tier.pk), now=now,
        details={"rank": tier.rank, "join": tier.join, "criteria": dict(definition.criteria), "window": tier.window, "months": tier.months,
                 "grace_days": tier.grace_days, "active": tier.is_active},
    )  # fmt: skip
    if at_once:
        standing.recompute(programme_id, now=now, announce=announce)
    else:
        defer(
            tasks.recompute_tiers, current_organization_id(), queueing_lock=f"tiers-{programme_id}-{announce}",
            programme_id=str(programme_id), announce=announce,
        )  # fmt: skip
    return tier


def write(
    programme_id: UUID, definition: Definition, *, tier_id: UUID | None, now: datetime, version: int | None = None
) -> Tier:
    """Write a tier down without working anything out.

    Raises:
        As `define`.
    """
    if definition.join == Tier.Join.ANY and not definition.criteria:
        raise errors.CriteriaMissing
    tier = Tier(id=uuid7(), programme_id=programme_id, created_at=now, version=0)
    if tier_id is not None:
        found = Tier.objects.select_for_update().filter(pk=tier_id, programme_id=programme_id).first()
        if found is None:
            raise errors.UnknownTier
        if version is not None and found.version != version:
            raise errors.TierChangedMeanwhile
        tier = found
    for name in ("name", "rank", "join", "window", "months", "grace_days", "colour", "is_active"):
        setattr(tier, name, getattr(definition, name))
    tier.name = clean(definition.name)[:30]
    tier.changed_at, tier.version = now, tier.version + 1
    try:
        with transaction.atomic():
            tier.save()
    except IntegrityError as error:
        if "loyalty_tier_rank_once" in str(error):
            raise errors.RankTaken from error
        raise
    wanted = {} if definition.join == Tier.Join.HAND else dict(definition.criteria)
    TierCriterion.objects.filter(tier=tier).exclude(metric__in=wanted).delete()
    for metric, least in wanted.items():
        TierCriterion.objects.update_or_create(tier=tier, metric=metric, defaults={"at_least": least})
    return tier


def proposed(programme_id: UUID, definition: Definition, *, tier_id: UUID | None = None) -> list[TierRule]:
    """Return the programme's rules as they would be with this definition, for `standing.dry_run`."""
    rules = standing.rules_of(programme_id)
    changed = TierRule(tier_id or uuid7(), definition.name, definition.rule(), definition.is_active)
    return [*(one for one in rules if one.id != changed.id), changed]


def tiers_of(programme_id: UUID) -> list[Row]:
    """Return the tiers of a programme, the lowest first, with how many members stand in each and criteria by metric."""
    return sql.rows(
        """select t.id, t.name, t.rank, t.colour, t.join, t."window", t.months, t.grace_days, t.is_active, t.version,
                  coalesce(m.members, 0)::int as members, coalesce(m.in_grace, 0)::int as in_grace, coalesce(m.by_hand, 0)::int as by_hand,
                  coalesce((select json_object_agg(c.metric, c.at_least) from loyalty_tier_criterion c where c.tier_id = t.id), '{}') as criteria
             from loyalty_tier t
             left join (select tier_id, count(*) as members, count(*) filter (where grace_until is not null) as in_grace,
                               count(*) filter (where tier_id = hand_tier_id) as by_hand
                          from loyalty_account where programme_id = %(programme)s and kind = 'PATIENT' and state = 'ACTIVE'
                         group by tier_id) as m on m.tier_id = t.id
            where t.programme_id = %(programme)s order by t.is_active desc, t.rank""",
        {"programme": programme_id},
    )
