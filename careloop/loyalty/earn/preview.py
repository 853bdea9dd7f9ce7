"""What a programme would give for something made up: the very rules that count, without writing anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from careloop.loyalty.earn import rules as earn_rules
from careloop.loyalty.earn import sentences
from careloop.loyalty.earn.rules import Happening, Limit, Payers
from careloop.loyalty.models import Earning, EarnRule, Programme
from careloop.policy.answers import Verdict

REASONS = dict(Earning.Because.choices)


@dataclass(frozen=True)
class Sample:
    """A made-up visit. `paid_by`: NHI, BOTH or SELF."""

    at: datetime
    amount: int
    tier: str
    birthday_month: bool
    paid_by: str


@dataclass(frozen=True)
class Example:
    """What one rule says to it: the sentence, the points, and why none where there are none."""

    rule: EarnRule
    points: int
    sentence: str
    why_not: str
    verdict: Verdict | None


def examples(
    programme: Programme, rules: Sequence[EarnRule], sample: Sample, *, zone: ZoneInfo, currency: str, forbids_nhi: bool,
    verdicts: dict[Any, Verdict],
) -> list[Example]:  # fmt: skip
    """Return for each rule what it gives for the sample, in the order in which rules are asked; limits count from nothing."""
    on = sample.at.astimezone(zone).date()
    used: dict[str, int] = {}
    given_by: list[Example] = []
    stopped: set[str] = set()
    for rule in rules:
        why_not, verdict = "", verdicts.get(rule.pk)
        if verdict is not None and not verdict.may_be_sent:
            why_not = ", ".join(verdict.reasons)
        elif not earn_rules.counts_on(rule, on):
            why_not = sentences.of_period(rule)
        elif rule.kind in stopped:
            why_not = sentences.stopped_by_another()
        elif code := earn_rules.why_not_for(_payers(sample), kind=rule.kind, forbids_nhi=forbids_nhi):
            why_not = str(REASONS[code])
        given = earn_rules.gives(rule, _happening(rule, sample, on), limits=_limits(programme, rule, used))
        if not why_not and not given.points:
            why_not = str(sentences.CAPS.get(given.capped_by, REASONS["TOO_LITTLE"]))
        points = 0 if why_not else given.points
        used["ACCOUNT"] = used.get("ACCOUNT", 0) + points
        if rule.stops_others and not why_not:
            stopped.add(rule.kind)
        final = earn_rules.final_at(rule, sample.at).astimezone(zone).date()
        said = sentences.example(
            rule.kind, points=given.points, on=on, amount=sample.amount, currency=currency, until=final if final > on else None,
            base=given.base, percent=given.percent,
        )  # fmt: skip
        given_by.append(Example(rule, points, said, why_not, verdict))
    return given_by


def _happening(rule: EarnRule, sample: Sample, on: date) -> Happening:
    # somebody whose birthday is this month, or is in another one
    month = on.month if sample.birthday_month else on.month % 12 + 1
    return Happening(on, sample.amount if rule.kind == "SELF_PAY" else 0, sample.tier, month)


def _payers(sample: Sample) -> Payers:
    return Payers(nhi=sample.paid_by in ("NHI", "BOTH"), patient=sample.paid_by in ("SELF", "BOTH"))


def _limits(programme: Programme, rule: EarnRule, used: dict[str, int]) -> list[Limit]:
    caps = [
        ("RULE_DAY", rule.cap_day, 0), ("RULE_MONTH", rule.cap_month, 0), ("RULE_YEAR", rule.cap_year, 0),
        ("ACCOUNT_DAY", programme.cap_day, used.get("ACCOUNT", 0)), ("ACCOUNT_MONTH", programme.cap_month, used.get("ACCOUNT", 0)),
        ("ACCOUNT_YEAR", programme.cap_year, used.get("ACCOUNT", 0)),
    ]  # fmt: skip
    return [Limit(name, int(most), so_far) for name, most, so_far in caps if most is not None]
