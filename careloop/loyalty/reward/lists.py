"""What staff and members read about rewards and coupons: each list one statement, or a few."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from careloop.accounts.scope import at_home
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.models import Account, Coupon, Reward
from careloop.loyalty.models.offered import OfferState
from careloop.loyalty.points import statements
from careloop.loyalty.reward.redemptions import local_day, times_taken
from careloop.loyalty.reward.taking import Standing, objection
from careloop.loyalty.tier import tiers
from careloop.tenancy.models import Organization

Row = dict[str, Any]
PAGE = 50


@dataclass(frozen=True)
class Choice:
    """A reward as one member sees it: what stands in the way, if anything does."""

    reward: Reward
    objection: DomainError | None


def choices_for(account: Account, *, now: datetime, location_id: UUID | None = None) -> list[Choice]:
    """Return what is offered to a member today, what can be had first; what a rule of the guard stops is not shown at all."""
    organization = Organization.objects.get()
    day = local_day(organization, now)
    offered = Reward.objects.filter(_offered_on(day), programme_id=account.programme_id).order_by("points", "id")
    rewards = guard.in_force(offered, organization=organization, now=now)
    if not rewards:
        return []
    balance, taken = statements.balance_of(account.pk), times_taken(account.pk, now=now)
    tier = tiers.tier_of(account.pk) if any(one.tiers for one in rewards) else None
    found = [
        Choice(one, objection(
            one, Standing(balance, tier["id"] if tier else None, taken.get(one.pk, 0)), day=day, location_id=location_id
        ))
        for one in rewards
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.objection is not None)


def partner_offers_for(account: Account, *, now: datetime) -> list[Coupon]:
    """Return the partners' offers that a member can take today and has not taken as often as is allowed."""
    organization = Organization.objects.get()
    offered = Coupon.objects.filter(
        _offered_on(local_day(organization, now)), programme_id=account.programme_id, kind=Coupon.Kind.PARTNER,
        partner__is_active=True,
    ).select_related("partner").order_by("name", "id")  # fmt: skip
    held = {
        row["coupon_id"]: row["n"]
        for row in sql.rows(
            """select coupon_id, count(*) as n from loyalty_coupon_code
                where account_id = %s and state <> 'WITHDRAWN' group by coupon_id""",
            [account.pk],
        )
    }
    allowed = guard.in_force(offered, organization=organization, now=now)
    return [one for one in allowed if one.per_member is None or held.get(one.pk, 0) < one.per_member]


def _offered_on(day: date) -> Q:
    return (
        Q(state=OfferState.ON)
        & (Q(valid_from__isnull=True) | Q(valid_from__lte=day))
        & (Q(valid_until__isnull=True) | Q(valid_until__gte=day))
    )


# -- of one member ---------------------------------------------------------------------------------------------


def redemptions_of(account_id: UUID, *, only_open: bool = False, limit: int = 20) -> list[Row]:
    """Return a member's redemptions, what waits first, then the latest."""
    return sql.rows(
        f"""select t.id, t.state, t.points, t.reserved_at, t.good_until, t.confirmed_at, t.ended_at, r.name, r.names
              from loyalty_redemption t join loyalty_reward r on r.id = t.reward_id
             where t.account_id = %s {"and t.state = 'RESERVED'" if only_open else ""}
             order by (t.state = 'RESERVED') desc, t.reserved_at desc, t.id limit %s""",
        [account_id, limit],
    )


def coupons_of(account_id: UUID, *, day: date, only_open: bool = False, limit: int = 20) -> list[Row]:
    """Return a member's coupons, those that can be used first."""
    return sql.rows(
        f"""select k.id, k.state, k.good_until, k.granted_at, k.used_at, k.because, k.note, c.name, c.names, c.text, c.texts,
                   p.name as partner, k.state = 'OPEN' and k.good_until >= %(day)s as is_open
              from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id left join loyalty_partner p on p.id = c.partner_id
             where k.account_id = %(account)s and k.state <> 'WITHDRAWN'
                   {"and k.state = 'OPEN' and k.good_until >= %(day)s and c.partner_id is null" if only_open else ""}
             order by 13 desc, k.granted_at desc, k.id limit %(limit)s""",
        {"account": account_id, "day": day, "limit": limit},
    )


