"""What rules can ask: the registry of fields, which slices above and below fill.

A field has a name, words, a group, and operators; each operator has parameters and says in SQL whether it holds for the
patient of the wide row `f` (`facts_patient as f`). Values always travel as parameters (`ask.bind`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise
Options = Callable[[], list[tuple[str, Text]]]
Kind = Literal["number", "money", "date", "choice", "choices", "codes", "text"]

MOST_ITEMS = 100
LONGEST_TEXT = 60


class ValueRefused(Exception):
    """A parameter's value does not fit; `message` says what would."""

    def __init__(self, message: Text) -> None:
        super().__init__("value refused")
        self.message = message


@dataclass(frozen=True)
class Parameter:
    """One value an operator needs.

    `kind`: number (whole), money (whole minor units), date (ISO), choice (one of `options`), choices (some of them),
    codes and text (lists of short texts). `unit` is shown behind the input. `living` options come from the database: one
    that is gone is no reason to stop a rule that was saved when it was there.
    """

    name: str
    kind: Kind
    label: Text
    unit: Text = ""
    least: int = 0
    most: int = 36_500
    options: Options | None = None
    default: Any = None
    living: bool = False

    def check(self, value: Any, *, saved: bool = False) -> Any:
        """Return the value as the operator wants it; `saved` takes living options as they were.

        Raises:
            ValueRefused: it is missing or does not fit.
        """
        if self.kind in ("number", "money"):
            most = 10**12 if self.kind == "money" else self.most
            if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= most:
                raise ValueRefused(
                    _("Enter a whole number from %(least)d to %(most)d.") % {"least": self.least, "most": most}
                )
            return value
        if self.kind == "date":
            try:
                return date.fromisoformat(value)
            except (TypeError, ValueError):
                raise ValueRefused(_("Enter a date.")) from None
        if self.kind == "choice":
            if not isinstance(value, str) or value not in dict(self.choices()):
                raise ValueRefused(_("Choose one of the list."))
            return value
        return self._check_list(value, saved=saved)

    def _check_list(self, value: Any, *, saved: bool) -> list[str]:
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise ValueRefused(_("Choose at least one.") if self.kind == "choices" else _("Enter at least one."))
        if len(value) > MOST_ITEMS or any(len(item) > LONGEST_TEXT or not item.strip(" *") for item in value):
            raise ValueRefused(_("Enter at most %(most)d short texts.") % {"most": MOST_ITEMS})
        if self.kind == "choices" and not (saved and self.living):
            known = dict(self.choices())
            if any(item not in known for item in value):
                raise ValueRefused(_("One of the choices does not exist any more; choose again."))
        return list(dict.fromkeys(value))

    def choices(self) -> list[tuple[str, Text]]:
        return self.options() if self.options else []

    def words(self, value: Any) -> str:
        """Return the value as people read it."""
        if self.kind == "choice":
            return str(dict(self.choices()).get(value, value))
        if self.kind == "choices":
            names = dict(self.choices())
            return str(_(", ")).join(str(names.get(item, item)) for item in value)
        if self.kind in ("codes", "text"):
            return str(_(", ")).join(value)
        return f"{value:,}" if isinstance(value, int) else str(value)


class Ask:
    """What a rule is compiled for: the day, the zone, and perhaps only some patients."""

    def __init__(self, *, now: datetime, today: date, zone: str, currency: str, only: bool = False) -> None:
        self.now = now
        self.today = today
        self.zone = zone
        self.currency = currency
        self.only = only
        # the rest of the rule leaves few patients: ask each of them instead of reading everybody's records
        self.few = only
        self.parameters: dict[str, Any] = {}

    def again(self) -> "Ask":
        """Return the same question for another rule, without this one's parameters."""
        return Ask(now=self.now, today=self.today, zone=self.zone, currency=self.currency, only=self.only)

    def bind(self, value: Any) -> str:
        """Send `value` as a parameter and return its placeholder; equal values share one."""
        for name, known in self.parameters.items():
            if type(known) is type(value) and known == value:
                return f"%({name})s"
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"

    def start_of(self, day: date) -> str:
        """Bind the moment at which `day` begins where the clinic is."""
        return self.bind(datetime.combine(day, time.min, ZoneInfo(self.zone)))

    def of(self, column: str) -> str:
        """Return the condition that keeps a subquery to the patients asked about, or nothing."""
        return f" and {column} = any(%(ids)s::uuid[])" if self.only else ""


Values = Mapping[str, Any]
Sql = Callable[[Ask, Values], str]


@dataclass(frozen=True)
class Operator:
    """One way to compare. `label` has the parameters as gaps; `sentence` says the whole condition in words.

    `sql` returns a condition about `f`. It may be null, which counts as no.
    """

    name: str
    label: Text
    sql: Sql
    sentence: Text
    parameters: tuple[Parameter, ...] = ()


Shown = Literal["date", "time", "number", "money", "age", "stage", "text", "list", ""]


@dataclass(frozen=True)
class Field:
    """Something that rules may ask about a patient.

    Args:
        name: stable, stored in rules.
        group: the heading it stands under in the builder.
        clinical: it tells about health (law: PDPA art. 6), always or for some values; marketing may not read it.
        kinds: the events after which it may be different; empty means any.
        value: SQL for what it is now, shown by “why”; `shown` says how to write it.
        heavy: it reads more than the wide row, so the row's conditions go first.
    """

    name: str
    label: Text
    group: Text
    operators: tuple[Operator, ...]
    clinical: bool | Callable[[Values], bool] = False
    kinds: frozenset[str] = field(default_factory=frozenset)
    value: Sql | None = None
    shown: Shown = ""
    heavy: bool = False
    help: Text = ""

    def is_clinical(self, values: Values) -> bool:
        return self.clinical(values) if callable(self.clinical) else self.clinical

    def sentence(self, operator: Operator, values: Values) -> str:
        words: dict[str, str] = {"field": str(self.label)}
        for parameter in operator.parameters:
            words[parameter.name] = parameter.words(values[parameter.name])
        return str(operator.sentence) % words

    @property
    def always_clinical(self) -> bool:
        return self.clinical is True


REGISTRY: dict[str, Field] = {}


def register(*fields: Field) -> None:
    """Add fields that rules can ask from now on. Called once, from a slice's `slots.py`.

    Raises:
        ValueError: a field or an operator of that name exists.
    """
    for one in fields:
        if one.name in REGISTRY and REGISTRY[one.name].label != one.label:
            raise ValueError(f"the field {one.name} is registered twice")
        names = [operator.name for operator in one.operators]
        if len(names) != len(set(names)):
            raise ValueError(f"an operator of {one.name} is named twice")
        REGISTRY[one.name] = one


def groups() -> list[tuple[Text, list[Field]]]:
    """The fields under their headings, for the builder."""
    found: dict[str, tuple[Text, list[Field]]] = {}
    for one in REGISTRY.values():
        found.setdefault(str(one.group), (one.group, []))[1].append(one)
    return list(found.values())


def as_ids(values: list[str]) -> list[UUID]:
    """Return the texts that are UUIDs as such; the others can match nobody."""
    found = []
    for value in values:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found
