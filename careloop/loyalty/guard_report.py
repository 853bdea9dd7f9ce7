"""Everything membership offers with what the rules say about it today, for the guard's page and for an inspector."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import pgettext

from careloop.audit import selectors as audit
from careloop.audit.actions import label_of
from careloop.loyalty import guard
from careloop.policy.answers import Answer, Audience, Match, Verdict
from careloop.policy.models import PolicySignOff
from careloop.policy.offers import Offer
from careloop.policy.selectors import local_date
from careloop.policy.signing import check_offers
from careloop.tenancy.models import Organization

FORMS: tuple[Audience, ...] = ("one", "public")
ABOUT_RULES = ("policy.rule_changed", "policy.signed_off", "policy.sign_off_withdrawn", "organization.changed")


@dataclass
class Watched:
    """One guarded thing: what it is, whether it is switched on, and what the rules say about each of its forms."""

    guarded: guard.Guarded
    item: Any
    offer: Offer
    one: Verdict
    public: Verdict
    sign_offs: list[PolicySignOff] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.guarded.title(self.item)

    @property
    def model(self) -> str:
        return str(self.guarded.model._meta.model_name)

    @property
    def is_on(self) -> bool:
        return self.guarded.is_on(self.item)

    @property
    def is_stopped(self) -> bool:
        """Whether staff have switched it on and a rule stops it today."""
        return self.is_on and not self.one.may_be_sent

    @property
    def can_be_signed(self) -> bool:
        return Answer.SIGN_OFF in (self.one.answer, self.public.answer)

    @property
    def why(self) -> list[Match]:
        """What decided about the members' form, or warns, each rule once."""
        found = {match.rule_id: match for match in reversed(self.one.matches) if match.answer == self.one.answer}
        return list(found.values())

    @property
    def legal_bases(self) -> list[str]:
        return list(dict.fromkeys(match.legal_base for match in (*self.one.matches, *self.public.matches)))

    @property
    def state(self) -> str | Promise:
        if self.is_stopped:
            return pgettext("guard", "switched on, and stopped today")
        if self.is_on:
            return pgettext("guard", "in force")
        return pgettext("guard", "switched off")


def watched(
    *, organization: Organization, now: datetime, model: str = "", item_id: Any = None, with_sign_offs: bool = False
) -> list[Watched]:
    """Return everything guarded (or one thing of one model), judged in both forms: a few statements for all of it."""
    found: list[tuple[guard.Guarded, Any]] = []
    for guarded in guard.GUARDED:
        if model and guarded.model._meta.model_name != model:
            continue
        rows = guarded.items() if item_id is None else guarded.items().filter(pk=item_id)
        found += [(guarded, row) for row in rows]
    offers = [row.offer() for _guarded, row in found]
    day = local_date(organization, now)
    judged = {
        form: check_offers(offers, audience=form, organization=organization, on=day) for form in FORMS
    }  # the rules are the same for both forms; only the sign-offs differ
    everything = [
        Watched(guarded, row, offer, one, public)
        for (guarded, row), offer, one, public in zip(found, offers, judged["one"], judged["public"], strict=True)
    ]
    if with_sign_offs:
        _add_sign_offs(everything)
    return everything


def _add_sign_offs(everything: Sequence[Watched]) -> None:
    """Sign-offs of exactly what is offered now, in either form, those taken back too."""
    by_hash = {one.offer.fingerprint(form): one for one in everything for form in FORMS}
    rows = (
        PolicySignOff.objects.filter(text_hash__in=list(by_hash))
        .select_related("approver")
        .prefetch_related("withdrawals__withdrawn_by")
        .order_by("-approved_at")
    )
    for row in rows:
        by_hash[bytes(row.text_hash)].sign_offs.append(row)


def add_history(everything: Sequence[Watched], *, since: datetime, limit: int = 2000) -> list[dict[str, Any]]:
    """Give each thing its changes from the audit log, and return those of the rules and the legal profile themselves."""
    by_id = {str(one.item.pk): one for one in everything}
    rows = audit.entries(
        audit.Wanted(since=since),
        where="(e.target_id = any(%s) or e.action = any(%s))", params=[list(by_id), list(ABOUT_RULES)], limit=limit,
    )  # fmt: skip
    others = []
    for row in rows:
        row["label"] = label_of(row["action"])
        if row["target_id"] in by_id:
            by_id[row["target_id"]].history.append(row)
        else:
            others.append(row)
    return others