def redemption_of(redemption_id: UUID, *, patient_id: UUID) -> Row | None:
    """Return one of a patient's own redemptions with the words and the number of its code."""
    return sql.row(
        """select t.id, t.state, t.points, t.serial, t.organization_id, t.good_until, t.reserved_at, t.confirmed_at, t.ended_at,
                  r.name, r.names, r.text, r.texts, r.returns_points, l.name as place, '' as partner, '' as note
             from loyalty_redemption t join loyalty_reward r on r.id = t.reward_id join loyalty_account a on a.id = t.account_id
             left join tenancy_location l on l.id = t.location_id
            where t.id = %s and a.patient_id = %s""",
        [redemption_id, patient_id],
    )


def coupon_of(code_id: UUID, *, patient_id: UUID) -> Row | None:
    """Return one of a patient's own coupons with the words and the number of its code."""
    return sql.row(
        """select k.id, k.state, k.serial, k.organization_id, k.good_until, k.granted_at, k.used_at, k.note, c.name, c.names, c.text,
                  c.texts, p.name as partner, coalesce(at.name, l.name) as place
             from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id join loyalty_account a on a.id = k.account_id
             left join loyalty_partner p on p.id = c.partner_id left join loyalty_partner at on at.id = k.at_partner_id
             left join tenancy_location l on l.id = k.location_id
            where k.id = %s and a.patient_id = %s""",
        [code_id, patient_id],
    )


# -- of the clinic ---------------------------------------------------------------------------------------------


def reward_figures(*, since: datetime) -> dict[UUID, Row]:
    """Return of each reward how many wait and how many were handed over since."""
    return {
        row["reward_id"]: row
        for row in sql.rows(
            """select reward_id, count(*) filter (where state = 'RESERVED') as waiting,
                      count(*) filter (where state = 'CONFIRMED' and confirmed_at >= %(since)s) as handed_over,
                      coalesce(sum(points) filter (where state in ('RESERVED', 'CONFIRMED') and reserved_at >= %(since)s), 0)::bigint as points
                 from loyalty_redemption where state = 'RESERVED' or reserved_at >= %(since)s or confirmed_at >= %(since)s
                group by reward_id""",
            {"since": since},
        )
    }


def redemptions_listed(
    *, state: str, reward_id: UUID | None, beyond: str, order: str, limit: int, more: Row
) -> list[Row]:
    """Return a page of redemptions of the patients the member of staff sees."""
    here, params = at_home("p.home_location_id")
    return sql.rows(
        f"""select t.id, t.state, t.points, t.source, t.reserved_at, t.good_until, t.confirmed_at, r.name as reward, r.names, l.name as location,
                   p.id as patient_id, p.name
              from loyalty_redemption t join loyalty_reward r on r.id = t.reward_id join loyalty_account a on a.id = t.account_id
              join patients_patient p on p.id = a.patient_id left join tenancy_location l on l.id = t.location_id
             where {beyond} and (%(state)s = '' or t.state = %(state)s)
               and (%(reward)s::uuid is null or t.reward_id = %(reward)s){here}
             order by {order} limit %(limit)s""",
        {**params, **more, "state": state, "reward": reward_id, "limit": limit},
    )


