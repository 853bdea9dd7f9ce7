"""Forms of the tiers' screens."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from careloop.kernel.money import MoneyRefused, format_money, read_money
from careloop.loyalty.models import MONEY, Benefit, Metric, Tier
from careloop.loyalty.tier.setup import Definition
from careloop.records.models import Practitioner

LEAST = {
    Metric.VISITS: _("Visits, at least"),
    Metric.SELF_PAY: _("Self-pay amount on bills, at least"),
    Metric.PAID: _("Self-pay amount paid here, at least"),
    Metric.POINTS: _("Points earned, at least"),
    Metric.REFERRALS: _("Friends who came, at least"),
    Metric.KEPT: _("Kept appointments, at least"),
    Metric.ANSWERS: _("Days with an answer to us, at least"),
}
HELP = {
    Metric.SELF_PAY: _("From the bills of your clinic system; never what the NHI or the co-pay covers."),
    Metric.PAID: _("From payments made through CareLoop, less what was given back."),
}


class AmountField(forms.CharField):
    """An amount as people type it; gives minor units, or None."""

    def __init__(self, *, currency: str = "TWD", **more: Any) -> None:
        super().__init__(max_length=20, required=False, **more)
        self.currency = currency

    def prepare_value(self, value: Any) -> Any:
        return format_money(value, self.currency) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            amount = read_money(text, currency=self.currency).amount
        except MoneyRefused as error:
            raise forms.ValidationError(str(error)) from None
        if not 1 <= amount <= 1_000_000_000:
            raise forms.ValidationError(_("Between 1 and 1,000,000,000."))
        return amount


class TierForm(forms.Form):
    """A tier: its place, what it asks for, within which time, and how it is lost again."""

    name = forms.CharField(label=_("Name of the tier"), max_length=30)
    rank = forms.IntegerField(label=_("Place (1 is the lowest)"), min_value=1, max_value=99)
    colour = forms.ChoiceField(label=_("Colour"), choices=Tier.Colour.choices)
    join = forms.ChoiceField(
        label=_("A member needs"), choices=Tier.Join.choices, widget=forms.RadioSelect,
        help_text=_("Leave every number empty with “all of them”: then every member has the tier."),
    )  # fmt: skip
    window = forms.ChoiceField(label=_("What counts"), choices=Tier.Window.choices, widget=forms.RadioSelect)
    months = forms.IntegerField(label=_("How many months"), min_value=1, max_value=60, initial=12)
    grace_days = forms.IntegerField(
        label=_("Days of grace after the review"), min_value=0, max_value=366, initial=30,
        help_text=_("Who falls short at the review keeps the tier so long to make up for it."),
    )  # fmt: skip
    is_active = forms.BooleanField(label=_("In use"), required=False, initial=True)
    announce = forms.BooleanField(
        label=_("Let care journeys congratulate those who rise by this change"), required=False,
        help_text=_("Without it the change stands on their timeline, and nobody is written to."),
    )  # fmt: skip
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for metric in Metric:
            label, text = LEAST[metric], HELP.get(metric, "")
            self.fields[metric.value] = (
                AmountField(label=label, help_text=text, currency=currency)
                if metric in MONEY
                else forms.IntegerField(
                    label=label, help_text=text, min_value=1, max_value=1_000_000_000, required=False
                )
            )
        names = [
            "name",
            "rank",
            "colour",
            "join",
            *(metric.value for metric in Metric),
            "window",
            "months",
            "grace_days",
            "is_active",
        ]
        self.order_fields([*names, "announce", "version"])

    def definition(self) -> Definition:
        """Return what the valid form says."""
        given = self.cleaned_data
        return Definition(
            name=given["name"], rank=given["rank"], join=given["join"], window=given["window"], months=given["months"],
            grace_days=given["grace_days"], colour=given["colour"], is_active=given["is_active"],
            criteria={metric.value: given[metric.value] for metric in Metric if given[metric.value]},
        )  # fmt: skip


FIELDS_OF = {
    "BOOKING_WINDOW": ("days",), "DEDICATED_LINE": ("contact",), "HEALTH_ADVISER": ("practitioner", "contact"), "CONTENT": ("url",),
    "SERVICE_ITEM": ("count", "period", "is_care"), "PRICE": ("percent", "amount"),
}  # fmt: skip


class BenefitForm(forms.Form):
    """A benefit of one kind: only the fields that kind has."""

    name = forms.CharField(label=_("Name members read"), max_length=60)
    text = forms.CharField(
        label=_("Description members read"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    days = forms.IntegerField(label=_("Days earlier than others"), min_value=1, max_value=60)
    contact = forms.CharField(label=_("Number or name"), max_length=80)
    practitioner = forms.ModelChoiceField(label=_("Practitioner"), queryset=Practitioner.objects.none(), required=False)
    url = forms.URLField(label=_("Address of the page"), max_length=300, assume_scheme="https")
    count = forms.IntegerField(label=_("How often"), min_value=1, max_value=99)
    period = forms.ChoiceField(label=_("In each"), choices=Benefit.Period.choices)
    is_care = forms.BooleanField(
        label=_("It is care, a test or a treatment"), required=False,
        help_text=_("The legal rules judge free care differently from a small service."),
    )  # fmt: skip
    percent = forms.IntegerField(label=_("Percent off"), min_value=1, max_value=100, required=False)
    amount = AmountField(label=_("or an amount off"))
    and_above = forms.BooleanField(label=_("Members of higher tiers have it too"), required=False, initial=True)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: str, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        kept = {"name", "text", "and_above", "version", *FIELDS_OF[kind]}
        for name in set(self.fields) - kept:
            del self.fields[name]
        if kind == "HEALTH_ADVISER":
            self.fields["contact"].required = False
            self.fields["practitioner"].queryset = Practitioner.objects.filter(is_active=True).order_by("name")  # type: ignore[attr-defined]
        if kind == "PRICE":
            self.fields["amount"].currency = currency  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if self.kind == "PRICE" and not self.errors and bool(given.get("percent")) == bool(given.get("amount")):
            self.add_error("percent", _("Give a percentage or an amount, one of them."))
        if self.kind == "HEALTH_ADVISER" and not (given.get("practitioner") or given.get("contact")):
            self.add_error("contact", _("Choose a practitioner or write a name."))
        return given

    def values(self) -> dict[str, Any]:
        """Return the benefit's columns as the valid form says."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "version"}
        if "practitioner" in given:
            found = given.pop("practitioner")
            given["practitioner_id"] = found.pk if found else None
        return {"kind": self.kind, **given}


class ByHandForm(forms.Form):
    """A tier given by hand: which, until when, why."""

    tier = forms.ChoiceField(label=_("Tier"))
    until = forms.DateField(
        label=_("Through"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("No review lowers it before that day."),
    )  # fmt: skip
    reason = forms.CharField(label=_("Why"), max_length=200)

    def __init__(self, *args: Any, tiers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier"].choices = tiers  # type: ignore[attr-defined]
