"""Taking a reward for points, handing it over, taking it back: each one transaction that may come twice or a hundred times at once.

Locks are taken in one order everywhere: the member (an advisory lock), the redemption, the ledger's accounts, the reward's stock.
Stock changes in single statements that never go below zero; the database would refuse it too.
"""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from careloop.audit import services as audit
from careloop.events.services import publish
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean
from careloop.loyalty import guard
from careloop.loyalty.errors import NotEnoughPoints
from careloop.loyalty.models import Account, Redemption, Reward
from careloop.loyalty.points import ledger, statements
from careloop.loyalty.reward import codes
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward import events as facts
from careloop.loyalty.reward.taking import GRACE, Standing, last_day, may_be_undone, objection
from careloop.loyalty.tier import tiers
from careloop.tenancy.models import Organization

Source = Redemption.Source
State = Redemption.State
LEAST_REASON = 2


@transaction.atomic
def redeem(
    *, account_id: UUID, reward_id: UUID, key: str, now: datetime, by: UUID | None, source: str = "DESK",
    location_id: UUID | None = None,
) -> Redemption:  # fmt: skip
    """Take a reward: points go, stock goes, and there is a one-time code. The same key again gives the same redemption.

    Args:
        key: one intention of one member (a form's key); unique in the organization.
        location_id: the branch whose desk it is; None in the portal.

    Raises:
        NotAMember, UnknownReward, NotOffered, OfferStopped, OtherBranch, OtherTier, LimitReached, SoldOut, PointsMissing: nothing is written.
    """
    lock_member(account_id)
    if earlier := Redemption.objects.filter(key=key, account_id=account_id).first():
        return earlier
    organization = Organization.objects.get()
    account = Account.objects.filter(pk=account_id, kind=Account.Kind.PATIENT, state=Account.State.ACTIVE).first()
    if account is None:
        raise errors.NotAMember
    reward = Reward.objects.filter(pk=reward_id, programme_id=account.programme_id).first()
    if reward is None:
        raise errors.UnknownReward
    day = local_day(organization, now)
    standing = standing_of(account, reward, now=now)
    guard.refuse_stopped(reward, organization=organization, now=now)
    refused = objection(reward, standing, day=day, location_id=location_id)
    if refused is not None:
        raise refused
    made = uuid7()
    try:
        ledger.spend(
            account_id=account.pk, points=reward.points, key=spending_key(made),
            because=ledger.Because("REWARD", ref=str(made), note=reward.name), now=now, by=by,
        )  # fmt: skip
    except NotEnoughPoints:
        raise errors.PointsMissing(missing=max(1, reward.points - standing.balance)) from None
    takes_stock = take_one(reward.pk)
    redemption = Redemption.objects.create(
        id=made, account=account, reward=reward, key=key, source=source, points=reward.points, takes_stock=takes_stock,
        serial=codes.new_serials(organization.pk, 1)[0], good_until=last_day(day, reward.hold_days), location_id=location_id,
        reserved_at=now, reserved_by_id=by,
    )  # fmt: skip
    publish(
        facts.RewardRedeemed(account.pk, made, reward.pk, reward.points, source), patient_id=account.patient_id, now=now
    )
    audit.record("loyalty.reward_redeemed", patients=patients_of(account), target=("redemption", made), now=now)
    return redemption


@transaction.atomic
def confirm(
    *, redemption_id: UUID, key: str, now: datetime, by: UUID, location_id: UUID | None = None,
    noted_at: datetime | None = None,
) -> Redemption:  # fmt: skip
    """Note that the reward was handed over; its code is used up. The same key again changes nothing.

    Args:
        key: one tap of one desk; a code that comes again with another key is refused and told where it was used.
        noted_at: when a desk without network took the code; the code must have been good then.

    Raises:
        UnknownCode, CodeUsed, CodeTakenBack, CodeOutdated, OtherBranch.
    """
    redemption = _locked(redemption_id)
    if redemption.state == State.CONFIRMED and redemption.used_key == key:
        return redemption
    organization = Organization.objects.get()
    check_unused(redemption, organization)
    day = local_day(organization, min(noted_at, now) if noted_at else now)
    if redemption.state == State.EXPIRED or day > redemption.good_until:
        raise errors.CodeOutdated(day=f"{redemption.good_until:%Y-%m-%d}")
    if location_id and redemption.reward.locations and location_id not in redemption.reward.locations:
        raise errors.OtherBranch
    redemption.state, redemption.used_key = State.CONFIRMED, key
    redemption.confirmed_at, redemption.confirmed_by_id = now, by
    redemption.location_id, redemption.noted_at = location_id or redemption.location_id, noted_at
    redemption.save(
        update_fields=["state", "used_key", "confirmed_at", "confirmed_by", "location", "noted_at"]
    )  # fmt: skip
    account = redemption.account
    publish(
        facts.RedemptionConfirmed(account.pk, redemption.pk, redemption.reward_id),
        patient_id=account.patient_id,
        now=now,
    )
    audit.record(
        "loyalty.redemption_confirmed", patients=patients_of(account), target=("redemption", redemption.pk), now=now
    )
    return redemption


