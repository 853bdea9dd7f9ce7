"""What a member gets when a friend came: always words, and points or a coupon where the law lets them."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.events.services import publish
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.join import membership
from careloop.loyalty.models import Referral, ReferralProgramme
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import coupons, rewards
from careloop.loyalty.thanks.events import ReferralCompleted, ReferralUndone
from careloop.messaging import services as messaging
from careloop.messaging.errors import UnknownTemplate
from careloop.tenancy.models import Organization


def complete(referral: Referral, *, now: datetime) -> None:
    """Let a referral be completed and thank the member, in the caller's transaction. The row is locked or new.

    Each part of it has a key of its own: done again it changes nothing.
    """
    settings = ReferralProgramme.objects.filter(is_on=True).first()
    again = _again(referral)
    referral.state, referral.completed_at = Referral.State.COMPLETED, now
    if settings is not None:
        referral.given, referral.withheld = _give(settings, referral, now=now)
        _say_thanks(settings, referral, now=now)
    referral.version += 1
    referral.save(
        update_fields=["state", "reasons", "visited_at", "completed_at", "given", "withheld", "version"]
    )  # fmt: skip
    publish(
        ReferralCompleted(referral.pk, referral.times_undone), patient_id=referral.referrer_id, now=now,
        occurred_at=referral.visited_at, dedupe_key=f"referral:{referral.pk}{again}",
    )  # fmt: skip
    audit.record(
        "referral.completed", patients=[referral.referrer_id, referral.friend_id], target=("referral", referral.pk),
        details={"given": referral.given, "withheld": referral.withheld}, now=now,
    )  # fmt: skip


def undo(referral: Referral, *, now: datetime) -> None:
    """Take a completion back, in the caller's transaction: the visit never was. The row is locked; the friend may still come.

    Points go by the programme's rule for points that are spent already; a coupon goes unless it was used. Words that were sent
    stay said.
    """
    again = _again(referral)
    key, kept = f"referral:{referral.pk}{again}", False
    if referral.given == ReferralProgramme.Gives.POINTS:
        because = Because("REFERRAL", str(referral.pk))
        ledger.reverse(key=f"{key}:undone", of_key=key, because=because, now=now)
    elif referral.given == ReferralProgramme.Gives.COUPON:
        kept = not coupons.withdraw_granted(key=key, reason=str(_("The friend was not here.")), now=now)
    messaging.cancel(now=now, keys=[f"referral:{referral.pk}"])
    publish(
        ReferralUndone(referral.pk), patient_id=referral.referrer_id, now=now, occurred_at=referral.visited_at,
        dedupe_key=f"referral-undone:{referral.pk}{again}",
    )  # fmt: skip
    audit.record(
        "referral.undone", patients=[referral.referrer_id, referral.friend_id], target=("referral", referral.pk),
        details={"had": referral.given, "kept": kept}, now=now,
    )  # fmt: skip
    referral.state, referral.completed_at, referral.visited_at = Referral.State.WAITING, None, None
    referral.given, referral.withheld = "", "USED" if kept else ""
    referral.times_undone += 1
    referral.version += 1
    referral.save(
        update_fields=["state", "visited_at", "completed_at", "given", "withheld", "times_undone", "version"]
    )  # fmt: skip


def _again(referral: Referral) -> str:
    """What tells the keys of a second completion from those of the first, which was undone."""
    return f":{referral.times_undone}" if referral.times_undone else ""


def _give(settings: ReferralProgramme, referral: Referral, *, now: datetime) -> tuple[str, str]:
    """Give what is lawful today; return what was given, and why not more."""
    if settings.gives == ReferralProgramme.Gives.THANKS:
        return "THANKS", ""
    if not guard.in_force([settings], organization=Organization.objects.get(), now=now):
        return "THANKS", "LAW"
    account = membership.account_of(referral.referrer_id)
    if account is None:
        return "THANKS", "NO_MEMBER"
    because, key = Because("REFERRAL", str(referral.pk)), f"referral:{referral.pk}{_again(referral)}"
    if referral.withheld == "USED":
        return "THANKS", "USED"
    try:
        with transaction.atomic():
            if settings.coupon_id is None:
                ledger.earn(account_id=account["id"], points=settings.points, key=key, because=because, now=now)
            else:
                rewards.grant_coupon(
                    account_id=account["id"], coupon_id=settings.coupon_id, key=key, because=because, now=now, by=None
                )
    except DomainError:
        # none left, no longer offered: the friend came all the same, and the words go
        return "THANKS", "NOT_HAD"
    return str(settings.gives), ""


def _say_thanks(settings: ReferralProgramme, referral: Referral, *, now: datetime) -> None:
    """Plan the words; whoever refused messages or has no address gets none, and the outbox says so."""
    try:
        messaging.plan_one(
            template_key=settings.thanks_key, patient_id=referral.referrer_id, key=f"referral:{referral.pk}", due_at=now, now=now,
            origin="membership", origin_id=f"referral:{referral.pk}",
        )  # fmt: skip
    except UnknownTemplate:
        # the text was archived: the referral counts all the same
        referral.withheld = referral.withheld or "NO_TEXT"
