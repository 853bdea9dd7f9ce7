"""Forms of the payments' screens. Amounts are typed as people write money and kept in minor units."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.kernel.money import read_money
from careloop.payments.models import Item, ProviderAccount, Refund
from careloop.payments.ports import ProviderKind
from careloop.web.screens.channels.forms import field_of
from careloop.web.screens.patients.fields import ClinicDateField

FREE_LINES = 3
STATES = [
    ("", _("All")), ("WAITING", pgettext_lazy("payments", "waiting")), ("PAID", pgettext_lazy("payment", "paid")),
    ("FAILED", pgettext_lazy("payment", "failed")), ("REFUNDED", pgettext_lazy("payments", "given back")),
    ("EXPIRED", pgettext_lazy("payment", "expired")), ("CANCELLED", pgettext_lazy("payment", "withdrawn")),
]  # fmt: skip


class MoneyField(forms.CharField):
    """An amount in the clinic's currency; its clean value is minor units."""

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, max_length=20, **kwargs)
        self.currency = currency
        self.widget.attrs["inputmode"] = "decimal"

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            money = read_money(text, currency=self.currency)
        except DomainError as error:
            raise forms.ValidationError(str(error)) from None
        if money.currency != self.currency:
            raise forms.ValidationError(_("Payments here are in %(currency)s.") % {"currency": self.currency})
        return money.amount


class FilterForm(forms.Form):
    """Filters of the list."""

    q = forms.CharField(label=_("Patient"), required=False, max_length=60)
    state = forms.ChoiceField(label=_("State"), required=False, choices=STATES)
    since = ClinicDateField(label=_("From"), required=False)
    until = ClinicDateField(label=_("To"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("since", "until"):
            self.fields[name].help_text = ""


class AskForm(forms.Form):
    """What a patient is asked to pay: a service's price or deposit, the NHI co-pay, and lines of the desk's own."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    charge = forms.ChoiceField(label=_("Self-pay service"), required=False)
    price = forms.CharField(required=False)
    copay = forms.CharField(required=False)
    title = forms.CharField(
        label=pgettext_lazy("payments", "What it is for"), required=False, max_length=80,
        help_text=_("The patient reads it on the payment's page; the payment provider does not. Empty: the first line."),
    )  # fmt: skip

    def __init__(self, *args: Any, currency: str, charges: list[dict[str, Any]], **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid7().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        field: Any = self.fields["charge"]
        field.choices = [("", _("none")), *((one["code"], one["label"]) for one in charges)]
        self.charges = {one["code"]: one for one in charges}
        self.fields["price"] = MoneyField(
            label=_("Reduced to"), required=False, currency=currency,
            help_text=_("Only when less than its price is asked for."),
        )  # fmt: skip
        self.fields["copay"] = MoneyField(
            label=_("NHI co-pay (部分負擔)"), required=False, currency=currency,
            help_text=_("As the law sets it. It is never reduced, waived or given back as a favour."),
        )  # fmt: skip
        for number in range(1, FREE_LINES + 1):
            self.fields[f"name_{number}"] = forms.CharField(label=_("Another line"), required=False, max_length=80)
            self.fields[f"amount_{number}"] = MoneyField(label=_("Amount"), required=False, currency=currency)
        self.order_fields(
            ["charge", "price", "copay"]
            + [f"{part}_{number}" for number in range(1, FREE_LINES + 1) for part in ("name", "amount")]
            + ["title", "key"]
        )
        if not charges:
            del self.fields["charge"], self.fields["price"]

    def own_fields(self) -> list[Any]:
        """The fields before the free lines."""
        return [self[name] for name in ("charge", "price", "copay") if name in self.fields]

    def lines(self) -> list[tuple[Any, Any]]:
        """The free lines: name and amount beside each other."""
        return [(self[f"name_{number}"], self[f"amount_{number}"]) for number in range(1, FREE_LINES + 1)]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        for number in range(1, FREE_LINES + 1):
            name, amount = given.get(f"name_{number}"), given.get(f"amount_{number}")
            if bool(name) != (amount is not None) and f"amount_{number}" not in self.errors:
                self.add_error(f"amount_{number}" if name else f"name_{number}", _("A line has a name and an amount."))
        return given


class RefundForm(forms.Form):
    """How much is given back, why, and by which way."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    amount = forms.CharField()
    reason = forms.ChoiceField(
        label=pgettext_lazy("payments", "Why"), choices=Refund.Reason.choices, widget=forms.RadioSelect
    )
    note = forms.CharField(
        label=pgettext_lazy("refund", "What happened"),
        max_length=300,
        help_text=_("For the books; the auditor reads it."),
    )
    by_hand = forms.BooleanField(
        label=_("It was given back at the desk"), required=False,
        help_text=_("In cash or by transfer; the payment provider is not asked."),
    )  # fmt: skip

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid7().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        self.fields["amount"] = MoneyField(label=_("Give back"), currency=currency)


class WithdrawForm(forms.Form):
    """Why it is no longer asked for."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(label=pgettext_lazy("payments", "Why"), max_length=200)


class AccountForm(forms.Form):
    """Name, switch and what the adapter asks for. Secrets are written, never shown: empty keeps the stored one."""

    name = forms.CharField(label=pgettext_lazy("payments", "Name"), max_length=80)
    enabled = forms.BooleanField(label=_("Switched on"), required=False, initial=True)
    is_default = forms.BooleanField(label=_("New payments go here"), required=False, initial=True)

    def __init__(self, *args: Any, kind: ProviderKind, account: ProviderAccount | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        stored = account.settings if account else {}
        made = {
            f"set_{field.name}": field_of(field, stored.get(field.name), exists=account is not None)
            for field in kind.fields
        }
        own = {name: self.fields.pop(name) for name in ("enabled", "is_default")}
        self.fields.update(made)
        self.fields.update(own)
        if account is not None:
            self.initial = {
                **self.initial,
                "name": account.name,
                "enabled": account.enabled,
                "is_default": account.is_default,
            }

    def given(self) -> dict[str, Any]:
        """Return the adapter's settings as typed."""
        return {field.name: self.cleaned_data.get(f"set_{field.name}") for field in self.kind.fields}


KINDS_OF_LINES = dict(Item.Kind.choices)
