"""Offers under the organization's rules: asking, signing off, taking back. Everything runs inside its transaction."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from careloop.accounts.models import Membership
from careloop.audit.services import record
from careloop.kernel.text import clean
from careloop.policy import selectors
from careloop.policy.answers import Answer, Audience, Verdict
from careloop.policy.errors import AlreadyWithdrawn, NotAnApprover, NothingToSignOff, StaysForbidden
from careloop.policy.models import PolicySignOff, PolicyWithdrawal
from careloop.policy.offers import Offer, judge_offer
from careloop.policy.reasons import reason_given
from careloop.policy.ruleset import rules_on
from careloop.tenancy.models import Organization


def check_offers(
    offers: Sequence[Offer], *, audience: Audience, organization: Organization, on: date | None = None
) -> list[Verdict]:
    """Return what the rules say about each offer, with the sign-offs that stand: three queries for any number.

    Args:
        audience: "one" for what one existing member sees after signing in, "public" for everybody.
        on: the day whose rules count; today at the organization when left out.
    """
    if not offers:
        return []
    on = on or selectors.local_date(organization, timezone.now())
    rules = rules_on(organization.legal_profile, on)
    overrides, own_names = selectors.override_answers(), selectors.own_names(organization)
    signed = selectors.standing_sign_offs([offer.fingerprint(audience) for offer in offers])
    return [
        judge_offer(offer, rules, overrides, audience=audience, own_names=own_names).with_sign_offs(
            signed.get(offer.fingerprint(audience), frozenset())
        )
        for offer in offers
    ]


def check_offer(offer: Offer, *, audience: Audience, organization: Organization, on: date | None = None) -> Verdict:
    """Return what the rules say about one offer; a sign-off of exactly this offer is taken into account."""
    return check_offers([offer], audience=audience, organization=organization, on=on)[0]


@transaction.atomic
def sign_off_offer(
    *,
    offer: Offer,
    audience: Audience,
    organization: Organization,
    reason: str,
    document: str = "",
    document_hash: bytes = b"",
    by: Membership,
    now: datetime,
) -> PolicySignOff:
    """Keep that a named approver takes responsibility for exactly this offer in this form; again changes nothing.

    Args:
        document: what it rests on: a reference, or the name of a file whose SHA-256 is `document_hash`.

    Raises:
        NotAnApprover: `by` may not sign off. ReasonNeeded: no reason to speak of.
        StaysForbidden: a rule forbids it whoever signs. NothingToSignOff: no rule asks for a sign-off (any more).
    """
    if not by.can("policy.sign_off"):
        raise NotAnApprover
    reason = reason_given(reason)
    on = selectors.local_date(organization, now)
    verdict = check_offer(offer, audience=audience, organization=organization, on=on)
    if verdict.answer == Answer.BLOCK:
        raise StaysForbidden(rules=", ".join(verdict.reasons))
    asked = sorted({match.rule_id for match in verdict.matches if match.answer == Answer.SIGN_OFF})
    digest = offer.fingerprint(audience)
    if not asked:
        earlier = PolicySignOff.objects.filter(text_hash=digest, approver=by.user, withdrawals__isnull=True).first()
        if earlier is None:
            raise NothingToSignOff
        return earlier
    told = f"{offer} · {offer.text}" if offer.text.strip() else str(offer)
    sign_off = PolicySignOff.objects.create(
        rule_ids=asked, text_hash=digest, text=clean(told), subject=PolicySignOff.Subject.OFFER, kind=offer.kind,
        audience=audience, reason=reason, document=clean(document)[:200], document_hash=document_hash,
        approver=by.user, approved_at=now,
    )  # fmt: skip
    record(
        "policy.signed_off", target=("policy_sign_off", sign_off.pk), reason=reason, now=now,
        details={
            "rules": asked, "text_hash": digest.hex(), "kind": offer.kind, "audience": audience,
            "document": sign_off.document, "document_hash": document_hash.hex(),
        },
    )  # fmt: skip
    return sign_off


@transaction.atomic
def withdraw_sign_off(*, sign_off: PolicySignOff, reason: str, by: Membership, now: datetime) -> PolicyWithdrawal:
    """Take a sign-off back: what it carried is stopped from now on, until somebody signs again.

    Raises:
        NotAnApprover, ReasonNeeded. AlreadyWithdrawn: somebody has done so before.
    """
    if not by.can("policy.sign_off"):
        raise NotAnApprover
    withdrawal, is_new = PolicyWithdrawal.objects.get_or_create(
        sign_off=sign_off, defaults={"reason": reason_given(reason), "withdrawn_by": by.user, "withdrawn_at": now}
    )
    if not is_new:
        raise AlreadyWithdrawn(day=timezone.localdate(withdrawal.withdrawn_at).isoformat())
    record(
        "policy.sign_off_withdrawn", target=("policy_sign_off", sign_off.pk), reason=withdrawal.reason, now=now,
        details={"rules": sign_off.rule_ids, "text_hash": bytes(sign_off.text_hash).hex()},
    )  # fmt: skip
    return withdrawal
