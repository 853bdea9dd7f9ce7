"""Earn rules and earnings in plain sentences, for staff and patients alike: what earns what, and why these points."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from careloop.kernel.money import format_money
from careloop.loyalty.models import Earning, EarnRule

EACH: dict[str, str | Promise] = {
    "VISIT": gettext_lazy("%(points)s points for each visit."),
    "KEPT_APPOINTMENT": gettext_lazy("%(points)s points for each kept appointment."),
    "QUESTIONNAIRE": gettext_lazy("%(points)s points for each questionnaire answered."),
    "LECTURE": gettext_lazy("%(points)s points for each lecture attended."),
    "EDUCATION": gettext_lazy("%(points)s points for each health message read."),
    "REFERRAL": gettext_lazy("%(points)s points when a friend they brought was here for the first time."),
    "SIGN_UP": gettext_lazy("%(points)s points for joining."),
    "MANUAL": gettext_lazy("%(points)s points when staff give them by hand."),
}
CAPS: dict[str, str | Promise] = {
    "RULE_DAY": gettext_lazy("the limit of this rule for a day"),
    "RULE_MONTH": gettext_lazy("the limit of this rule for a month"),
    "RULE_YEAR": gettext_lazy("the limit of this rule for a year"),
    "ACCOUNT_DAY": gettext_lazy("the limit of the programme for a day"),
    "ACCOUNT_MONTH": gettext_lazy("the limit of the programme for a month"),
    "ACCOUNT_YEAR": gettext_lazy("the limit of the programme for a year"),
}
KINDS = dict(EarnRule.Kind.choices)
REASONS = dict(Earning.Because.choices)


def of_rule(rule: EarnRule, *, currency: str, tiers: Mapping[str, str]) -> list[str]:
    """Return a rule as sentences: what it gives, when more, how much at most, when it is final, and for which time.

    Args:
        tiers: names of tiers by their id.
    """
    said = [_gives(rule, currency), *(_more(one, tiers) for one in rule.multipliers)]
    for most, sentence in (
        (rule.cap_day, _("At most %(points)s points a day.")), (rule.cap_month, _("At most %(points)s points a month.")),
        (rule.cap_year, _("At most %(points)s points a year.")),
    ):  # fmt: skip
        if most is not None:
            said.append(sentence % {"points": most})
    if rule.settle_days:
        said.append(
            ngettext("They are final after %(days)s day.", "They are final after %(days)s days.", rule.settle_days) % {"days": rule.settle_days}
        )  # fmt: skip
    if rule.valid_from or rule.valid_to:
        said.append(of_period(rule))
    if rule.stops_others:
        said.append(_("Rules of the same kind that come after it then give nothing for the same thing."))
    return said


def of_period(rule: EarnRule) -> str:
    """Return for which days a rule is."""
    return _("For what happens from %(since)s to %(until)s.") % {
        "since": rule.valid_from or "…", "until": rule.valid_to or "…",
    }  # fmt: skip


def stopped_by_another() -> str:
    """Return why a rule gives nothing when one before it keeps others from giving."""
    return _("A rule before it keeps others from giving for the same thing.")


def _gives(rule: EarnRule, currency: str) -> str:
    if rule.kind == EarnRule.Kind.SELF_PAY:
        amount = format_money(rule.per_amount, currency)
        sentence = {
            "DOWN": ngettext(
                "%(points)s point for every full %(amount)s that the patient pays out of pocket.",
                "%(points)s points for every full %(amount)s that the patient pays out of pocket.",
                rule.points,
            ),
            "NEAREST": ngettext(
                "%(points)s point for every %(amount)s that the patient pays out of pocket, to the nearest.",
                "%(points)s points for every %(amount)s that the patient pays out of pocket, to the nearest.",
                rule.points,
            ),
            "UP": ngettext(
                "%(points)s point for every begun %(amount)s that the patient pays out of pocket.",
                "%(points)s points for every begun %(amount)s that the patient pays out of pocket.",
                rule.points,
            ),
        }[rule.rounding]
        return sentence % {"points": rule.points, "amount": amount}
    return str(EACH[rule.kind]) % {"points": rule.points}


def _more(one: Mapping[str, Any], tiers: Mapping[str, str]) -> str:
    when = [
        _("members of %(tier)s") % {"tier": tiers.get(one["tier"], _("a tier that is no more"))}
        if one.get("tier")
        else "",
        _days(one.get("weekdays") or ()),
        pgettext("multiplier", "from %(day)s") % {"day": one["from"]} if one.get("from") else "",
        pgettext("multiplier", "until %(day)s") % {"day": one["until"]} if one.get("until") else "",
        _("in the month of their birthday") if one.get("birthday_month") else "",
    ]
    conditions = pgettext("list of conditions", ", ").join(part for part in when if part) or _("always")
    return _("%(factor)s times as many: %(when)s.") % {"factor": factor(one["percent"]), "when": conditions}


def _days(weekdays: Sequence[int]) -> str:
    return pgettext("list of conditions", ", ").join(str(WEEKDAYS[day]) for day in sorted(weekdays))


def factor(percent: int) -> str:
    """Return a multiplier as people write it.

    >>> [factor(percent) for percent in (100, 150, 225)]
    ['1', '1.5', '2.25']
    """
    return f"{percent / 100:.2f}".rstrip("0").rstrip(".")


def why(row: Mapping[str, Any]) -> list[str]:
    """Return why an earning gave what it gave, sentence by sentence.

    Args:
        row: state, because, kind, rule, occurred_on, amount, currency, base_points, percent, points, taken_back, capped_by, due_at (a date),
            note; as `selectors_earning.earnings_of` reads them.
    """
    said = [_what(row)]
    if row["base_points"] and row["state"] != "VOID":
        said.append(_("The rule gives %(points)s points for it.") % {"points": row["base_points"]})
    if row["percent"] != 100:
        said.append(_("Times %(factor)s.") % {"factor": factor(row["percent"])})
    if row["capped_by"]:
        said.append(_("Cut to %(points)s by %(limit)s.") % {"points": row["points"], "limit": CAPS[row["capped_by"]]})
    if row["state"] == "VOID":
        said.append(_("Nothing is given: %(reason)s.") % {"reason": REASONS[row["because"]]})
    elif row["taken_back"] and row["because"]:
        said.append(
            _("%(points)s points went again: %(reason)s.") % {"points": row["taken_back"], "reason": REASONS.get(row["because"], "")}
        )  # fmt: skip
    elif row["taken_back"]:
        said.append(
            ngettext(
                "%(points)s point of it was reversed by hand.", "%(points)s points of it were reversed by hand.", row["taken_back"]
            )
            % {"points": row["taken_back"]}
        )  # fmt: skip
    if row["state"] == "PENDING":
        said.append(
            _("They wait until %(day)s: until then the visit or payment can still change.") % {"day": row["due_on"]}
        )
    return said


def _what(row: Mapping[str, Any]) -> str:
    if row["note"]:
        return f"{row['occurred_on']:%Y-%m-%d} · {row['note']}"
    if row["amount"]:
        return _("%(day)s: %(amount)s out of pocket.") % {
            "day": f"{row['occurred_on']:%Y-%m-%d}", "amount": format_money(row["amount"], row["currency"]),
        }  # fmt: skip
    return f"{row['occurred_on']:%Y-%m-%d} · {KINDS[row['kind']]}"


def example(
    kind: str, *, points: int, on: date, amount: int, currency: str, until: date | None, base: int, percent: int
) -> str:
    """Return what one rule would give for a made-up thing, in one sentence."""
    values = {
        "day": f"{on:%Y-%m-%d}", "points": points, "amount": format_money(amount, currency) if amount else "",
        "until": f"{until:%Y-%m-%d}" if until else "",
    }  # fmt: skip
    if kind == "SELF_PAY":
        sentence = (
            _("A visit on %(day)s with %(amount)s self-pay earns %(points)s points, pending until %(until)s.")
            if until else _("A visit on %(day)s with %(amount)s self-pay earns %(points)s points.")
        )  # fmt: skip
    elif kind in ("VISIT", "KEPT_APPOINTMENT"):
        sentence = (
            _("A visit on %(day)s earns %(points)s points, pending until %(until)s.") if until
            else _("A visit on %(day)s earns %(points)s points.")
        )  # fmt: skip
    else:
        what = KINDS[kind]
        return _("%(what)s on %(day)s: %(points)s points.") % {"what": what, **values}
    said = sentence % values
    if percent != 100:
        said += " " + _("(%(base)s times %(factor)s)") % {"base": base, "factor": factor(percent)}
    return said
