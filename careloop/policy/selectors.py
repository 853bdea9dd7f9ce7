"""Reading the rules in force and what the organization decided about them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from careloop.kernel.text import clean
from careloop.policy.answers import Answer
from careloop.policy.models import PolicyOverride, PolicySignOff, RegisteredContact
from careloop.policy.ruleset import Rule, rules_on
from careloop.policy.timing import FrequencyCap, QuietWindow
from careloop.tenancy.models import Location, Organization


@dataclass(frozen=True)
class RuleInForce:
    """A rule, and the organization's own answer to it when there is one."""

    rule: Rule
    override: PolicyOverride | None = None

    @property
    def answer(self) -> Answer:
        """The organization's answer, else the strongest of the rule's own."""
        return Answer(self.override.answer) if self.override else self.rule.strongest

    @property
    def public_answer(self) -> Answer:
        return self.rule.answers["public"]

    @property
    def one_answer(self) -> Answer:
        return self.rule.answers["one"]

    @property
    def answers_differ(self) -> bool:
        """Whether the rule judges public wording and one patient's message differently."""
        return self.public_answer != self.one_answer


def local_date(organization: Organization, now: datetime) -> date:
    """Return the calendar day at the organization."""
    return now.astimezone(ZoneInfo(organization.time_zone)).date()


def rules_in_force(*, profile: str, on: date) -> tuple[Rule, ...]:
    """Return the rules that bind a legal profile on a day."""
    return rules_on(profile, on)


def current_overrides() -> dict[str, PolicyOverride]:
    """Return the newest override of each rule, without those that gave the rule its answer back."""
    newest = PolicyOverride.objects.select_related("set_by").order_by("rule_id", "-set_at", "-id").distinct("rule_id")
    return {override.rule_id: override for override in newest if override.answer}


def override_answers() -> dict[str, Answer]:
    """Return the organization's own answers by rule."""
    return {rule_id: Answer(override.answer) for rule_id, override in current_overrides().items()}


def organization_rules(*, organization: Organization, on: date) -> list[RuleInForce]:
    """Return the rules in force for the organization with its own answers, for the settings page."""
    overrides = current_overrides()
    return [
        RuleInForce(rule, None if rule.fixed else overrides.get(rule.id))
        for rule in rules_on(organization.legal_profile, on)
    ]


def text_hash(text: str) -> bytes:
    """Return the hash under which a sign-off keeps its text."""
    return hashlib.sha256(clean(text).encode()).digest()


def signed_off_rules(text: str) -> frozenset[str]:
    """Return the rules for which somebody has signed off exactly this text."""
    digest = text_hash(text)
    return standing_sign_offs([digest]).get(digest, frozenset())


def standing_sign_offs(hashes: Collection[bytes]) -> dict[bytes, frozenset[str]]:
    """Return the rules that somebody has signed off and not taken back, by the hash of a text or an offer: one query."""
    found: dict[bytes, frozenset[str]] = {}
    if hashes:
        rows = PolicySignOff.objects.filter(text_hash__in=hashes, withdrawals__isnull=True)
        for digest, rule_ids in rows.values_list("text_hash", "rule_ids"):
            found[bytes(digest)] = found.get(bytes(digest), frozenset()) | frozenset(rule_ids)
    return found


def registered_contacts() -> frozenset[str]:
    """Return the comparison forms of the contacts registered for text messages."""
    return frozenset(RegisteredContact.objects.filter(is_active=True).values_list("key", flat=True))


def own_names(organization: Organization) -> tuple[str, ...]:
    """Return the names that no rule reads: the organization's and its locations', the longest first."""
    names = {organization.name, *Location.objects.values_list("name", flat=True)}
    # A one-character name would blot out half of every text.
    return tuple(sorted((name for name in names if len(name) > 2), key=len, reverse=True))


def quiet_window(organization: Organization) -> QuietWindow:
    """Return the organization's quiet hours."""
    return QuietWindow(time(organization.quiet_from_hour), time(organization.quiet_to_hour))


def frequency_cap(organization: Organization) -> FrequencyCap:
    """Return how many marketing messages a person may get from the organization."""
    return FrequencyCap(limit=organization.marketing_cap)
