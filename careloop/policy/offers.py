"""What membership offers, and what the rules say about it. Pure: no clock, no database.

An offer is judged twice: by what it is (how it is earned, what it gives) and by the words that show it. Its public and its
members-only form are two questions. Source: rules S1-S7; Medical Care Act art. 61 and 86, NHI contract rules art. 36 and 39.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.policy.answers import Answer, Audience, LazySentence, Match, MessageClass, Verdict
from careloop.policy.rules import Message, Overrides, answer_of, judge_message
from careloop.policy.ruleset import OfferWhen, Rule
from careloop.policy.sentences import SENTENCES

KINDS: dict[str, str | Promise] = {
    "EARN_RULE": _("Rule for earning points"),
    "TIER": pgettext_lazy("offer", "Tier"),
    "TIER_BENEFIT": _("Benefit of a tier"),
    "REWARD": pgettext_lazy("offer", "Reward"),
    "COUPON": pgettext_lazy("offer", "Coupon"),
    "DRAW": _("Lucky draw"),
    "REFERRAL": _("Referral programme"),
    "GREETING": pgettext_lazy("offer", "Greeting"),
    "PARTNER_OFFER": _("Partner's offer"),
    "NEWSLETTER": _("Members' newsletter"),
}
EARNS_BY: dict[str, str | Promise] = {
    "VISIT": pgettext_lazy("offer earned by", "a visit"),
    "KEPT_APPOINTMENT": pgettext_lazy("offer earned by", "a kept appointment"),
    "SELF_PAY": pgettext_lazy("offer earned by", "an amount paid by the patient"),
    "NHI": pgettext_lazy("offer earned by", "care paid by health insurance"),
    "SIGN_UP": pgettext_lazy("offer earned by", "joining"),
    "QUESTIONNAIRE": pgettext_lazy("offer earned by", "a questionnaire"),
    "LECTURE": pgettext_lazy("offer earned by", "a lecture attended"),
    "EDUCATION": pgettext_lazy("offer earned by", "health education read"),
    "REFERRAL": pgettext_lazy("offer earned by", "bringing somebody"),
    "REVIEW": pgettext_lazy("offer earned by", "a review, like or share"),
    "BIRTHDAY": pgettext_lazy("offer earned by", "a birthday"),
    "FESTIVAL": pgettext_lazy("offer earned by", "a festival"),
    "TIER": pgettext_lazy("offer earned by", "a tier"),
    "POINTS": pgettext_lazy("offer earned by", "points"),
    "DRAW": pgettext_lazy("offer earned by", "a draw"),
    "MANUAL": pgettext_lazy("offer earned by", "the decision of staff"),
}
GIVES: dict[str, str | Promise] = {
    "POINTS": pgettext_lazy("offer gives", "points"),
    "SERVICE": pgettext_lazy("offer gives", "a small service"),
    "GOODS": pgettext_lazy("offer gives", "goods"),
    "CARE": pgettext_lazy("offer gives", "free care"),
    "CARE_DISCOUNT": pgettext_lazy("offer gives", "a lower price of care"),
    "COPAY": pgettext_lazy("offer gives", "the co-payment"),
    "MONEY": pgettext_lazy("offer gives", "money"),
    "TICKET": pgettext_lazy("offer gives", "a ticket in a draw"),
    "THANKS": pgettext_lazy("offer gives", "thanks"),
    "PRIORITY": pgettext_lazy("offer gives", "earlier appointments or a line of one's own"),
    "CONTENT": pgettext_lazy("offer gives", "something to read"),
}


@dataclass(frozen=True)
class Offer:
    """One thing that membership promises, in the words of the rules.

    Args:
        kind: a key of KINDS. earns_by: of EARNS_BY, or empty. gives: of GIVES, or empty for nothing of value.
        text: what a reader is shown: name, description, terms.
        value_minor: what it is worth, in minor units of `currency`; 0 when it has no price.
    """

    kind: str
    earns_by: str = ""
    gives: str = ""
    text: str = ""
    value_minor: int = 0
    currency: str = "TWD"

    def __post_init__(self) -> None:
        for value, known in ((self.kind, KINDS), (self.earns_by, EARNS_BY), (self.gives, GIVES)):
            if value not in known and (value or known is KINDS):
                raise ValueError(f"unknown in an offer: {value!r}")

    def fingerprint(self, audience: Audience) -> bytes:
        """Return the hash under which a sign-off of exactly this offer, in this form, is kept: any change asks again."""
        told = json.dumps(["offer", audience, asdict(self)], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(told.encode()).digest()

    def __str__(self) -> str:
        """What it is, in words of the reader's language, for sentences, lists and the evidence of a sign-off."""
        earns_by, gives = EARNS_BY.get(self.earns_by, ""), GIVES.get(self.gives, "")
        if earns_by and gives:
            return _("%(gives)s for %(earns_by)s") % {"gives": gives, "earns_by": earns_by}
        if gives or earns_by:
            return _("%(kind)s: %(what)s") % {"kind": KINDS[self.kind], "what": gives or earns_by}
        return str(KINDS[self.kind])


def judge_offer(
    offer: Offer,
    rules: Iterable[Rule],
    overrides: Overrides | None = None,
    *,
    audience: Audience,
    own_names: tuple[str, ...] = (),
) -> Verdict:
    """Return what the rules say about an offer and about the text that shows it."""
    rules = tuple(rules)
    matches = _matches_of_words(offer, rules, overrides or {}, audience, own_names)
    for rule in rules:
        if not any(_applies(when, offer) for when in rule.offers):
            continue
        answer, overridden = answer_of(rule, audience, overrides or {})
        if answer == Answer.ALLOW and not overridden:
            continue
        said = LazySentence(SENTENCES[rule.offer_sentence], text=offer, fields="")
        matches.append(Match(rule.id, answer, said, rule.legal_base, overridden=overridden))
    return Verdict.of(tuple(matches), MessageClass.MARKETING, MessageClass.MARKETING)


def _matches_of_words(
    offer: Offer, rules: tuple[Rule, ...], overrides: Overrides, audience: Audience, own_names: tuple[str, ...]
) -> list[Match]:
    """The wording is judged as marketing on a page of the clinic's own: nobody is written to, so nobody need refuse."""
    if not offer.text.strip():
        return []
    message = Message(offer.text, MessageClass.MARKETING, "portal", audience, own_names=own_names, opt_out=True)
    return list(judge_message(message, rules, overrides).matches)


def _applies(when: OfferWhen, offer: Offer) -> bool:
    return (
        (not when.kinds or offer.kind in when.kinds)
        and (not when.earns_by or offer.earns_by in when.earns_by)
        and (not when.gives or offer.gives in when.gives)
        and offer.kind not in when.except_kinds
        and offer.earns_by not in when.except_earns_by
        and offer.value_minor >= when.from_value_minor
        and (not when.currency or offer.currency == when.currency)
    )
