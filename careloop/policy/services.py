"""Asking the rules, and deciding about them. Everything runs inside the organization's transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from careloop.accounts.models import Membership
from careloop.audit.services import record
from careloop.kernel.text import clean
from careloop.policy import rules, selectors
from careloop.policy.answers import Answer, Audience, MessageClass, Verdict
from careloop.policy.contacts import contact_key, contacts_in
from careloop.policy.errors import (
    ContactUnreadable,
    NotAnApprover,
    NothingToSignOff,
    RuleFixed,
    RuleUnknown,
)
from careloop.policy.models import PolicyOverride, PolicySignOff, RegisteredContact
from careloop.policy.reasons import reason_given
from careloop.policy.ruleset import Rule, rules_on
from careloop.policy.signing import check_offer as check_offer
from careloop.policy.signing import check_offers as check_offers
from careloop.policy.signing import sign_off_offer as sign_off_offer
from careloop.policy.signing import withdraw_sign_off as withdraw_sign_off
from careloop.tenancy.models import Organization


@dataclass(frozen=True)
class Checker:
    """The rules of one organization on one day with everything they need, read once for many messages.

    It holds no connection and may be used for a whole batch; make a new one for the next.
    """

    rules: tuple[Rule, ...]
    overrides: dict[str, Answer]
    own_names: tuple[str, ...]
    registered: frozenset[str]

    def check(
        self,
        text: str,
        *,
        message_class: MessageClass | str | None,
        channel: str,
        audience: Audience = "one",
        opt_out: bool = False,
        one_click: bool = False,
    ) -> Verdict:
        """Return what the rules say about one text; see `check_text`. Sign-offs are not looked up."""
        message = rules.Message(
            text,
            MessageClass(message_class) if message_class else None,
            channel,
            audience,
            own_names=self.own_names,
            opt_out=opt_out,
            one_click=one_click,
            registered=self.registered,
        )
        return rules.judge_message(message, self.rules, self.overrides)


def checker_for(organization: Organization, *, on: date | None = None) -> Checker:
    """Read the organization's rules and decisions once (three small queries), for many messages."""
    on = on or selectors.local_date(organization, timezone.now())
    return Checker(
        rules=rules_on(organization.legal_profile, on),
        overrides=selectors.override_answers(),
        own_names=selectors.own_names(organization),
        registered=selectors.registered_contacts(),
    )


def check_text(
    text: str,
    *,
    message_class: MessageClass | str | None,
    channel: str,
    audience: Audience = "one",
    organization: Organization,
    on: date | None = None,
    opt_out: bool = False,
    one_click: bool = False,
    checker: Checker | None = None,
) -> Verdict:
    """Return what the rules say about a text; a sign-off of exactly this text is taken into account.

    Args:
        text: a template's source or a rendered message.
        message_class: the declared class; None when nobody has said (answered with REQUIRE).
        channel: line, sms, email, wechat, push, portal or phone.
        audience: "one" for a message to one existing patient, "public" for broadcasts and public pages.
        on: the day whose rules count; today at the organization when left out.
        opt_out: the channel or template adds a way to refuse.
        one_click: the e-mail will carry RFC 8058 headers.
        checker: the organization's rules, when somebody who asks about many texts has read them already.
    """
    verdict = (checker or checker_for(organization, on=on)).check(
        text,
        message_class=message_class,
        channel=channel,
        audience=audience,
        opt_out=opt_out,
        one_click=one_click,
    )
    if verdict.answer == Answer.SIGN_OFF:
        return verdict.with_sign_offs(selectors.signed_off_rules(text))
    return verdict


def check_segment(
    *,
    purpose: str,
    clinical_fields: Collection[str],
    every_member_consented: bool,
    organization: Organization,
    on: date | None = None,
) -> Verdict:
    """Return whether a segment may be used for its purpose (P1).

    Args:
        purpose: CARE or MARKETING.
        clinical_fields: names of the clinical fields the rule tree reads; empty when it reads none.
        every_member_consented: the rule tree itself demands each member's written consent to that.
    """
    in_force, overrides = _in_force(organization, on)
    segment = rules.Segment(purpose, tuple(sorted(clinical_fields)), every_member_consented)
    return rules.judge_segment(segment, in_force, overrides)


def check_consent_question(*, purposes: Collection[str], organization: Organization, on: date | None = None) -> Verdict:
    """Return whether one tick, button or signature may ask for these purposes together (P3)."""
    in_force, overrides = _in_force(organization, on)
    return rules.judge_consent(purposes, in_force, overrides)


