"""Writing earn rules, changing them, and switching them on where the law lets them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.kernel.text import clean
from careloop.loyalty import errors, guard
from careloop.loyalty.earn.rules import MOST_PERCENT
from careloop.loyalty.models import EarnRule, Programme
from careloop.tenancy.models import Organization

CHANGEABLE = (
    "name", "kind", "points", "per_amount", "rounding", "settle_days", "cap_day", "cap_month", "cap_year", "multipliers", "priority",
    "stops_others", "valid_from", "valid_to",
)  # fmt: skip


@transaction.atomic
def add_rule(
    *, programme_id: UUID, now: datetime, by: UUID | None, rule_id: UUID | None = None, **values: Any
) -> EarnRule:
    """Write a rule, switched off; the form's key becomes the row's, so a double click makes one.

    Raises:
        UnknownProgramme, BadRule.
    """
    if rule_id and (earlier := EarnRule.objects.filter(pk=rule_id).first()):
        return earlier
    if not Programme.objects.filter(pk=programme_id).exists():
        raise errors.UnknownProgramme
    rule = EarnRule(programme_id=programme_id, created_at=now, changed_at=now, **({"id": rule_id} if rule_id else {}))
    _write(rule, values)
    rule.save(force_insert=True)
    audit.record("earn_rule.created", target=("earn_rule", rule.pk), details={"kind": rule.kind}, now=now)
    return rule


@transaction.atomic
def change_rule(*, rule_id: UUID, version: int, now: datetime, by: UUID | None, **values: Any) -> EarnRule:
    """Change a rule; what was earned by it stays. Whether it may still be used is judged anew whenever it is.

    Raises:
        UnknownRule, BadRule. ChangedMeanwhile: `version` is not the newest.
    """
    rule = _locked(rule_id)
    if rule.version != version:
        raise errors.ChangedMeanwhile
    _write(rule, values)
    rule.changed_at, rule.version = now, version + 1
    rule.save()
    audit.record("earn_rule.changed", target=("earn_rule", rule.pk), details={"what": sorted(values)}, now=now)
    return rule


@transaction.atomic
def switch(*, rule_id: UUID, on: bool, now: datetime, by: UUID | None) -> EarnRule:
    """Switch a rule on or off.

    Raises:
        UnknownRule. OfferStopped: a legal rule stands in the way of switching it on; the error holds the verdict.
    """
    rule = _locked(rule_id)
    if rule.is_on == on:
        return rule
    if on:
        guard.refuse_stopped(rule, organization=Organization.objects.get(), now=now)
    rule.is_on, rule.changed_at, rule.version = on, now, rule.version + 1
    rule.save(update_fields=["is_on", "changed_at", "version"])
    action = "earn_rule.switched_on" if on else "earn_rule.switched_off"
    audit.record(action, target=("earn_rule", rule.pk), now=now)
    return rule


def _locked(rule_id: UUID) -> EarnRule:
    found = EarnRule.objects.select_for_update().filter(pk=rule_id).first()
    if found is None:
        raise errors.UnknownRule
    return found


def _write(rule: EarnRule, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name not in CHANGEABLE:
            raise ValueError(f"an earn rule has no {name} to change")
        setattr(rule, name, clean(value) if name == "name" else value)
    if rule.kind != EarnRule.Kind.SELF_PAY:
        rule.per_amount = 0
    elif not rule.per_amount:
        raise errors.BadRule(what=_("for how much money the points are given is missing."))
    if not rule.name:
        raise errors.NameMissing
    if not 0 < int(rule.points or 0) <= 100_000:
        raise errors.BadRule(what=_("points are between 1 and 100,000."))
    if rule.valid_from and rule.valid_to and rule.valid_from > rule.valid_to:
        raise errors.BadRule(what=_("its last day comes before its first."))
    _check(rule.multipliers)


def _check(multipliers: Sequence[Mapping[str, Any]]) -> None:
    for one in multipliers:
        if not 0 < int(one.get("percent", 0)) <= MOST_PERCENT:
            raise errors.BadRule(what=_("points are multiplied by at most ten."))
        since, until = one.get("from"), one.get("until")
        if since and until and date.fromisoformat(since) > date.fromisoformat(until):
            raise errors.BadRule(what=_("a multiplier's last day comes before its first."))
