"""What patients fill in."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.consent.models import ConsentChannel
from careloop.kernel import languages
from careloop.kernel.dates import DateRefused, read_date
from careloop.kernel.text import clean
from careloop.patients.models import Patient
from careloop.portal import codes, errors
from careloop.portal.codes import Address


def _birth_date_field() -> forms.CharField:
    return forms.CharField(
        label=_("Birth date"), max_length=30, help_text=_("For example 1990-03-05 or 79/3/5"),
        widget=forms.TextInput(attrs={"autocomplete": "bday"}),
    )  # fmt: skip


def _read_birth_date(text: str, *, today: date) -> date:
    try:
        return read_date(text, latest=today).value
    except DateRefused as refused:
        raise ValidationError(str(refused)) from None


class AddressForm(forms.Form):
    """Where the code goes."""

    address = forms.CharField(
        label=_("Mobile number or e-mail"), max_length=254,
        help_text=_("The one the clinic knows. We send a code there."),
        widget=forms.TextInput(attrs={"autocomplete": "username", "placeholder": "0912-345-678"}),
    )  # fmt: skip

    def clean_address(self) -> Address:
        try:
            return codes.read_address(self.cleaned_data["address"])
        except errors.AddressUnreadable as error:
            raise ValidationError(str(error)) from None


class CodeForm(forms.Form):
    """The six digits."""

    code = forms.CharField(
        label=pgettext_lazy("one-time", "Code"), max_length=20,
        widget=forms.TextInput(attrs={
            "inputmode": "numeric", "autocomplete": "one-time-code", "class": "form-control cl-portal-code", "autofocus": True,
        }),
    )  # fmt: skip


class BirthDateForm(forms.Form):
    """Which member of the family somebody is."""

    birth_date = _birth_date_field()

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_birth_date(self) -> date:
        return _read_birth_date(self.cleaned_data["birth_date"], today=self.today)


class NewcomerForm(BirthDateForm):
    """Who comes for the first time."""

    name = forms.CharField(label=_("Name"), max_length=160, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    phone = forms.CharField(
        label=_("Mobile number"), max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel", "placeholder": "0912-345-678"}),
    )  # fmt: skip
    notice = forms.BooleanField(label=_("I have read how the clinic uses my data."))
    referral = forms.CharField(
        label=_("A friend's code"), max_length=20, required=False,
        help_text=_("Who gave it to you is thanked when you have been here; they learn that a friend came, not who and not why. Empty: nobody."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )  # fmt: skip
    shows_name = forms.BooleanField(label=_("They may also see my name"), required=False)
    field_order = ("name", "birth_date", "phone", "referral", "shows_name", "notice")

    def __init__(self, *args: Any, takes_codes: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not takes_codes:
            del self.fields["referral"], self.fields["shows_name"]

    def clean_name(self) -> str:
        name = clean(self.cleaned_data["name"])
        if not name:
            raise ValidationError(_("Write your name as on your NHI card."))
        return name

    def clean_phone(self) -> Address:
        try:
            address = codes.read_address(self.cleaned_data["phone"])
        except errors.AddressUnreadable:
            raise ValidationError(str(errors.MobileNeeded())) from None
        if address.system != "phone":
            raise ValidationError(str(errors.MobileNeeded()))
        return address


HOURS = [("", _("Any time")), *((str(hour), f"{hour}:00") for hour in range(8, 21))]


class PreferencesForm(forms.Form):
    """How the clinic writes."""

    language = forms.ChoiceField(
        label=_("Language of messages"), choices=[("", _("As the clinic writes")), *settings.LANGUAGES], required=False
    )
    preferred_channel = forms.ChoiceField(
        label=_("Write to me by"), required=False,
        choices=[("", _("Whatever reaches me")), ("line", "LINE"), ("sms", _("SMS")), ("email", _("E-mail"))],
    )  # fmt: skip
    preferred_hour = forms.ChoiceField(label=_("Not before"), choices=HOURS, required=False)

    def __init__(self, data: Any = None, *, kept: Patient) -> None:
        """Offer what is offered to everybody, and what is kept of this patient."""
        hour = "" if kept.preferred_hour is None else str(kept.preferred_hour)
        initial = {"language": kept.language, "preferred_channel": kept.preferred_channel, "preferred_hour": hour}
        super().__init__(data, initial=initial)
        fields: Any = self.fields
        fields["language"].choices = [("", _("As the clinic writes")), *languages.offered(kept.language)]
        told = dict(ConsentChannel.choices).get(kept.preferred_channel, kept.preferred_channel)
        for name, value, label in (
            ("preferred_channel", kept.preferred_channel, told),
            ("preferred_hour", hour, f"{hour}:00"),
        ):
            if value not in dict(fields[name].choices):
                fields[name].choices = [*fields[name].choices, (value, label)]

    def changes(self) -> dict[str, Any]:
        """Return the fields as the service takes them."""
        hour = self.cleaned_data["preferred_hour"]
        return self.cleaned_data | {"preferred_hour": int(hour) if hour else None}


class TellForm(forms.Form):
    """What is wrong in the record, for staff to look at."""

    text = forms.CharField(
        label=_("What should be corrected?"), max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean_text(self) -> str:
        return clean(self.cleaned_data["text"].replace("\x00", ""))


class CancelForm(forms.Form):
    """Why somebody does not come; nobody has to say."""

    note = forms.CharField(label=_("Would you like to say why?"), max_length=200, required=False)


class MemberForm(forms.Form):
    """Agreeing to the terms of a membership."""

    agrees = forms.BooleanField(
        label=_("I have read the terms and agree"),
        error_messages={"required": _("Please read the terms and say that you agree.")},
    )