def check_recipient(
    *,
    message_class: MessageClass | str,
    refused: Collection[MessageClass | str],
    organization: Organization,
    on: date | None = None,
) -> Verdict:
    """Return whether a person who has refused some classes of messages may get one of this class (P5)."""
    in_force, _overrides = _in_force(organization, on)
    recipient = rules.Recipient(MessageClass(message_class), frozenset(map(MessageClass, refused)))
    return rules.judge_recipient(recipient, in_force)


def _in_force(organization: Organization, on: date | None) -> tuple[tuple[Rule, ...], dict[str, Answer]]:
    on = on or selectors.local_date(organization, timezone.now())
    return rules_on(organization.legal_profile, on), selectors.override_answers()


@transaction.atomic
def record_sign_off(
    *,
    text: str,
    rule_ids: Collection[str],
    reason: str,
    by: Membership,
    now: datetime,
    verdict: Verdict | None = None,
) -> PolicySignOff:
    """Keep that a named approver takes responsibility for a text under rules that asked for a sign-off.

    A second sign-off of the same text by the same person for the same rules changes nothing.

    Args:
        verdict: when given, the rules must be among those that asked.

    Raises:
        NotAnApprover: `by` may not sign off. ReasonNeeded: no reason to speak of.
        NothingToSignOff: no rule is named, or none of them asked.
    """
    if not by.can("policy.sign_off"):
        raise NotAnApprover
    reason = reason_given(reason)
    asked = (
        {match.rule_id for match in verdict.matches if match.answer == Answer.SIGN_OFF} if verdict else set(rule_ids)
    )
    named = sorted(set(rule_ids) & asked)
    if not named:
        raise NothingToSignOff
    digest = selectors.text_hash(text)
    earlier = PolicySignOff.objects.filter(
        text_hash=digest, approver=by.user, rule_ids=named, withdrawals__isnull=True
    ).first()
    if earlier:
        return earlier
    sign_off = PolicySignOff.objects.create(
        rule_ids=named, text_hash=digest, text=clean(text), reason=reason, approver=by.user, approved_at=now
    )
    record(
        "policy.signed_off",
        target=("policy_sign_off", sign_off.pk),
        reason=reason,
        details={"rules": named, "text_hash": digest.hex()},
        now=now,
    )
    return sign_off


@transaction.atomic
def override_rule(
    *,
    organization: Organization,
    rule_id: str,
    answer: Answer | str,
    reason: str,
    by: Membership,
    now: datetime,
) -> PolicyOverride:
    """Give a rule the organization's own answer from now on; an empty answer gives the rule its own back.

    Raises:
        NotAnApprover, ReasonNeeded. RuleUnknown: not in force in the organization's legal profile today.
        RuleFixed: the rule protects the patient's own decision.
    """
    if not by.can("settings.legal"):
        raise NotAnApprover
    reason = reason_given(reason)
    today = selectors.local_date(organization, now)
    known = {rule.id: rule for rule in rules_on(organization.legal_profile, today)}
    if rule_id not in known:
        raise RuleUnknown(rule=rule_id)
    if known[rule_id].fixed:
        raise RuleFixed(rule=rule_id)
    value = Answer(answer).value if answer else ""
    override = PolicyOverride.objects.create(rule_id=rule_id, answer=value, reason=reason, set_by=by.user, set_at=now)
    record(
        "policy.rule_changed",
        target=("policy_rule", rule_id),
        reason=reason,
        details={"answer": value, "own_answer": known[rule_id].strongest.value},
        now=now,
    )
    return override


@transaction.atomic
def register_contact(*, value: str, reference: str = "", by: Membership, now: datetime) -> RegisteredContact:
    """Note that a web address or telephone number is registered for text messages; again changes nothing.

    Raises:
        NotAnApprover. ContactUnreadable: neither an address nor a number.
    """
    if not by.can("settings.legal") and not by.can("settings.channels"):
        raise NotAnApprover
    value = clean(value)
    if len(contacts_in(value)) != 1:
        raise ContactUnreadable
    contact, created = RegisteredContact.objects.get_or_create(
        key=contact_key(value),
        defaults={
            "value": value,
            "reference": clean(reference),
            "registered_by": by.user,
            "registered_at": now,
        },
    )
    if not created and contact.is_active:
        return contact
    if not contact.is_active:
        contact.is_active = True
        contact.save(update_fields=["is_active"])
    record("policy.contact_registered", target=("registered_contact", contact.pk), now=now)
    return contact


@transaction.atomic
def withdraw_contact(*, contact: RegisteredContact, by: Membership, now: datetime) -> None:
    """Stop treating a contact as registered; text messages that hold it are stopped from now on."""
    if not by.can("settings.legal") and not by.can("settings.channels"):
        raise NotAnApprover
    RegisteredContact.objects.filter(pk=contact.pk).update(is_active=False)
    record("policy.contact_withdrawn", target=("registered_contact", contact.pk), now=now)
