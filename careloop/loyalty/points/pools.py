"""Families that share points: who agrees, who joins, who leaves, and what each brought in.

Whoever joins brings all points along, with their last days; what the family earns afterwards goes there; anybody in it spends
what ends first, whoever brought it. Whoever leaves takes along what he or she brought and nobody used; the last one takes the rest.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.loyalty import errors
from careloop.loyalty.events import SharingBegan, SharingEnded
from careloop.loyalty.models import Account, PoolMember
from careloop.loyalty.points import families


@dataclass(frozen=True)
class Consent:
    """Who agreed, and how: `patient_id` is the adult himself, or the guardian of a child."""

    patient_id: UUID
    how: str = PoolMember.How.PORTAL.value


@transaction.atomic
def found(*, account_id: UUID, consent: Consent, now: datetime, by: UUID | None) -> UUID:
    """Begin a family's account with one adult in it; the same adult again gets the one there is. Return its id.

    Raises:
        NoPools, AdultMustAgree, GuardianMustAgree, AlreadyShares, OwesPoints, UnknownAccount.
    """
    founder = families.person(account_id)
    account = (
        Account.objects.select_for_update(of=("self",), no_key=True).select_related("programme").get(pk=account_id)
    )
    if account.pool_id:
        return account.pool_id
    if not account.programme.allows_pools:
        raise errors.NoPools
    if founder.is_child(families.today_of(now)):
        raise errors.GuardianMustAgree
    pool = Account.objects.create(
        programme_id=account.programme_id, kind=Account.Kind.POOL, joined_at=now, joined_by_id=by
    )
    member = _row(pool.pk, account_id, is_founder=True, now=now)
    _join(member, founder, consent, now=now, by=by)
    return pool.pk


@transaction.atomic
def invite(*, pool_id: UUID, account_id: UUID, asked_by: UUID, now: datetime, by: UUID | None) -> PoolMember:
    """Ask somebody of the family. A child whose guardian asks shares at once; an adult is asked, and decides alone.

    Args:
        asked_by: the patient who asks: shares these points already, or is the guardian of somebody who does.

    Raises:
        NoPools, NotFamily, AlreadyShares, OwesPoints, UnknownAccount.
    """
    pool = (
        Account.objects.select_related("programme").filter(pk=pool_id, kind=Account.Kind.POOL, state="ACTIVE").first()
    )
    invited = families.person(account_id)
    if pool is None or invited.programme_id != pool.programme_id:
        raise errors.UnknownAccount
    if not pool.programme.allows_pools:
        raise errors.NoPools
    inside = set(
        sql.value("select coalesce(array_agg(patient_id), '{}') from loyalty_account where pool_id = %s", [pool_id])
    )
    if asked_by not in inside or not any(families.are_family(invited.patient_id, one) for one in inside):
        raise errors.NotFamily
    Account.objects.select_for_update(no_key=True).get(pk=account_id)
    if PoolMember.objects.filter(account_id=account_id, state__in=["INVITED", "IN"]).exists():
        raise errors.AlreadyShares
    member = _row(pool_id, account_id, is_founder=False, now=now)
    if invited.is_child(families.today_of(now)) and families.is_guardian(asked_by, of=invited.patient_id):
        _join(member, invited, Consent(asked_by, "PAPER" if by else "PORTAL"), now=now, by=by)
    else:
        audit.record("loyalty.sharing_asked", patients=[invited.patient_id], target=("loyalty_pool", pool_id), now=now)
    return member


@transaction.atomic
def answer(*, account_id: UUID, agrees: bool, consent: Consent, now: datetime, by: UUID | None) -> None:
    """Say yes or no to sharing points; only the person asked can, or a child's guardian.

    Raises:
        NotAsked, AdultMustAgree, GuardianMustAgree, OwesPoints, AlreadyShares.
    """
    asked = families.person(account_id)
    member = _locked(account_id, "INVITED")
    if member is None:
        raise errors.NotAsked
    if agrees:
        _join(member, asked, consent, now=now, by=by)
        return
    families.check_agreed(asked, by=consent.patient_id, today=families.today_of(now))
    PoolMember.objects.filter(pk=member.pk).update(state="REFUSED", answered_at=now, recorded_by_id=by)
    audit.record(
        "loyalty.sharing_refused", patients=[asked.patient_id], target=("loyalty_pool", member.pool_id), now=now
    )


@transaction.atomic
def leave(*, account_id: UUID, consent: Consent, now: datetime, by: UUID | None) -> None:
    """Share no longer; what is left of the points brought in comes along. Leaving twice changes nothing.

    Raises:
        AdultMustAgree, GuardianMustAgree: somebody else cannot take a member out.
        OwesPoints: the family's balance is below zero.
    """
    leaving = families.person(account_id)
    families.check_agreed(leaving, by=consent.patient_id, today=families.today_of(now))
    member = _locked(account_id, "IN")
    if member is None:
        return
    _move(member, None, now=now, by=by)
    PoolMember.objects.filter(pk=member.pk).update(state="LEFT", left_at=now)
    PoolMember.objects.filter(pool_id=member.pool_id, state="INVITED").exclude(
        pool__in=Account.objects.filter(kind="POOL", state="ACTIVE")
    ).update(state="LEFT", left_at=now)
    events.publish(SharingEnded(account_id, member.pool_id), patient_id=leaving.patient_id, now=now)
    audit.record(
        "loyalty.sharing_ended", patients=[leaving.patient_id], target=("loyalty_pool", member.pool_id), now=now
    )


def members_of(pool_id: UUID) -> list[dict[str, Any]]:
    """Return who shares these points or is asked: name, state, consent, what each earned or brought, used, and what is left of it."""
    return sql.rows(
        """select m.account_id, m.state, m.is_founder, m.invited_at, m.answered_at, m.consent_how, a.patient_id, p.name, p.birth_date,
                  c.name as consent_name, c.id = p.id as by_self,
                  (select coalesce(sum(e.points), 0) from loyalty_entry e where e.to_member_id = m.account_id and e.to_account_id = m.pool_id
                      and e.kind in ('EARN', 'ADJUST', 'TRANSFER'))::int as brought,
                  (select coalesce(sum(e.points) filter (where e.kind = 'SPEND'), 0) from loyalty_entry e
                    where e.from_member_id = m.account_id and e.from_account_id = m.pool_id)::int as spent,
                  (select coalesce(sum(l."left"), 0) from loyalty_lot l where l.account_id = m.pool_id and l.is_open
                      and l.brought_by_id = m.account_id)::int as left_of_it
             from loyalty_pool_member m join loyalty_account a on a.id = m.account_id join patients_patient p on p.id = a.patient_id
             left join patients_patient c on c.id = m.consent_patient_id
            where m.pool_id = %s and m.state in ('IN', 'INVITED') order by m.is_founder desc, m.invited_at, m.id""",
        [pool_id],
    )


def open_question(account_id: UUID) -> dict[str, Any] | None:
    """Return which family asks this member to share points, and who is in it."""
    return sql.row(
        """select m.pool_id, m.invited_at,
                  (select array_agg(p.name order by i.is_founder desc, i.invited_at) from loyalty_pool_member i
                     join loyalty_account a on a.id = i.account_id join patients_patient p on p.id = a.patient_id
                    where i.pool_id = m.pool_id and i.state = 'IN') as names
             from loyalty_pool_member m where m.account_id = %s and m.state = 'INVITED'""",
        [account_id],
    )


def relatives_to_ask(patient_id: UUID, programme_id: UUID, *, both_ways: bool) -> list[dict[str, Any]]:
    """Return family members who are in the programme and neither share points nor are asked.

    Args:
        both_ways: also whoever recorded this patient as family. On the patient's own pages no: that somebody is a patient here is
            theirs to tell; only the children of a guardian are known to the guardian anyway.
    """
    return sql.rows(
        """select distinct on (p.name, a.id) a.id as account_id, p.id as patient_id, p.name, p.birth_date
             from patients_related_person r
             join patients_patient p on p.id = case when r.patient_id = %(patient)s then r.relative_id else r.patient_id end
             join loyalty_account a on a.patient_id = p.id and a.programme_id = %(programme)s and a.kind = 'PATIENT' and a.state = 'ACTIVE'
            where (r.patient_id = %(patient)s or r.relative_id = %(patient)s and (r.is_guardian or %(both_ways)s)) and p.merged_into_id is null
              and not exists (select from loyalty_pool_member m where m.account_id = a.id and m.state in ('IN', 'INVITED'))
            order by p.name, a.id""",
        {"patient": patient_id, "programme": programme_id, "both_ways": both_ways},
    )


def _locked(account_id: UUID, state: str) -> PoolMember | None:
    """Return the member's row once account and pool are locked, in the order of postings: the last to leave also ends others' rows."""
    found = PoolMember.objects.filter(account_id=account_id, state=state)
    pool_id = found.values_list("pool_id", flat=True).first()
    if pool_id is None:
        return None
    for one in (account_id, pool_id):
        Account.objects.select_for_update(no_key=True).get(pk=one)
    return found.select_for_update().filter(pool_id=pool_id).first()


def _row(pool_id: UUID, account_id: UUID, *, is_founder: bool, now: datetime) -> PoolMember:
    return PoolMember.objects.create(
        id=uuid7(), pool_id=pool_id, account_id=account_id, state="INVITED", is_founder=is_founder, invited_at=now
    )


def _join(member: PoolMember, who: families.Person, consent: Consent, *, now: datetime, by: UUID | None) -> None:
    families.check_agreed(who, by=consent.patient_id, today=families.today_of(now))
    _move(member, member.pool_id, now=now, by=by)
    PoolMember.objects.filter(pk=member.pk).update(
        state="IN", answered_at=now, consent_patient_id=consent.patient_id, consent_how=consent.how, recorded_by_id=by
    )
    member.state = "IN"
    events.publish(SharingBegan(who.account_id, member.pool_id), patient_id=who.patient_id, now=now)
    audit.record(
        "loyalty.sharing_began", patients=[who.patient_id, consent.patient_id], target=("loyalty_pool", member.pool_id),
        details={"how": consent.how}, now=now,
    )  # fmt: skip


def _move(member: PoolMember, pool_id: UUID | None, *, now: datetime, by: UUID | None) -> None:
    key = f"pool:{member.pk}:{'out' if pool_id is None else 'in'}"
    outcome = sql.value(
        "select loyalty_share(%s, %s, %s, 'POOL', %s, '', %s, %s)",
        [member.account_id, pool_id, key, "out" if pool_id is None else "in", now, by],
    )
    if outcome == "OWES":
        raise errors.OwesPoints
    if outcome != "DONE":
        raise errors.AlreadyShares
