"""Coupons: giving codes to members, printing a series, using one once, taking a use back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from careloop.audit import services as audit
from careloop.events.services import publish
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.loyalty import guard
from careloop.loyalty.models import Account, Coupon, CouponCode
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import codes
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward import events as facts
from careloop.loyalty.reward.redemptions import LEAST_REASON, local_day, lock_member, patients_of
from careloop.loyalty.reward.taking import last_day, may_be_undone
from careloop.tenancy.models import Organization

Row = dict[str, Any]
State = CouponCode.State
MOST_AT_ONCE = 10_000


@dataclass(frozen=True)
class Where:
    """Where a code is used: at a branch's desk, or at a partner."""

    location_id: UUID | None = None
    partner_id: UUID | None = None


@transaction.atomic
def grant_coupon(
    *, account_id: UUID, coupon_id: UUID, key: str, because: Because, now: datetime, by: UUID | None
) -> Row:
    """Give a member a coupon. The same key again gives the same code.

    Returns:
        `id`, `code`, `good_until` and `is_new`.

    Raises:
        NotAMember, UnknownReward, NotOffered, OfferStopped, LimitReached, SoldOut: nothing is written.
    """
    lock_member(account_id)
    organization = Organization.objects.get()
    if earlier := CouponCode.objects.filter(key=key, account_id=account_id).first():
        return _given(earlier, organization, is_new=False)
    account = Account.objects.filter(pk=account_id, kind=Account.Kind.PATIENT, state=Account.State.ACTIVE).first()
    if account is None:
        raise errors.NotAMember
    coupon = _offered(coupon_id, organization, now=now, programme_id=account.programme_id)
    if coupon.kind == Coupon.Kind.SERIES:
        raise errors.NotOffered
    held = CouponCode.objects.filter(coupon=coupon, account=account).exclude(state=State.WITHDRAWN).count()
    if coupon.per_member is not None and held >= coupon.per_member:
        raise errors.LimitReached(most=coupon.per_member)
    made = CouponCode.objects.create(
        coupon=coupon, account=account, key=key, serial=codes.new_serials(organization.pk, 1)[0],
        because=because.kind, because_ref=because.ref[:60], note=because.note[:120], good_until=_good_until(coupon, organization, now=now),
        granted_at=now, granted_by_id=by,
    )  # fmt: skip
    publish(facts.CouponGranted(account.pk, made.pk, coupon.pk, because.kind), patient_id=account.patient_id, now=now)
    audit.record("coupon.granted", patients=patients_of(account), target=("coupon_code", made.pk), now=now)
    return _given(made, organization, is_new=True)


