"""A rule while it is being built: what stands in the form, complete or not.

The form carries the whole tree in the names of its inputs, so that it works as a plain form: `j:r` is how the outermost
group joins, `f:r-0` the field of its first condition, `o:r-0` its operator, `v:r-0:days` a value. Buttons named `do` say
what to change.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from careloop.kernel.money import MoneyRefused, plain_amount, read_money
from careloop.segments.errors import RuleRefused
from careloop.segments.fields import REGISTRY, Field, Operator, Parameter
from careloop.segments.language import DEEPEST, MOST_LEAVES

ROOT = "r"
PATH = re.compile(r"r(-\d{1,3}){0,8}")
SEPARATORS = re.compile(r"[,，、;；\s]+")
WORD_SEPARATORS = re.compile(r"[,，、;；\n]+")
JOINS = ("all", "any", "none")


@dataclass
class Condition:
    """One row of the builder; values are texts as typed."""

    field: str = ""
    op: str = ""
    values: dict[str, list[str]] = made(default_factory=dict)
    path: str = ""
    problems: dict[str, str] = made(default_factory=dict)
    currency: str = "TWD"

    is_group = False

    @property
    def known(self) -> Field | None:
        return REGISTRY.get(self.field)

    @property
    def operator(self) -> Operator | None:
        known = self.known
        if known is None:
            return None
        return next((one for one in known.operators if one.name == self.op), known.operators[0])

    @property
    def is_clinical(self) -> bool:
        known = self.known
        if known is None:
            return False
        if callable(known.clinical):
            return known.clinical({name: (texts or [""])[0] for name, texts in self.values.items()} | self._missing())
        return known.clinical

    def _missing(self) -> dict[str, str]:
        operator = self.operator
        wanted = [parameter.name for parameter in operator.parameters] if operator else []
        return {name: "" for name in wanted if name not in self.values}

    def inputs(self) -> list[dict[str, Any]]:
        """The inputs of the operator's values, as the template draws them."""
        operator = self.operator
        found = []
        for parameter in operator.parameters if operator else ():
            texts = self.values.get(parameter.name)
            if texts is None:
                texts = _default(parameter, self.currency)
            found.append({
                "name": f"v:{self.path}:{parameter.name}", "parameter": parameter, "label": parameter.label,
                "unit": parameter.unit, "kind": parameter.kind, "text": ", ".join(texts) if texts else "",
                "options": [(value, label, value in texts) for value, label in parameter.choices()],
                "problem": self.problems.get(parameter.name, ""), "id": f"v-{self.path}-{parameter.name}",
            })  # fmt: skip
        return found

    def as_rule(self, place: str, places: dict[str, str]) -> dict[str, Any]:
        places[place] = self.path
        operator = self.operator
        rule: dict[str, Any] = {"field": self.field, "op": operator.name if operator else self.op}
        for parameter in operator.parameters if operator else ():
            texts = self.values.get(parameter.name)
            if texts is None:
                texts = _default(parameter, self.currency)
            rule[parameter.name] = _value(parameter, texts, self.currency)
        return rule


@dataclass
class Group:
    """A group of rows: all of them, at least one, or none."""

    join: str = "all"
    parts: list["Condition | Group"] = made(default_factory=list)
    path: str = ROOT
    problems: dict[str, str] = made(default_factory=dict)

    is_group = True

    @property
    def depth(self) -> int:
        return self.path.count("-")

    @property
    def may_nest(self) -> bool:
        return self.depth < 2

    def as_rule(self, place: str, places: dict[str, str]) -> dict[str, Any]:
        places[place] = self.path
        if self.join == "none":
            places[f"{place}/not"] = self.path
            inner = f"{place}/not/any"
            return {"not": {"any": [p.as_rule(f"{inner}/{n}", places) for n, p in enumerate(self.parts)]}}
        return {self.join: [p.as_rule(f"{place}/{self.join}/{n}", places) for n, p in enumerate(self.parts)]}


Part = Condition | Group


def _default(parameter: Parameter, currency: str) -> list[str]:
    if parameter.default is None:
        return []
    if parameter.kind == "money":
        return [plain_amount(parameter.default, currency)]
    return [str(parameter.default)]


def _value(parameter: Parameter, texts: list[str], currency: str) -> Any:
    """What was typed, as the rule language wants it; what cannot be read stays text and is refused there."""
    text = (texts[0] if texts else "").strip()
    if parameter.kind == "number":
        plain = text.replace(",", "").replace("，", "")
        return int(plain) if re.fullmatch(r"-?[0-9]{1,9}", plain) else text
    if parameter.kind == "money":
        try:
            return read_money(text, currency=currency).amount
        except MoneyRefused:
            return text
    if parameter.kind == "choices":
        return [one for one in texts if one]
    if parameter.kind == "codes":
        return [one for one in SEPARATORS.split(text) if one]
    if parameter.kind == "text":
        return [one.strip() for one in WORD_SEPARATORS.split(text) if one.strip()]
    return text


# -- from the form and from a saved rule ----------------------------------------------------------------------