@transaction.atomic
def hand_over(
    *, account_id: UUID, reward_id: UUID, key: str, now: datetime, by: UUID, location_id: UUID | None = None
) -> Redemption:
    """Take a reward and hand it over at once, as the desk does.

    Raises:
        As `redeem` and `confirm`; nothing is written then.
    """
    made = redeem(
        account_id=account_id, reward_id=reward_id, key=key, now=now, by=by, source=Source.DESK, location_id=location_id
    )
    return confirm(redemption_id=made.pk, key=key, now=now, by=by, location_id=location_id)


@transaction.atomic
def cancel(*, redemption_id: UUID, reason: str, now: datetime, by: UUID | None) -> Redemption:
    """Take a redemption back: points and stock come back. What was handed over, only for a while and with a reason. Twice is once.

    Args:
        reason: needed from staff; the member gives back what waits without one.

    Raises:
        UnknownCode, WhyMissing, TooLateToUndo, NothingToUndo.
    """
    redemption = _locked(redemption_id)
    if redemption.state == State.CANCELLED:
        return redemption
    if redemption.state == State.EXPIRED or (redemption.state == State.CONFIRMED and by is None):
        raise errors.NothingToUndo
    reason = clean(reason)
    if by is not None and len(reason) < LEAST_REASON:
        raise errors.WhyMissing
    was_used = redemption.confirmed_at is not None
    hours = redemption.reward.undo_hours
    if redemption.confirmed_at is not None and not may_be_undone(redemption.confirmed_at, hours=hours, now=now):
        raise errors.TooLateToUndo(hours=hours)
    _end(redemption, State.CANCELLED, reason=reason[:200], now=now, by=by)
    _give_back(redemption, points=True, why="UNDONE" if was_used else "CANCELLED", now=now, by=by)
    return redemption


@transaction.atomic
def expire(*, redemption_id: UUID, now: datetime) -> bool:
    """Let a code that was not used in time run out: the stock comes back, the points as its reward says. Return whether it did.

    The day after its last one is left to desks without network, who send in what they noted.
    """
    redemption = _locked(redemption_id)
    overdue = local_day(Organization.objects.get(), now - GRACE) > redemption.good_until
    if redemption.state != State.RESERVED or not overdue:
        return False
    _end(redemption, State.EXPIRED, reason="", now=now, by=None)
    _give_back(redemption, points=redemption.reward.returns_points, why="EXPIRED", now=now, by=None)
    return True


def overdue(*, now: datetime, limit: int) -> list[UUID]:
    """Return codes that ran out, for `expire`."""
    day = local_day(Organization.objects.get(), now - GRACE)
    return [
        row["id"]
        for row in sql.rows(
            "select id from loyalty_redemption where state = 'RESERVED' and good_until < %s order by good_until limit %s",
            [day, limit],
        )
    ]


def code_of(redemption: Redemption) -> str:
    """Return the code the member shows."""
    return codes.code_of(
        redemption.organization_id, "REWARD", serial=redemption.serial, good_until=redemption.good_until
    )


# -- pieces ---------------------------------------------------------------------------------------------------


def lock_member(account_id: UUID) -> None:
    """Let one taking of one member come after the other, so that limits hold; nobody else waits."""
    sql.execute("select pg_advisory_xact_lock(hashtextextended(%s, 7001))", [f"{account_id}"])


def spending_key(redemption_id: UUID) -> str:
    """Return the key of the entry in the ledger."""
    return f"redeem:{redemption_id}"


