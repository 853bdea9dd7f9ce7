"""What membership adds to the slices below: members, their tiers and points, for rules of segments."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from careloop.loyalty.join import members
from careloop.segments.catalogue.common import COUNT, choices
from careloop.segments.fields import Ask, Field, Operator, Text, Values, as_ids, register

KINDS = frozenset(
    {
        "loyalty.joined", "loyalty.left", "loyalty.points_earned", "loyalty.points_spent", "loyalty.points_expired", "loyalty.points_reversed",
        "loyalty.points_adjusted", "loyalty.tier_raised", "loyalty.tier_lowered",
    }
)  # fmt: skip
_ACCOUNT = "exists (select 1 from loyalty_account l where l.patient_id = f.patient_id and l.kind = 'PATIENT' and l.state = 'ACTIVE'{more})"


def tier_options() -> list[tuple[str, Text]]:
    return [(str(one["id"]), one["name"]) for one in members.tiers()]


def _with(more: str = "") -> str:
    return _ACCOUNT.format(more=more)


def _in_tier(ask: Ask, values: Values) -> str:
    return _with(f" and l.tier_id = any({ask.bind(as_ids(values['values']))}::uuid[])")


def _holds(sign: str) -> Any:
    return lambda ask, values: _with(f" and l.balance {sign} {ask.bind(values['count'])}")


register(
    Field("membership", _("Membership"), _("Membership"), (
        Operator("is_member", _("is a member"), lambda ask, v: _with(), _("is a member")),
        Operator("is_none", _("is not a member"), lambda ask, v: f"not {_with()}", _("is not a member")),
        Operator("has_tier", _("has one of the tiers"), _in_tier, _("has one of the tiers: %(values)s"),
                 (choices(tier_options, _("tiers"), living=True),)),
        Operator("points_at_least", _("has points, at least"), _holds(">="), _("has at least %(count)s points"), (COUNT,)),
        Operator("points_at_most", _("has points, at most"), _holds("<="), _("has at most %(count)s points"), (COUNT,)),
    ), kinds=KINDS, shown="number", heavy=True, value=lambda ask, v: (
        "(select sum(l.balance) from loyalty_account l where l.patient_id = f.patient_id and l.kind = 'PATIENT' and l.state = 'ACTIVE')")),
)  # fmt: skip