def from_post(data: QueryDict, *, currency: str) -> Group:
    """Read the tree out of the form's inputs. What does not belong there is passed over."""
    nodes: dict[str, Part] = {}
    for key in data:
        kind, _colon, rest = key.partition(":")
        path, _colon, name = rest.partition(":")
        if kind not in ("j", "f") or not PATH.fullmatch(path) or name or len(nodes) > 2 * MOST_LEAVES:
            continue
        if kind == "j":
            join = data.get(key, "all")
            nodes[path] = Group(join if join in JOINS else "all", path=path)
        else:
            nodes[path] = Condition(data.get(key, ""), data.get(f"o:{path}", ""), path=path, currency=currency)
    for key, texts in data.lists():
        kind, _colon, rest = key.partition(":")
        path, _colon, name = rest.partition(":")
        node = nodes.get(path)
        if kind == "v" and isinstance(node, Condition):
            node.values[name] = [str(text)[:500] for text in texts]
    root = nodes.get(ROOT)
    if not isinstance(root, Group):
        root = Group()
    for path in sorted(nodes, key=_order):
        parent = nodes.get(path.rpartition("-")[0])
        if path != ROOT and isinstance(parent, Group):
            parent.parts.append(nodes[path])
    for node in nodes.values():
        if isinstance(node, Condition):
            _settle(node, data.get(f"was:{node.path}", node.field))
    return numbered(root)


def _settle(condition: Condition, was: str) -> None:
    """After another field was chosen, forget the operator and values of the one before."""
    if was != condition.field:
        condition.op, condition.values = "", {}


def _order(path: str) -> list[int]:
    return [int(part) for part in path.split("-")[1:]]


def numbered(root: Group, path: str = ROOT) -> Group:
    """Give every part its place again."""
    root.path = path
    for number, part in enumerate(root.parts):
        if isinstance(part, Group):
            numbered(part, f"{path}-{number}")
        else:
            part.path = f"{path}-{number}"
    return root


def from_rule(rule: Mapping[str, Any], *, currency: str) -> Group:
    """Turn a saved rule into what the form shows."""
    node = _part(rule, currency)
    return numbered(node if isinstance(node, Group) else Group("all", [node]))


def _part(rule: Mapping[str, Any], currency: str) -> Part:
    for join in ("all", "any"):
        if join in rule:
            return Group(join, [_part(part, currency) for part in rule[join]])
    if "not" in rule:
        inner = rule["not"]
        if "any" in inner:
            return Group("none", [_part(part, currency) for part in inner["any"]])
        return Group("none", [_part(inner, currency)])
    values = {
        name: _texts(value, rule.get("field", ""), name, currency)
        for name, value in rule.items()
        if name not in ("field", "op")
    }
    return Condition(rule.get("field", ""), rule.get("op", ""), values, currency=currency)


def _texts(value: Any, field_name: str, name: str, currency: str) -> list[str]:
    if isinstance(value, list):
        known = REGISTRY.get(field_name)
        kinds = {p.name: p.kind for o in known.operators for p in o.parameters} if known else {}
        return [str(one) for one in value] if kinds.get(name) == "choices" else [", ".join(map(str, value))]
    if name == "amount":
        return [plain_amount(value, currency)]
    return [str(value)]


# -- changing and checking ------------------------------------------------------------------------------------


def change(root: Group, action: str) -> Group:
    """Do what a button asks: `add:r-0`, `group:r`, `remove:r-1`; anything else changes nothing."""
    verb, _colon, path = action.partition(":")
    if not PATH.fullmatch(path or ROOT):
        return root
    if verb in ("add", "group"):
        node = find(root, path)
        if isinstance(node, Group) and node.depth < DEEPEST - 2:
            node.parts.append(Condition() if verb == "add" else Group("any", [Condition()]))
    elif verb == "remove" and path != ROOT:
        parent = find(root, path.rpartition("-")[0])
        number = int(path.rpartition("-")[2])
        if isinstance(parent, Group) and number < len(parent.parts):
            parent.parts.pop(number)
    return numbered(root)


def find(root: Group, path: str) -> Part | None:
    node: Part = root
    for number in _order(path):
        if not isinstance(node, Group) or number >= len(node.parts):
            return None
        node = node.parts[number]
    return node


def rule_of(root: Group) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the rule in the language's JSON, and which place of it stands where in the form."""
    places: dict[str, str] = {}
    return root.as_rule("", places), places


def show_problems(root: Group, places: Mapping[str, str], refusal: RuleRefused) -> list[str]:
    """Put every problem beside the input it is about; return those that have no place in the form."""
    elsewhere = []
    for problem in refusal.problems:
        place, _slash, name = problem.place.rpartition("/")
        path = places.get(problem.place) or places.get(place)
        node = find(root, path) if path else None
        if node is None:
            elsewhere.append(str(problem.message))
        else:
            node.problems[name if path == places.get(place) else ""] = str(problem.message)
    if not root.parts and not elsewhere:
        elsewhere.append(_("Add at least one condition."))
    return elsewhere
