"""Form fields that read what clinics type."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.kernel.dates import DateRefused, read_date
from careloop.kernel.money import MoneyRefused, read_money

LONGEST = 40


class ClinicDateField(forms.Field):
    """A day as Taiwanese clinics type it: 1990-03-05, 79/3/5, 0790305, 民國79年3月5日. Nothing lies in the future."""

    widget = forms.TextInput

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", _("1990-03-05 or 79/3/5"))
        super().__init__(**options)
        self.widget.attrs |= {"autocomplete": "off", "maxlength": LONGEST}

    def to_python(self, value: Any) -> date | None:
        if value in self.empty_values or isinstance(value, date):
            return value or None
        text = str(value).strip()[:LONGEST]
        if not text:
            return None
        try:
            return read_date(text, latest=timezone.localdate()).value
        except DateRefused as refused:
            raise ValidationError(str(refused)) from None

    def prepare_value(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, date) else value


class MoneyField(forms.Field):
    """An amount in the organization's currency, as whole minor units."""

    widget = forms.TextInput

    def __init__(self, *, currency: str = "TWD", **options: Any) -> None:
        self.currency = currency
        super().__init__(**options)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "maxlength": LONGEST}

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        try:
            return read_money(str(value).strip()[:LONGEST], currency=self.currency).amount
        except MoneyRefused as refused:
            raise ValidationError(str(refused)) from None
