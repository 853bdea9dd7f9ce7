"""What a member gets when a friend came: always words, and points or a coupon where the law lets them."""

from datetime import datetime

from django.db import transaction

from careloop.audit import services as audit
from careloop.events.services import publish
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.join import membership
from careloop.loyalty.models import Referral, ReferralProgramme
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import rewards
from careloop.loyalty.thanks.events import ReferralCompleted
from careloop.messaging import services as messaging
from careloop.messaging.errors import UnknownTemplate
from careloop.tenancy.models import Organization


def complete(referral: Referral, *, now: datetime) -> None:
    """Let a referral be completed and thank the member, in the caller's transaction. The row is locked or new.

    Each part of it has a key of its own: done again it changes nothing.
    """
    settings = ReferralProgramme.objects.filter(is_on=True).first()
    referral.state, referral.completed_at = Referral.State.COMPLETED, now
    if settings is not None:
        referral.given, referral.withheld = _give(settings, referral, now=now)
        _say_thanks(settings, referral, now=now)
    referral.version += 1
    referral.save(
        update_fields=["state", "reasons", "visited_at", "completed_at", "given", "withheld", "version"]
    )  # fmt: skip
    publish(
        ReferralCompleted(referral.pk), patient_id=referral.referrer_id, now=now, occurred_at=referral.visited_at,
        dedupe_key=f"referral:{referral.pk}",
    )  # fmt: skip
    audit.record(
        "referral.completed", patients=[referral.referrer_id, referral.friend_id], target=("referral", referral.pk),
        details={"given": referral.given, "withheld": referral.withheld}, now=now,
    )  # fmt: skip


def _give(settings: ReferralProgramme, referral: Referral, *, now: datetime) -> tuple[str, str]:
    """Give what is lawful today; return what was given, and why not more."""
    if settings.gives == ReferralProgramme.Gives.THANKS:
        return "THANKS", ""
    if not guard.in_force([settings], organization=Organization.objects.get(), now=now):
        return "THANKS", "LAW"
    account = membership.account_of(referral.referrer_id)
    if account is None:
        return "THANKS", "NO_MEMBER"
    because, key = Because("REFERRAL", str(referral.pk)), f"referral:{referral.pk}"
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
