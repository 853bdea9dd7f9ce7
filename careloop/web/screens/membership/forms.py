"""Forms of the membership's screens."""

from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.earn.awards import MOST_AT_ONCE
from careloop.loyalty.join.members import Filters
from careloop.loyalty.models import EarnRule, Programme
from careloop.tenancy.models import Location
from careloop.web.screens.patients.fields import ClinicDateField, MoneyField

MULTIPLIERS = 2
STATES = [
    ("", pgettext_lazy("members", "active")), ("PENDING", _("with points that wait")), ("LEFT", pgettext_lazy("members", "left")),
]  # fmt: skip


class DayField(forms.DateField):
    """A day that may lie in the future."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class FilterForm(forms.Form):
    """Filters of the list of members."""

    q = forms.CharField(
        label=_("Name, chart or member number"), required=False, max_length=60, widget=forms.TextInput(attrs={"type": "search"})
    )  # fmt: skip
    tier = forms.ChoiceField(label=_("Tier"), required=False)
    programme = forms.ChoiceField(label=_("Programme"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=STATES)

    def __init__(self, *args: Any, tiers: list[dict[str, Any]], programmes: list[Programme], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: Any = self.fields
        own["tier"].choices = [
            ("", _("All")), *((str(one["id"]), one["name"]) for one in tiers), ("NONE", pgettext_lazy("members", "without a tier")),
        ]  # fmt: skip
        own["programme"].choices = [("", _("All")), *((str(one.pk), one.name) for one in programmes)]
        if not tiers:
            del own["tier"]
        if len(programmes) < 2:
            del own["programme"]

    def filters(self) -> Filters:
        """What was asked for; values that are no choices count as not asked."""
        self.is_valid()
        given = self.cleaned_data
        return Filters(
            text=(given.get("q") or "").replace("\0", "").strip(), tier=given.get("tier", ""), programme=given.get("programme", ""),
            state=given.get("state") or "ACTIVE",
        )  # fmt: skip


class ProgrammeForm(forms.Form):
    """A programme: its name, its terms, how long points are valid, what may be done with them."""

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(label=_("Name of the programme"), max_length=60)
    location = forms.ModelChoiceField(
        label=_("For"), queryset=Location.objects.none(), required=False, empty_label=_("the whole organization"),
        help_text=_("A branch with a programme of its own uses that one instead."),
    )  # fmt: skip
    point_name = forms.CharField(label=_("What a point is called"), max_length=12, initial="點")
    valid_months = forms.IntegerField(
        label=_("Points are valid for (months)"), min_value=0, max_value=120, initial=24,
        help_text=_("They end with the month that lies so many months later. 0: never."),
    )  # fmt: skip
    when_spent = forms.ChoiceField(
        label=_("When points are taken back that are spent already"), choices=Programme.WhenSpent.choices, widget=forms.RadioSelect,
        initial=Programme.WhenSpent.NEGATIVE,
    )  # fmt: skip
    cap_day = forms.IntegerField(label=_("At most in a day"), required=False, min_value=1)
    cap_month = forms.IntegerField(label=_("At most in a month"), required=False, min_value=1)
    cap_year = forms.IntegerField(
        label=_("At most in a year"),
        required=False,
        min_value=1,
        help_text=_("What one member earns by all rules together; empty: no limit."),
    )
    allows_pools = forms.BooleanField(label=_("Families may share points"), required=False)
    allows_transfers = forms.BooleanField(label=_("Members may hand over points in the family"), required=False)
    point_value = forms.DecimalField(
        label=_("What a point costs the clinic"), min_value=0, max_value=10_000, decimal_places=2, initial=1,
        help_text=_("In the clinic's currency, for the report of what is owed. Nobody is ever paid it."),
    )  # fmt: skip
    terms = forms.CharField(
        label=_("Terms"), max_length=5000, widget=forms.Textarea(attrs={"rows": 8}), required=False,
        help_text=_("Members read them before they join. Every wording is kept with who agreed to it."),
    )  # fmt: skip

    def __init__(self, *args: Any, programme: Programme | None = None, **kwargs: Any) -> None:
        if programme is not None:
            names = ("name", "point_name", "valid_months", "when_spent", "cap_day", "cap_month", "cap_year", "allows_pools",
                     "allows_transfers", "terms", "version")  # fmt: skip
            kwargs["initial"] = {name: getattr(programme, name) for name in names} | {
                "point_value": programme.point_value / 100
            }
        else:
            kwargs["initial"] = {"key": uuid7(), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        if programme is not None or not Location.objects.filter(is_active=True).exists():
            del self.fields["location"]
        else:
            self.fields["location"].queryset = Location.objects.filter(is_active=True).order_by("name")  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """What `programme.create` and `programme.change` take."""
        given = {name: value for name, value in self.cleaned_data.items() if name not in ("key", "version", "location")}
        return {**given, "point_value": round(given["point_value"] * 100)}


class RuleForm(forms.Form):
    """One earn rule of a kind that was chosen before."""

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(
        label=_("Name of the rule"), max_length=60, help_text=_("Patients read it beside their points.")
    )
    points = forms.IntegerField(label=_("Points"), min_value=1, max_value=100_000, initial=10)
    rounding = forms.ChoiceField(label=_("Amounts between"), choices=EarnRule.Rounding.choices, initial="DOWN")
    settle_days = forms.IntegerField(
        label=_("Final after (days)"), min_value=0, max_value=365, initial=0,
        help_text=_("Until then the points wait: a refund, a correction or the bill can still change them."),
    )  # fmt: skip
    cap_day = forms.IntegerField(label=_("At most in a day"), required=False, min_value=1)
    cap_month = forms.IntegerField(label=_("At most in a month"), required=False, min_value=1)
    cap_year = forms.IntegerField(label=_("At most in a year"), required=False, min_value=1)
    valid_from = DayField(label=_("From"), required=False)
    valid_to = DayField(label=_("To"), required=False)
    priority = forms.IntegerField(
        label=_("Order"), min_value=0, max_value=999, initial=100, help_text=_("Rules are asked from the smallest number on.")
    )  # fmt: skip
    stops_others = forms.BooleanField(
        label=_("Rules of the same kind that come after it then give nothing for the same thing"), required=False
    )

    def __init__(
        self,
        *args: Any,
        kind: str,
        currency: str,
        tiers: list[dict[str, Any]],
        rule: EarnRule | None = None,
        **kwargs: Any,
    ) -> None:
        self.kind = kind
        if rule is not None:
            names = ("name", "points", "rounding", "settle_days", "cap_day", "cap_month", "cap_year", "valid_from", "valid_to", "priority",
                     "stops_others", "version", "per_amount")  # fmt: skip
            kwargs["initial"] = {name: getattr(rule, name) for name in names} | _written(rule.multipliers)
        else:
            kwargs["initial"] = {
                "key": uuid7(),
                "name": dict(EarnRule.Kind.choices)[kind],
                **(kwargs.get("initial") or {}),
            }
        super().__init__(*args, **kwargs)
        if kind == EarnRule.Kind.SELF_PAY:
            self.fields["per_amount"] = MoneyField(label=_("for every"), currency=currency, initial=100)
        else:
            del self.fields["rounding"]
        choices = [("", _("all members")), *((str(one["id"]), one["name"]) for one in tiers)]
        for number in range(1, MULTIPLIERS + 1):
            self.fields[f"factor_{number}"] = forms.DecimalField(
                label=pgettext_lazy("multiplier", "Times"),
                required=False,
                min_value=0.01,
                max_value=10,
                decimal_places=2,
            )
            self.fields[f"tier_{number}"] = forms.ChoiceField(
                label=pgettext_lazy("multiplier", "for"), required=False, choices=choices
            )
            self.fields[f"days_{number}"] = forms.MultipleChoiceField(
                label=pgettext_lazy("multiplier", "on"), required=False, choices=[(str(day), name) for day, name in WEEKDAYS.items()],
                widget=forms.CheckboxSelectMultiple,
            )  # fmt: skip
            self.fields[f"since_{number}"] = DayField(label=_("From"), required=False)
            self.fields[f"until_{number}"] = DayField(label=_("To"), required=False)
            self.fields[f"birthday_{number}"] = forms.BooleanField(
                label=_("in the month of their birthday"), required=False
            )
        self.order_fields(["key", "version", "name", "points", "per_amount", "rounding", "settle_days"])

    def first(self) -> list[Any]:
        """The fields of the rule itself."""
        return [
            self[name] for name in ("name", "points", "per_amount", "rounding", "settle_days") if name in self.fields
        ]

    def limits(self) -> list[Any]:
        return [self[name] for name in ("cap_day", "cap_month", "cap_year")]

    def period(self) -> list[Any]:
        return [self[name] for name in ("valid_from", "valid_to", "priority", "stops_others")]

    def has_more(self) -> bool:
        """Whether the rule has a multiplier to show."""
        return any(self[f"factor_{number}"].value() for number in range(1, MULTIPLIERS + 1))

    def multipliers(self) -> list[list[Any]]:
        """The fields of each multiplier."""
        parts = ("factor", "tier", "days", "since", "until", "birthday")
        return [[self[f"{part}_{number}"] for part in parts] for number in range(1, MULTIPLIERS + 1)]

    def values(self) -> dict[str, Any]:
        """What `rule_book` takes."""
        given = self.cleaned_data
        names = ("name", "points", "rounding", "settle_days", "cap_day", "cap_month", "cap_year", "valid_from", "valid_to", "priority",
                 "stops_others")  # fmt: skip
        values = {name: given[name] for name in names if name in self.fields}
        if "per_amount" in self.fields:
            values["per_amount"] = given["per_amount"] or 0
        return {**values, "kind": self.kind, "multipliers": _read(given)}


def _read(given: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for number in range(1, MULTIPLIERS + 1):
        if given.get(f"factor_{number}"):
            one: dict[str, Any] = {"percent": round(given[f"factor_{number}"] * 100)}
            if given[f"tier_{number}"]:
                one["tier"] = given[f"tier_{number}"]
            if given[f"days_{number}"]:
                one["weekdays"] = sorted(int(day) for day in given[f"days_{number}"])
            for name, field in (("from", "since"), ("until", "until")):
                if given[f"{field}_{number}"]:
                    one[name] = given[f"{field}_{number}"].isoformat()
            if given[f"birthday_{number}"]:
                one["birthday_month"] = True
            found.append(one)
    return found


def _written(multipliers: list[dict[str, Any]]) -> dict[str, Any]:
    initial: dict[str, Any] = {}
    for number, one in enumerate(multipliers[:MULTIPLIERS], start=1):
        initial |= {
            f"factor_{number}": one["percent"] / 100, f"tier_{number}": one.get("tier", ""),
            f"days_{number}": [str(day) for day in one.get("weekdays", ())], f"since_{number}": one.get("from"),
            f"until_{number}": one.get("until"), f"birthday_{number}": one.get("birthday_month", False),
        }  # fmt: skip
    return initial


class PreviewForm(forms.Form):
    """A made-up visit."""

    on = DayField(label=_("A visit on"), required=False)
    amount = forms.CharField(required=False)
    paid_by = forms.ChoiceField(
        label=_("Paid by"), required=False,
        choices=[("SELF", _("the patient alone")), ("BOTH", _("the NHI and the patient")), ("NHI", _("the NHI alone"))],
    )  # fmt: skip
    tier = forms.ChoiceField(label=_("Tier"), required=False)
    birthday = forms.BooleanField(label=_("in the month of their birthday"), required=False)

    def __init__(self, *args: Any, currency: str, tiers: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = MoneyField(label=_("Self-pay amount"), required=False, currency=currency)
        self.fields["tier"].choices = [  # type: ignore[attr-defined]
            ("", pgettext_lazy("members", "without a tier")), *((str(one["id"]), one["name"]) for one in tiers),
        ]  # fmt: skip
        if not tiers:
            del self.fields["tier"]


class JoinForm(forms.Form):
    """The patient agrees to the terms."""

    agrees = forms.BooleanField(label=_("The patient has read the terms and agrees to them"))


class LeaveForm(forms.Form):
    """Why a membership ends."""

    reason = forms.CharField(label=pgettext_lazy("membership", "Why"), max_length=200, required=False)


class AwardForm(forms.Form):
    """Points for several members at once."""

    rule = forms.ModelChoiceField(label=_("What earns points"), queryset=EarnRule.objects.none(), empty_label=None)
    note = forms.CharField(
        label=_("What it was"), max_length=120, help_text=_("The title of the lecture, for instance. Members read it beside their points.")
    )  # fmt: skip
    on = ClinicDateField(label=_("When"))
    people = forms.CharField(
        label=pgettext_lazy("award", "Who"), widget=forms.Textarea(attrs={"rows": 8}), max_length=MOST_AT_ONCE * 40,
        help_text=_("Member numbers or chart numbers, one a line; cards can be scanned one after the other."),
    )  # fmt: skip

    def __init__(self, *args: Any, rules: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: Any = self.fields["rule"]
        own.queryset = rules

    def lines(self) -> list[str]:
        """The lines as typed, each once, without empty ones."""
        found = (line.strip() for line in self.cleaned_data["people"].replace(",", "\n").splitlines())
        return list(dict.fromkeys(line for line in found if line))