def redemption(redemption_id: UUID) -> Row | None:
    """Return one redemption with everything its page shows, if its patient is one the member of staff sees."""
    here, params = at_home("p.home_location_id")
    return sql.row(
        f"""select t.id, t.state, t.points, t.source, t.reserved_at, t.good_until, t.confirmed_at, t.noted_at, t.ended_at, t.reason,
                   t.serial, t.organization_id, t.account_id, t.reward_id, r.name as reward, r.names, r.undo_hours, r.returns_points,
                   l.name as location, p.id as patient_id, p.name, a.member_number, ub.name as reserved_by, uc.name as confirmed_by,
                   ue.name as ended_by
              from loyalty_redemption t join loyalty_reward r on r.id = t.reward_id join loyalty_account a on a.id = t.account_id
              join patients_patient p on p.id = a.patient_id left join tenancy_location l on l.id = t.location_id
              left join accounts_user ub on ub.id = t.reserved_by_id left join accounts_user uc on uc.id = t.confirmed_by_id
              left join accounts_user ue on ue.id = t.ended_by_id
             where t.id = %(id)s{here}""",
        {**params, "id": redemption_id},
    )


def coupon_figures() -> dict[UUID, Row]:
    """Return of each coupon how many codes there are, how many can be used, and how many were."""
    return {
        row["coupon_id"]: row
        for row in sql.rows(
            """select coupon_id, count(*) as codes, count(*) filter (where state = 'OPEN') as open,
                      count(*) filter (where state = 'USED') as used
                 from loyalty_coupon_code group by coupon_id"""
        )
    }


def codes_listed(*, coupon_id: UUID, beyond: str, order: str, limit: int, more: Row) -> list[Row]:
    """Return a page of a coupon's codes; those of patients the member of staff does not see are left out."""
    here, params = at_home("p.home_location_id")
    return sql.rows(
        f"""select k.id, k.serial, k.number, k.state, k.good_until, k.granted_at, k.used_at, k.because, k.note, p.id as patient_id, p.name
              from loyalty_coupon_code k left join loyalty_account a on a.id = k.account_id
              left join patients_patient p on p.id = a.patient_id
             where {beyond} and k.coupon_id = %(coupon)s and (a.id is null or (true{here}))
             order by {order} limit %(limit)s""",
        {**params, **more, "coupon": coupon_id, "limit": limit},
    )


def code(code_id: UUID) -> Row | None:
    """Return one coupon code with everything its page shows, if its patient is one the member of staff sees."""
    here, params = at_home("p.home_location_id")
    return sql.row(
        f"""select k.id, k.state, k.serial, k.organization_id, k.number, k.good_until, k.granted_at, k.because, k.note, k.used_at,
                   k.noted_at, k.ended_at, k.reason, k.settlement_id, k.account_id, c.id as coupon_id, c.name as coupon, c.names, c.text, c.texts,
                   c.kind, c.undo_hours, c.partner_id, coalesce(at.name, l.name) as place, own.name as partner, p.id as patient_id,
                   p.name, ug.name as granted_by, uu.name as used_by
              from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id left join loyalty_account a on a.id = k.account_id
              left join patients_patient p on p.id = a.patient_id left join tenancy_location l on l.id = k.location_id
              left join loyalty_partner at on at.id = k.at_partner_id left join loyalty_partner own on own.id = c.partner_id
              left join accounts_user ug on ug.id = k.granted_by_id left join accounts_user uu on uu.id = k.used_by_id
             where k.id = %(id)s and (a.id is null or (true{here}))""",
        {**params, "id": code_id},
    )


def series_rows(coupon_id: UUID) -> Sequence[Row]:
    """Return all codes of a series in their order, for the printer."""
    return sql.rows(
        """select number, serial, good_until, state from loyalty_coupon_code
            where coupon_id = %s order by number, id""",
        [coupon_id],
    )


def partners() -> list[Row]:
    """Return all partners with what they offer and what is not settled yet."""
    return sql.rows(
        """select p.id, p.name, p.contact, p.is_active, p.pin_hash <> '' as has_pin,
                  (select count(*) from loyalty_coupon c where c.partner_id = p.id and c.state = 'ON') as offers, u.uses, u.amount
             from loyalty_partner p
             left join lateral (select count(*) as uses, coalesce(sum(c.pays), 0)::bigint as amount
                                  from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id
                                 where k.at_partner_id = p.id and k.state = 'USED' and k.settlement_id is null) u on true
            order by p.is_active desc, p.name"""
    )