def take_one(reward_id: UUID) -> bool:
    """Take one from the stock; return whether the stock is counted at all. One statement, so that the last one goes once.

    Raises:
        SoldOut: none is left.
    """
    found = sql.row(
        """update loyalty_reward set stock = stock - 1
            where id = %(id)s and stock > 0 returning true as taken""",
        {"id": reward_id},
    )
    if found is not None:
        return True
    if sql.value("select stock from loyalty_reward where id = %s", [reward_id]) is not None:
        raise errors.SoldOut
    return False


def put_back(reward_id: UUID) -> None:
    """Put one back, if its stock is still counted."""
    sql.execute("update loyalty_reward set stock = stock + 1 where id = %s", [reward_id])


def standing_of(account: Account, reward: Reward, *, now: datetime) -> Standing:
    """Return what counts of this member for this reward."""
    tier = tiers.tier_of(account.pk) if reward.tiers else None
    return Standing(
        balance=statements.balance_of(account.pk), tier_id=tier["id"] if tier else None,
        taken=times_taken(account.pk, now=now).get(reward.pk, 0) if reward.per_member else 0,
    )  # fmt: skip


def times_taken(account_id: UUID, *, now: datetime) -> dict[UUID, int]:
    """Return how often this member took each reward within that reward's own days; what was taken back does not count."""
    return {
        row["reward_id"]: row["n"]
        for row in sql.rows(
            """select t.reward_id, count(*) as n
                 from loyalty_redemption t join loyalty_reward r on r.id = t.reward_id
                where t.account_id = %(account)s and t.state in ('RESERVED', 'CONFIRMED') and r.per_member is not null
                  and (r.per_days = 0 or t.reserved_at > %(now)s - make_interval(days => r.per_days))
                group by t.reward_id""",
            {"account": account_id, "now": now},
        )
    }


def patients_of(account: Account | None) -> list[UUID]:
    """Return the patient an action is about, for the audit; a code on paper is nobody's."""
    return [account.patient_id] if account is not None and account.patient_id else []


def local_day(organization: Organization, moment: datetime) -> date:
    """Return the clinic's calendar day at this moment."""
    return moment.astimezone(ZoneInfo(organization.time_zone)).date()


def check_unused(redemption: Redemption, organization: Organization) -> None:
    """Refuse a code that was used or taken back, and say when and where.

    Raises:
        CodeUsed, CodeTakenBack.
    """
    zone = ZoneInfo(organization.time_zone)
    if redemption.state == State.CONFIRMED:
        assert redemption.confirmed_at is not None
        where = redemption.location.name if redemption.location else organization.name
        raise errors.CodeUsed(when=f"{redemption.confirmed_at.astimezone(zone):%Y-%m-%d %H:%M}", where=where)
    if redemption.state == State.CANCELLED:
        assert redemption.ended_at is not None
        raise errors.CodeTakenBack(when=f"{redemption.ended_at.astimezone(zone):%Y-%m-%d %H:%M}")


def _locked(redemption_id: UUID) -> Redemption:
    account_id = Redemption.objects.filter(pk=redemption_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise errors.UnknownCode
    lock_member(account_id)
    return (
        Redemption.objects.select_for_update(of=("self",))
        .select_related("account", "reward", "location")
        .get(pk=redemption_id)
    )


def _end(redemption: Redemption, state: str, *, reason: str, now: datetime, by: UUID | None) -> None:
    redemption.state, redemption.reason = state, reason
    redemption.ended_at, redemption.ended_by_id = now, by
    redemption.save(update_fields=["state", "reason", "ended_at", "ended_by"])


def _give_back(redemption: Redemption, *, points: bool, why: str, now: datetime, by: UUID | None) -> None:
    account = redemption.account
    if points:
        ledger.reverse(
            key=f"{spending_key(redemption.pk)}:back", of_key=spending_key(redemption.pk),
            because=ledger.Because("REWARD", ref=str(redemption.pk), note=redemption.reward.name), now=now, by=by,
        )  # fmt: skip
    if redemption.takes_stock:
        put_back(redemption.reward_id)
    back = redemption.points if points else 0
    publish(
        facts.RedemptionCancelled(account.pk, redemption.pk, redemption.reward_id, back, why),
        patient_id=account.patient_id,
        now=now,
    )
    audit.record(
        "loyalty.redemption_expired" if why == "EXPIRED" else "loyalty.redemption_cancelled", patients=patients_of(account),
        target=("redemption", redemption.pk), reason=redemption.reason, now=now,
    )  # fmt: skip