@transaction.atomic
def make_series(*, coupon_id: UUID, count: int, key: str, now: datetime, by: UUID) -> int:
    """Make this many codes for paper; return how many were made. The same key again makes none.

    Raises:
        UnknownReward, NotOffered, OfferStopped, SoldOut; ValueError: count is not 1 to 10,000.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise ValueError("1 to 10,000 codes at once")
    organization = Organization.objects.get()
    coupon = _offered(coupon_id, organization, now=now, needs=count, before=key)
    if coupon.kind != Coupon.Kind.SERIES:
        raise errors.NotOffered
    made = sql.execute(
        """insert into loyalty_coupon_code (coupon_id, serial, number, key, good_until, granted_at, granted_by_id)
           select %(coupon)s, s.serial, %(had)s + s.n, %(key)s || ':' || s.n, %(until)s, %(now)s, %(by)s
             from unnest(%(serials)s::bigint[]) with ordinality as s(serial, n)
           on conflict (organization_id, key) do nothing""",
        {
            "coupon": coupon.pk, "serials": codes.new_serials(organization.pk, count), "key": f"series:{coupon.pk.hex}:{key}"[:70],
            "had": coupon.codes.count(), "until": _good_until(coupon, organization, now=now), "now": now, "by": by,
        },
    )  # fmt: skip
    if made:
        audit.record("coupon.series_made", target=("coupon", coupon.pk), details={"codes": made}, now=now)
    return made


@transaction.atomic
def use(
    *, code_id: UUID, key: str, where: Where, now: datetime, by: UUID | None, noted_at: datetime | None = None
) -> CouponCode:
    """Use a code, once. The same key again changes nothing; a code that comes again is told when and where it was used.

    Raises:
        UnknownCode, CodeUsed, CodeTakenBack, CodeOutdated, OfferStopped.
    """
    organization = Organization.objects.get()
    code = _locked(code_id)
    if code.state == State.USED and code.used_key == key:
        return code
    if where.partner_id != code.coupon.partner_id:
        raise errors.UnknownCode  # a partner takes its own offers only, the desk those of no partner
    check_open(code, organization)
    day = local_day(organization, min(noted_at, now) if noted_at else now)
    if day > code.good_until:
        raise errors.CodeOutdated(day=f"{code.good_until:%Y-%m-%d}")
    guard.refuse_stopped(code.coupon, organization=organization, now=now)
    code.state, code.used_key, code.used_at, code.used_by_id = State.USED, key, now, by
    code.location_id, code.at_partner_id, code.noted_at = where.location_id, where.partner_id, noted_at
    code.save(update_fields=["state", "used_key", "used_at", "used_by", "location", "at_partner", "noted_at"])
    patient_id = code.account.patient_id if code.account else None
    publish(facts.CouponUsed(code.pk, code.coupon_id, where.partner_id), patient_id=patient_id, now=now)
    audit.record("coupon.used", patients=patients_of(code.account), target=("coupon_code", code.pk), now=now)
    return code


@transaction.atomic
def undo_use(*, code_id: UUID, reason: str, now: datetime, by: UUID) -> CouponCode:
    """Take a use back: the code is good again. For a while only, with a reason, and not once it was settled.

    Raises:
        UnknownCode, NothingToUndo, WhyMissing, TooLateToUndo, PeriodSettled.
    """
    code = _locked(code_id)
    if code.state != State.USED or code.used_at is None:
        raise errors.NothingToUndo
    reason = _reason(reason)
    if code.settlement_id is not None:
        raise errors.PeriodSettled
    if not may_be_undone(code.used_at, hours=code.coupon.undo_hours, now=now):
        raise errors.TooLateToUndo(hours=code.coupon.undo_hours)
    _reopen(code, State.OPEN, reason=reason, now=now)
    audit.record(
        "coupon.use_undone", patients=patients_of(code.account), target=("coupon_code", code.pk), reason=reason, now=now
    )
    return code


@transaction.atomic
def withdraw(*, code_id: UUID, reason: str, now: datetime, by: UUID | None) -> CouponCode:
    """End a code that was not used: given by mistake, lost on paper. Twice is once.

    Raises:
        UnknownCode, CodeUsed, WhyMissing.
    """
    code = _locked(code_id)
    if code.state == State.WITHDRAWN:
        return code
    reason = _reason(reason)
    check_open(code, Organization.objects.get())
    _reopen(code, State.WITHDRAWN, reason=reason, now=now)
    audit.record(
        "coupon.withdrawn", patients=patients_of(code.account), target=("coupon_code", code.pk), reason=reason, now=now
    )
    return code


def withdraw_granted(*, key: str, reason: str, now: datetime) -> bool:
    """Withdraw the coupon that was given under this key, because its reason never was; return whether it could be: not once used."""
    code = CouponCode.objects.filter(key=key).values_list("pk", flat=True).first()
    if code is None:
        return True
    try:
        with transaction.atomic():
            withdraw(code_id=code, reason=reason, now=now, by=None)
    except errors.CodeUsed:
        return False
    return True


def code_text(code: CouponCode) -> str:
    """Return the code as its bearer shows it."""
    return codes.code_of(code.organization_id, "COUPON", serial=code.serial, good_until=code.good_until)


def check_open(code: CouponCode, organization: Organization) -> None:
    """Refuse a code that was used or withdrawn, and say when and where.

    Raises:
        CodeUsed, CodeTakenBack.
    """
    zone = ZoneInfo(organization.time_zone)
    if code.state == State.USED:
        assert code.used_at is not None
        place = code.at_partner or code.location
        where = place.name if place else organization.name
        raise errors.CodeUsed(when=f"{code.used_at.astimezone(zone):%Y-%m-%d %H:%M}", where=where)
    if code.state == State.WITHDRAWN:
        assert code.ended_at is not None
        raise errors.CodeTakenBack(when=f"{code.ended_at.astimezone(zone):%Y-%m-%d %H:%M}")


# -- pieces ---------------------------------------------------------------------------------------------------


def _offered(
    coupon_id: UUID, organization: Organization, *, now: datetime, programme_id: UUID | None = None, needs: int = 1,
    before: str = "",
) -> Coupon:  # fmt: skip
    """The coupon, if it may be given out now; locked where the number of its codes is limited, so that the last goes once."""
    kept = Coupon.objects.filter(pk=coupon_id).values_list("at_most", "kind").first()
    if kept is None:
        raise errors.UnknownReward
    most = 1 if kept[1] == Coupon.Kind.SINGLE else kept[0]
    found = Coupon.objects.select_for_update() if most is not None or before else Coupon.objects
    coupon = found.get(pk=coupon_id)
    if programme_id and coupon.programme_id != programme_id:
        raise errors.UnknownReward
    if not coupon.is_on(local_day(organization, now)):
        raise errors.NotOffered
    guard.refuse_stopped(coupon, organization=organization, now=now, audience=coupon.audience)
    if before and coupon.codes.filter(key=f"series:{coupon.pk.hex}:{before}"[:70] + ":1").exists():
        return coupon
    if most is not None and coupon.codes.exclude(state=State.WITHDRAWN).count() + needs > most:
        raise errors.SoldOut
    return coupon


def _good_until(coupon: Coupon, organization: Organization, *, now: datetime) -> Any:
    until = last_day(local_day(organization, now), coupon.good_days)
    return min(until, coupon.valid_until) if coupon.valid_until else until


def _locked(code_id: UUID) -> CouponCode:
    code = (
        CouponCode.objects.select_for_update(of=("self",))
        .select_related("coupon", "account", "location", "at_partner")
        .filter(pk=code_id)
        .first()
    )
    if code is None:
        raise errors.UnknownCode
    return code


def _reopen(code: CouponCode, state: str, *, reason: str, now: datetime) -> None:
    code.state, code.reason, code.ended_at = state, reason, now
    code.used_at, code.used_by_id, code.used_key, code.location_id, code.at_partner_id = None, None, "", None, None
    code.noted_at = None
    code.save(
        update_fields=["state", "reason", "ended_at", "used_at", "used_by", "used_key", "location", "at_partner", "noted_at"]
    )  # fmt: skip


def _reason(text: str) -> str:
    reason = clean(text)[:200]
    if len(reason) < LEAST_REASON:
        raise errors.WhyMissing
    return reason


def _given(code: CouponCode, organization: Organization, *, is_new: bool) -> Row:
    text = codes.code_of(organization.pk, "COUPON", serial=code.serial, good_until=code.good_until)
    return {"id": code.pk, "code": text, "good_until": code.good_until, "is_new": is_new}
