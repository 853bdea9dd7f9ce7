"""Tiers and benefits in plain words."""

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from careloop.kernel.money import format_money
from careloop.loyalty.models import MONEY, Benefit, Metric, Tier, TierChange

METRICS = dict(Metric.choices)
COLOURS = dict(Tier.Colour.choices)
REASONS = dict(TierChange.Why.choices)
REASON_TONES = {
    "QUALIFIED": "success", "KEPT": "success", "GRACE": "warning", "LOWERED": "neutral", "HAND": "info", "HAND_ENDED": "neutral",
    "RULES": "neutral",
}  # fmt: skip

_COUNTED: dict[str, Callable[[int], str]] = {
    "VISITS": lambda n: ngettext("%(n)s visit", "%(n)s visits", n),
    "POINTS": lambda n: ngettext("%(n)s point earned", "%(n)s points earned", n),
    "REFERRALS": lambda n: ngettext("%(n)s friend who came", "%(n)s friends who came", n),
    "KEPT": lambda n: ngettext("%(n)s kept appointment", "%(n)s kept appointments", n),
    "ANSWERS": lambda n: ngettext("%(n)s day with an answer to us", "%(n)s days with an answer to us", n),
}


def figure(metric: str, number: int, currency: str) -> str:
    """Return a figure with what it counts, as `4 visits`."""
    if metric == Metric.SELF_PAY:
        return _("%(money)s self-pay on bills") % {"money": format_money(number, currency)}
    if metric == Metric.PAID:
        return _("%(money)s self-pay paid here") % {"money": format_money(number, currency)}
    return _COUNTED[metric](number) % {"n": f"{number:,}"}


def asks_for(tier: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return what a tier asks for: how criteria are joined, each in words, and within which time."""
    each = [figure(metric, least, currency) for metric, least in sorted(tier["criteria"].items())]
    if tier["join"] == Tier.Join.HAND:
        return {"said": _("Staff give it by hand; nobody qualifies by themselves."), "each": [], "window": ""}
    if not each:
        return {"said": _("Nothing: every member has it."), "each": [], "window": ""}
    said = _("at least") if len(each) == 1 else _("all of:") if tier["join"] == Tier.Join.ALL else _("any of:")
    return {"said": said, "each": each, "window": within(tier)}


def within(tier: Mapping[str, Any]) -> str:
    if tier["window"] == Tier.Window.YEAR:
        return _("in the calendar year")
    return ngettext("in the last month", "in the last %(months)d months", tier["months"]) % {"months": tier["months"]}


def review(tier: Mapping[str, Any]) -> str:
    """Return when a tier is looked at again, and what happens then."""
    if not tier["criteria"]:
        return ""
    if tier["window"] == Tier.Window.YEAR:
        when = _("Looked at again on 1 January.")
    else:
        when = ngettext("Looked at again after a month.", "Looked at again after %(months)d months.", tier["months"]) % {"months": tier["months"]}  # fmt: skip
    grace = ngettext("Then %(days)d day of grace.", "Then %(days)d days of grace.", tier["grace_days"])
    return f"{when} {grace % {'days': tier['grace_days']}}" if tier["grace_days"] else when


def figures(found: Mapping[str, int], currency: str) -> list[str]:
    """Return stored figures (`visits_months12`) in words."""
    said = []
    for column, number in sorted(found.items()):
        name, _bar, window = column.rpartition("_")
        metric = name.upper()
        if metric in METRICS:
            months = window.removeprefix("months")
            time = (
                within({"window": "MONTHS", "months": int(months)}) if months.isdigit() else within({"window": "YEAR"})
            )
            said.append(_("%(figure)s %(time)s") % {"figure": figure(metric, number, currency), "time": time})
    return said


def gives(benefit: Mapping[str, Any], currency: str) -> str:
    """Return what a benefit gives, in a few words."""
    match benefit["kind"]:
        case Benefit.Kind.BOOKING_WINDOW:
            return ngettext("Booking opens %(days)d day earlier", "Booking opens %(days)d days earlier", benefit["days"]) % {"days": benefit["days"]}  # fmt: skip
        case Benefit.Kind.SERVICE_ITEM:
            times = ngettext("%(count)d time", "%(count)d times", benefit["count"]) % {"count": benefit["count"]}
            return _("%(times)s %(period)s") % {"times": times, "period": benefit["period_label"]}
        case Benefit.Kind.PRICE:
            if benefit["percent"]:
                return _("%(percent)d%% off what the patient pays") % {"percent": benefit["percent"]}
            return _("%(money)s off what the patient pays") % {"money": format_money(benefit["amount"], currency)}
        case Benefit.Kind.CONTENT:
            return str(benefit["url"])
        case _:
            return str(benefit["contact"])


def change(row: Mapping[str, Any], zone: ZoneInfo, currency: str) -> dict[str, Any]:
    """Return one line of a member's history in words."""
    return {
        **row, "on": f"{row['at'].astimezone(zone):%Y-%m-%d %H:%M}", "why_label": REASONS[row["why"]], "tone": REASON_TONES[row["why"]],
        "figures_said": figures(row["figures"], currency), "is_up": (row["rank_after"] or 0) > (row["rank_before"] or 0),
        "is_down": (row["rank_after"] or 0) < (row["rank_before"] or 0),
    }  # fmt: skip


def number(metric: str, amount: int, currency: str) -> str:
    """Return a figure alone."""
    return format_money(amount, currency) if metric in MONEY else f"{amount:,}"
