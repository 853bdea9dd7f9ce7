"""From a rule to one SQL condition over the wide rows."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from careloop.facts.models import LAST_LIVING_STAGE
from careloop.facts.rules import consent_mask
from careloop.kernel import sql
from careloop.segments.fields import Ask
from careloop.segments.language import Group, Leaf, Node, Not, leaves

LIVING = f"f.stage <= {LAST_LIVING_STAGE.value}"
WRITTEN_CONSENT = f"f.consent_given & {consent_mask('HEALTH_MARKETING')} <> 0"

# Asking each of so many patients costs less than reading everybody's events in the window.
FEW = 30_000

# Events after which anybody may join or leave the people that segments are about.
BASE_KINDS = frozenset({
    "patient.registered", "patient.updated", "patient.merged", "patient.unmerged", "record.updated", "record.entered_in_error",
    "import.undone",
})  # fmt: skip
CONSENT_KINDS = frozenset({"consent.given", "consent.withdrawn"})


@dataclass
class Compiled:
    """A rule as SQL: `where` is about `facts_patient as f`; `parameters` go with it.

    `kinds` are the events after which the answer for a patient may be different; None means any.
    """

    node: Node
    where: str
    parameters: dict[str, Any] = field(default_factory=dict)
    kinds: frozenset[str] | None = None

    def members(self, columns: str = "f.patient_id") -> str:
        return f"select {columns} from facts_patient as f where {self.where}"


def ask_at(now: datetime, *, only: bool = False) -> Ask:
    """What a rule is compiled for: today in the running organization."""
    organization = sql.row("select time_zone, currency from tenancy_organization")
    assert organization is not None
    today = now.astimezone(ZoneInfo(organization["time_zone"])).date()
    return Ask(now=now, today=today, zone=organization["time_zone"], currency=organization["currency"], only=only)


def compile_rule(node: Node, *, ask: Ask, needs_written_consent: bool = False) -> Compiled:
    """Compile a rule for everybody it can be about, or, with `ask.only`, for the patients in `%(ids)s`."""
    conditions = [LIVING]
    if ask.only:
        conditions.append("f.patient_id = any(%(ids)s::uuid[])")
    if needs_written_consent:
        conditions.append(WRITTEN_CONSENT)
    if not ask.only and _is_heavy(node):
        ask.few = _leaves_few(node, conditions, ask)
    conditions.append(condition(node, ask))
    return Compiled(node, " and ".join(conditions), ask.parameters, kinds_of(node, needs_written_consent))


def condition(node: Node, ask: Ask, *, exact: bool = False) -> str:
    """Return the SQL of a rule. Inside a NOT every leaf is made two-valued: what is unknown counts as no."""
    if isinstance(node, Leaf):
        text = f"({node.operator.sql(ask, node.values)})"
        return f"({text} is true)" if exact else text
    if isinstance(node, Not):
        return f"not {condition(node.part, ask, exact=True)}"
    if not node.parts:
        return "true" if node.join == "all" else "false"
    # conditions on the wide row first: the rest is then asked of few
    parts = sorted(node.parts, key=_is_heavy)
    word = " and " if node.join == "all" else " or "
    return "(" + word.join(condition(part, ask, exact=exact) for part in parts) + ")"


def kinds_of(node: Node, needs_written_consent: bool = False) -> frozenset[str] | None:
    """Return the events after which the rule may answer differently for a patient; None means any."""
    kinds = set(BASE_KINDS)
    if needs_written_consent:
        kinds |= CONSENT_KINDS
    for leaf in leaves(node):
        found = leaf.field.kinds
        if leaf.field.name == "event":
            found = frozenset({leaf.values["kind"]})
        if not found:
            return None
        kinds |= found
    return frozenset(kinds)


def _leaves_few(node: Node, conditions: list[str], ask: Ask) -> bool:
    """Whether the conditions on the wide row alone leave few patients, by the planner's own estimate."""
    if not (isinstance(node, Group) and node.join == "all"):
        return False
    light = [condition(part, ask) for part in node.parts if not _is_heavy(part)]
    if not light:
        return False
    plan = sql.value(
        f"explain (format json) select 1 from facts_patient as f where {' and '.join([*conditions, *light])}",
        ask.parameters,
    )
    found = json.loads(plan) if isinstance(plan, str) else plan
    return bool(found[0]["Plan"]["Plan Rows"] < FEW)


def _is_heavy(node: Node) -> bool:
    return any(leaf.field.heavy for leaf in leaves(node))
