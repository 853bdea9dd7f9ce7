"""What the parts of the catalogue share: groups, the events that change a field, parameters, ways to compare."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.consent.models import ConsentChannel, Purpose
from careloop.facts import rules as facts
from careloop.segments.fields import Ask, Field, Operator, Options, Parameter, Shown, Text

PERSON, VISITS, MONEY = _("Person"), pgettext_lazy("records", "Visits"), _("Spending")
APPOINTMENTS = _("Appointments")
REACH, MESSAGES, HAPPENED = _("Reach and consent"), _("Messages"), _("What happened")
CLINICAL, WORK = _("Clinical records"), pgettext_lazy("segment rule", "Work")

VISIT_KINDS = frozenset({"encounter.recorded"})
MONEY_KINDS = frozenset({"invoice.recorded"})
APPOINTMENT_KINDS = frozenset({
    "appointment.booked", "appointment.moved", "appointment.cancelled", "appointment.arrived", "appointment.fulfilled",
    "appointment.noshow", "appointment.entered_in_error",
})  # fmt: skip
PROFILE_KINDS = frozenset({"patient.registered", "patient.updated"})
TAG_KINDS = frozenset({"patient.tagged", "patient.untagged"})
CONTACT_KINDS = frozenset({
    "contact_point.added", "contact_point.changed", "contact_point.removed", "contact_point.reach_changed",
})  # fmt: skip
CONSENT_KINDS = frozenset({"consent.given", "consent.withdrawn"})
TALK_KINDS = frozenset({"message.sent", "message.received"})
RECORD_KINDS = frozenset(
    f"{name}.recorded"
    for name in (
        "encounter",
        "condition",
        "allergy",
        "medication",
        "observation",
        "procedure",
        "immunization",
        "report",
    )
)

CHANNELS: list[tuple[str, Text]] = [(channel, ConsentChannel(channel).label) for channel in facts.CHANNELS]


def fixed(options: Iterable[tuple[str, Text]]) -> Options:
    found = list(options)
    return lambda: found


DAYS = Parameter(
    "days",
    "number",
    pgettext_lazy("segment rule", "days"),
    unit=pgettext_lazy("segment rule", "days"),
    least=0,
    most=36_500,
    default=90,
)
COUNT = Parameter("count", "number", pgettext_lazy("segment rule", "how many"), least=0, most=100_000, default=1)
TIMES = Parameter(
    "count", "number", _("how many times"), unit=pgettext_lazy("segment rule", "times"), least=1, most=1000, default=1
)
AMOUNT = Parameter("amount", "money", pgettext_lazy("segment rule", "amount"), default=10_000)
DAY = Parameter("day", "date", pgettext_lazy("segment rule", "day"))
CODES = Parameter("codes", "codes", _("codes, separated by commas; E11* is everything that begins with E11"))
CHANNEL = Parameter("channel", "choice", _("channel"), options=fixed([("any", _("any channel")), *CHANNELS]),
                    default="line")  # fmt: skip
PURPOSE = Parameter("purpose", "choice", _("purpose"),
                    options=fixed([(one.value, one.label) for one in Purpose]), default="MARKETING")  # fmt: skip


def choices(options: Options, label: Text, *, living: bool = False) -> Parameter:
    return Parameter("values", "choices", label, options=options, living=living)


NEVER = _("%(field)s: never")
WEEKS = Parameter(
    "days",
    "number",
    pgettext_lazy("segment rule", "days"),
    unit=pgettext_lazy("segment rule", "days"),
    least=0,
    most=364,
    default=7,
)


def date_operators(column: str, *, future: bool = False, missing: Text = NEVER) -> tuple[Operator, ...]:
    """Ways to compare a day. A day that is not known answers no to everything but “never”."""

    def days_ago(ask: Ask, days: int) -> str:
        return ask.bind(ask.today - timedelta(days=days))

    found = [
        Operator("more_than_days_ago", _("longer ago than"),
                 lambda ask, v: f"{column} < {days_ago(ask, v['days'])}",
                 _("%(field)s: more than %(days)s days ago"), (DAYS,)),
        Operator("within_last_days", _("within the last"),
                 lambda ask, v: f"{column} >= {days_ago(ask, v['days'])} and {column} <= {ask.bind(ask.today)}",
                 _("%(field)s: within the last %(days)s days"), (DAYS,)),
        Operator("before", pgettext_lazy("segment rule", "before"), lambda ask, v: f"{column} < {ask.bind(v['day'])}",
                 _("%(field)s: before %(day)s"), (DAY,)),
        Operator("since", pgettext_lazy("segment rule", "since"), lambda ask, v: f"{column} >= {ask.bind(v['day'])}",
                 _("%(field)s: since %(day)s"), (DAY,)),
        Operator("known", _("is known"), lambda ask, v: f"{column} is not null", _("%(field)s: is known")),
        Operator("never", pgettext_lazy("segment rule", "never"), lambda ask, v: f"{column} is null", missing),
    ]  # fmt: skip
    if future:
        found.insert(2, Operator(
            "within_next_days", _("within the next"),
            lambda ask, v: f"{column} >= {ask.bind(ask.today)} and {column} <= {days_ago(ask, -v['days'])}",
            _("%(field)s: within the next %(days)s days"), (DAYS,)))  # fmt: skip
    return tuple(found)


def time_operators(column: str) -> tuple[Operator, ...]:
    """Ways to compare a moment, by clinic days."""
    return (
        Operator("more_than_days_ago", _("longer ago than"),
                 lambda ask, v: f"{column} < {ask.start_of(ask.today - timedelta(days=v['days']))}",
                 _("%(field)s: more than %(days)s days ago"), (DAYS,)),
        Operator("within_last_days", _("within the last"),
                 lambda ask, v: f"{column} >= {ask.start_of(ask.today - timedelta(days=v['days']))}",
                 _("%(field)s: within the last %(days)s days"), (DAYS,)),
        Operator("never", pgettext_lazy("segment rule", "never"), lambda ask, v: f"{column} is null", _("%(field)s: never")),
    )  # fmt: skip


def number_operators(column: str, *, parameter: Parameter = COUNT) -> tuple[Operator, ...]:
    name = parameter.name
    return (
        Operator("at_least", _("at least"), lambda ask, v: f"{column} >= {ask.bind(v[name])}",
                 LEAST[name], (parameter,)),
        Operator("at_most", _("at most"), lambda ask, v: f"{column} <= {ask.bind(v[name])}", MOST[name], (parameter,)),
    )  # fmt: skip


LEAST = {"count": _("%(field)s: at least %(count)s"), "amount": _("%(field)s: at least %(amount)s")}
MOST = {"count": _("%(field)s: at most %(count)s"), "amount": _("%(field)s: at most %(amount)s")}


def choice_operators(column: str, parameter: Parameter) -> tuple[Operator, ...]:
    return (
        Operator("is_any", _("is one of"), lambda ask, v: f"{column} = any({ask.bind(list(v['values']))})",
                 _("%(field)s is: %(values)s"), (parameter,)),
        Operator("is_none", _("is none of"),
                 lambda ask, v: f"({column} = any({ask.bind(list(v['values']))})) is not true",
                 _("%(field)s is not: %(values)s"), (parameter,)),
    )  # fmt: skip


def column(name: str) -> Any:
    return lambda ask, v: f"f.{name}"


def simple(
    name: str, label: Text, group: Text | Promise, operators: tuple[Operator, ...], kinds: frozenset[str], shown: Shown,
    **more: Any,
) -> Field:  # fmt: skip
    return Field(name, label, group, operators, kinds=kinds, value=column(more.pop("column")), shown=shown, **more)
