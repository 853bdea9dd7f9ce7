"""Members and their tiers: what others ask, and giving one by hand. Benefits are asked for here too."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.loyalty.models import Account, Tier
from careloop.loyalty.tier import errors, standing
from careloop.loyalty.tier.benefits import benefits_of as benefits_of
from careloop.loyalty.tier.benefits import more_days as more_days
from careloop.loyalty.tier.benefits import note_offered as note_offered
from careloop.loyalty.tier.figures import Figure, window_of
from careloop.loyalty.tier.rules import HAND

Row = dict[str, Any]
LONGEST_BY_HAND = timedelta(days=3 * 366)
LEAST_REASON = 3


# -- by hand -------------------------------------------------------------------------------------------------------


@transaction.atomic
def give_by_hand(
    *, account_id: UUID, tier_id: UUID, until: date, reason: str, now: datetime, by: UUID | None
) -> Account:
    """Let a member have at least this tier through `until`; no review lowers it before.

    Raises:
        UnknownTier, TierReasonMissing, EndsTooSoon.
    """
    account = _locked(account_id)
    if not Tier.objects.filter(pk=tier_id, programme_id=account.programme_id, is_active=True).exists():
        raise errors.UnknownTier
    if not _today(now) <= until <= _today(now) + LONGEST_BY_HAND:
        raise errors.EndsTooSoon
    note = _reason(reason)
    Account.objects.filter(pk=account_id).update(hand_tier_id=tier_id, hand_until=until)
    return _after_hand(account, given=True, note=note, now=now, by=by)


@transaction.atomic
def end_by_hand(*, account_id: UUID, reason: str, now: datetime, by: UUID | None) -> Account:
    """Take back what was given by hand: what was earned counts again.

    Raises:
        NothingByHand, TierReasonMissing.
    """
    account = _locked(account_id)
    if account.hand_tier_id is None:
        raise errors.NothingByHand
    note = _reason(reason)
    Account.objects.filter(pk=account_id).update(hand_until=_today(now) - timedelta(days=1))
    return _after_hand(account, given=False, note=note, now=now, by=by)


def _after_hand(account: Account, *, given: bool, note: str, now: datetime, by: UUID | None) -> Account:
    patient_id: UUID = account.patient_id  # type: ignore[assignment]
    standing.evaluate_after_hand(account.programme_id, patient_id=patient_id, given=given, note=note, by=by, now=now)
    action = "loyalty.tier_given" if given else "loyalty.tier_taken_back"
    audit.record(
        action, patients=[patient_id], target=("loyalty_account", account.pk), details={"reason": note}, now=now
    )
    account.refresh_from_db()
    return account


def _locked(account_id: UUID) -> Account:
    found = (
        Account.objects.select_for_update()
        .filter(pk=account_id, kind=Account.Kind.PATIENT, state=Account.State.ACTIVE).first()
    )  # fmt: skip
    if found is None:
        raise errors.UnknownTier
    return found


def _reason(text: str) -> str:
    said = clean(text)[:200]
    if len(said) < LEAST_REASON:
        raise errors.TierReasonMissing
    return said


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(sql.value("select time_zone from tenancy_organization"))).date()


# -- what others ask -----------------------------------------------------------------------------------------------


def tier_of(account_id: UUID) -> Row | None:
    """Return the tier a member has (id, name, rank, colour, since, review and grace, what was given by hand), or None."""
    return sql.row(
        """select t.id, t.name, t.rank, t.colour, a.id as account_id, a.tier_since, a.review_on, a.grace_until, a.hand_until,
                  a.tier_id = a.hand_tier_id and a.tier_id is distinct from a.earned_tier_id as is_by_hand
             from loyalty_account a join loyalty_tier t on t.id = a.tier_id where a.id = %s and a.state = 'ACTIVE'""",
        [account_id],
    )


def next_of(account_id: UUID, *, now: datetime) -> Row | None:
    """Return the next higher tier one can reach and how far a member is: name, how criteria are joined, and have and need of each."""
    one = standing_of(account_id)
    if one is None:
        return None
    above = [
        tier for tier in standing.rules_of(one["programme_id"])
        if tier.is_active and tier.rule.join != HAND and tier.rule.rank > (one["rank"] or 0)
    ]  # fmt: skip
    if not above:
        return None
    found = standing.figures_of(one["programme_id"], patient_id=one["patient_id"], now=now)
    rule = above[0].rule
    steps = [
        {"metric": metric, "need": least, "have": min(found.get(Figure(metric, window_of(rule)).column, 0), least)}
        for metric, least in rule.criteria
    ]  # fmt: skip
    return {"name": above[0].name, "join": rule.join, "window": rule.window, "months": rule.months, "steps": steps}


def standing_of(account_id: UUID) -> Row | None:
    """Return what a member's page shows of tiers: whose account it is, the tier in force, the earned and the given one."""
    return sql.row(
        """select a.id as account_id, a.patient_id, a.programme_id, p.name as patient, p.home_location_id, a.tier_since, a.review_on,
                  a.grace_until, a.hand_until, t.id as tier_id, t.name as tier, t.rank, t.colour, e.name as earned, h.name as given,
                  g.name as programme
             from loyalty_account a join patients_patient p on p.id = a.patient_id join loyalty_programme g on g.id = a.programme_id
             left join loyalty_tier t on t.id = a.tier_id left join loyalty_tier e on e.id = a.earned_tier_id
             left join loyalty_tier h on h.id = a.hand_tier_id
            where a.id = %s and a.kind = 'PATIENT' and a.state = 'ACTIVE'""",
        [account_id],
    )


def history_of(account_id: UUID, *, limit: int = 100) -> list[Row]:
    """Return what became of a member's tier, the latest first."""
    return sql.rows(
        """select c.id, c.at, c.why, c.figures, c.since, c.review_on, c.until, c.note, f.name as before, t.name as after,
                  f.rank as rank_before, t.rank as rank_after, u.name as by
             from loyalty_tier_change c left join loyalty_tier f on f.id = c.from_tier_id left join loyalty_tier t on t.id = c.to_tier_id
             left join accounts_user u on u.id = c.by_id
            where c.account_id = %s order by c.at desc, c.id desc limit %s""",
        [account_id, limit],
    )
