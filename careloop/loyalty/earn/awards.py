"""Points for what only people see: who was at the lecture, who filled in the questionnaire on paper."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel.text import clean
from careloop.loyalty import errors, guard
from careloop.loyalty.earn import earning, settling
from careloop.loyalty.earn.earning import Thing
from careloop.loyalty.join import membership
from careloop.loyalty.models import Account, Earning, EarnRule
from careloop.tenancy.models import Organization

BY_HAND = ("QUESTIONNAIRE", "LECTURE", "EDUCATION", "MANUAL")
MOST_AT_ONCE = 500


@dataclass
class Awarded:
    """What became of a list of people: who got points, who had them already or reached a limit, who is no member."""

    given: list[Earning] = field(default_factory=list)
    nothing: list[Earning] = field(default_factory=list)
    already: list[UUID] = field(default_factory=list)
    no_members: list[UUID] = field(default_factory=list)


@transaction.atomic
def award(
    *, rule_id: UUID, patient_ids: Sequence[UUID], on: date, note: str, now: datetime, by: UUID | None
) -> Awarded:
    """Give what a rule gives to several members for one thing they took part in: once each, however often it is sent.

    Args:
        on: the day it took place. note: what it was, as the patient reads it; the same words on the same day are the same thing.

    Raises:
        UnknownRule: or not one that is given by hand, or switched off. OfferStopped: a legal rule stands in the way.
        NameMissing: nothing says what it was. TooMany.
    """
    rule = EarnRule.objects.filter(pk=rule_id, kind__in=BY_HAND, is_on=True).first()
    if rule is None:
        raise errors.UnknownRule
    organization = Organization.objects.get()
    guard.refuse_stopped(rule, organization=organization, now=now)
    note = clean(note)[:120]
    if not note:
        raise errors.NameMissing
    people = list(dict.fromkeys(patient_ids))
    if len(people) > MOST_AT_ONCE:
        raise errors.TooMany(most=MOST_AT_ONCE)
    at = min(now, datetime.combine(on, time(12), ZoneInfo(organization.time_zone)))
    accounts = membership.accounts_of(people)
    what = hashlib.sha256(note.encode()).hexdigest()[:12]
    things = [
        Thing(rule.kind, one, at, "award", what, f"award:{on}:{what}:{one}", note=note, rule_id=rule.pk)
        for one in people if one in accounts
    ]  # fmt: skip
    made = earning.record(things, now=now, by=by)
    settling.settle([one.pk for one in made if one.state == Earning.State.PENDING and one.due_at <= now], now=now)
    reached = set(Account.objects.filter(pk__in=[one.account_id for one in made]).values_list("patient_id", flat=True))
    result = Awarded(
        [one for one in made if one.points], [one for one in made if not one.points],
        [one for one in people if one in accounts and one not in reached], [one for one in people if one not in accounts],
    )  # fmt: skip
    audit.record(
        "member.awarded", patients=[one for one in people if one in accounts], target=("earn_rule", rule.pk), now=now,
        details={"people": len(people), "given": len(result.given), "on": on.isoformat()},
    )  # fmt: skip
    return result
