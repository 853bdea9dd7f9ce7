"""The rule language: a tree of AND, OR, NOT over leaves, read strictly from JSON.

    {"all": [
        {"field": "last_visit", "op": "more_than_days_ago", "days": 90},
        {"any": [{"field": "tags", "op": "has_any", "tags": ["…"]}, {"not": {"field": "sex", …}}]}
    ]}

`all` is AND, `any` is OR, `not` turns around. A leaf names a field, one of its operators and that operator's
parameters; which there are is in the registry (`fields`). An empty `all` selects everybody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from careloop.segments import fields
from careloop.segments.errors import Problem, RuleRefused

DEEPEST = 6
MOST_LEAVES = 60


@dataclass(frozen=True)
class Leaf:
    """One condition: a field, an operator, and values that have been checked."""

    field: fields.Field
    operator: fields.Operator
    values: Mapping[str, Any]
    place: str

    @property
    def is_clinical(self) -> bool:
        return self.field.is_clinical(self.values)

    @property
    def sentence(self) -> str:
        return self.field.sentence(self.operator, self.values)


@dataclass(frozen=True)
class Group:
    """AND (`all`) or OR (`any`) over parts."""

    join: str
    parts: tuple["Node", ...]
    place: str


@dataclass(frozen=True)
class Not:
    part: "Node"
    place: str


Node = Leaf | Group | Not


def read(rule: Any, *, saved: bool = False) -> Node:
    """Read a rule; every part of it must be known and complete.

    Args:
        saved: it was read strictly when it was saved; a tag or branch that has gone since matches nobody.

    Raises:
        RuleRefused: with every place that is wrong.
    """
    problems: list[Problem] = []
    node = _read(rule, "", 0, problems, saved)
    if node is not None and sum(1 for _leaf in leaves(node)) > MOST_LEAVES:
        problems.append(Problem("", _("A rule may have at most %(most)d conditions.") % {"most": MOST_LEAVES}))
    if problems or node is None:
        raise RuleRefused(problems)
    return node


def leaves(node: Node) -> Iterator[Leaf]:
    """All conditions of a rule, in reading order."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Not):
        yield from leaves(node.part)
    else:
        for part in node.parts:
            yield from leaves(part)


def clinical_fields(node: Node) -> list[str]:
    """The names of the clinical fields a rule reads, each once."""
    return list(dict.fromkeys(leaf.field.name for leaf in leaves(node) if leaf.is_clinical))


def _read(rule: Any, place: str, depth: int, problems: list[Problem], saved: bool) -> Node | None:
    if not isinstance(rule, Mapping):
        problems.append(Problem(place, _("Here must be a condition or a group.")))
        return None
    if depth > DEEPEST:
        problems.append(Problem(place, _("Groups may be nested %(most)d deep at most.") % {"most": DEEPEST}))
        return None
    for join in ("all", "any"):
        if join in rule:
            return _read_group(rule, join, place, depth, problems, saved)
    if "not" in rule:
        _only(rule, {"not"}, place, problems)
        part = _read(rule["not"], f"{place}/not", depth + 1, problems, saved)
        return Not(part, place) if part is not None else None
    return _read_leaf(rule, place, problems, saved)


def _read_group(
    rule: Mapping[str, Any], join: str, place: str, depth: int, problems: list[Problem], saved: bool
) -> Group | None:
    _only(rule, {join}, place, problems)
    given = rule[join]
    if not isinstance(given, list):
        problems.append(Problem(f"{place}/{join}", _("Here must be a list of conditions.")))
        return None
    if not given and place:
        problems.append(Problem(f"{place}/{join}", _("An empty group says nothing; add a condition or remove it.")))
    parts = [_read(part, f"{place}/{join}/{number}", depth + 1, problems, saved) for number, part in enumerate(given)]
    return Group(join, tuple(part for part in parts if part is not None), place)


def _read_leaf(rule: Mapping[str, Any], place: str, problems: list[Problem], saved: bool) -> Leaf | None:
    name = rule.get("field")
    field = fields.REGISTRY.get(name) if isinstance(name, str) else None
    if field is None:
        problems.append(Problem(f"{place}/field", _("Choose what the condition is about.")))
        return None
    operator = next((one for one in field.operators if one.name == rule.get("op")), None)
    if operator is None:
        problems.append(Problem(f"{place}/op", _("Choose how to compare.")))
        return None
    _only(rule, {"field", "op", *(parameter.name for parameter in operator.parameters)}, place, problems)
    values: dict[str, Any] = {}
    before = len(problems)
    for parameter in operator.parameters:
        try:
            values[parameter.name] = parameter.check(rule.get(parameter.name), saved=saved)
        except fields.ValueRefused as refusal:
            problems.append(Problem(f"{place}/{parameter.name}", refusal.message))
    if len(problems) > before:
        return None
    return Leaf(field, operator, values, place)


def _only(rule: Mapping[str, Any], known: set[str], place: str, problems: list[Problem]) -> None:
    for key in rule:
        if key not in known:
            problems.append(Problem(f"{place}/{key}", _("“%(key)s” means nothing here.") % {"key": str(key)[:40]}))
