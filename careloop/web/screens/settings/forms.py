"""Forms of the settings pages."""

import re
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.accounts.models import User
from careloop.accounts.permissions import ROLES
from careloop.policy.answers import Answer
from careloop.tenancy.models import Location, Organization

USUAL_ZONES = ("Asia/Taipei", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Singapore", "Asia/Tokyo", "Europe/London", "Europe/Berlin",
               "America/New_York", "America/Los_Angeles", "Australia/Sydney", "UTC")  # fmt: skip
HOURS = [(hour, f"{hour:02d}:00") for hour in range(24)]


# what may stand in a content policy: a scheme, a name, a port, and nothing that would begin another rule
EMBED_ORIGIN = re.compile(r"https://[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?::[0-9]{1,5})?")


def _zones(current: str = "") -> list[tuple[str, str]]:
    known = available_timezones()
    zones = [zone for zone in USUAL_ZONES if zone in known]
    return [
        (zone, zone.replace("_", " ")) for zone in (zones if current in zones or not current else [current, *zones])
    ]


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name, contact, how it looks, and when it may write."""

    quiet_from_hour = forms.TypedChoiceField(
        label=_("Quiet from"), choices=HOURS, coerce=int,
        help_text=_("No message leaves between these hours, except ones a patient is waiting for."),
    )  # fmt: skip
    quiet_to_hour = forms.TypedChoiceField(label=_("Quiet until"), choices=HOURS, coerce=int)
    marketing_cap = forms.IntegerField(
        label=_("Marketing messages per patient in 30 days"), min_value=0, max_value=30,
        help_text=_("0 stops all marketing."),
    )  # fmt: skip

    website = forms.URLField(
        label=_("Website"), required=False, assume_scheme="https", widget=forms.URLInput(attrs={"inputmode": "url"})
    )

    class Meta:
        model = Organization
        fields = [
            "name", "licence_number", "phone", "address", "website", "language", "time_zone", "accent_color",
            "quiet_from_hour", "quiet_to_hour", "marketing_cap", "embed_origins",
        ]  # fmt: skip
        labels = {
            "name": pgettext_lazy("place or organization", "Name"), "licence_number": _("Institution code"), "phone": _("Telephone"), "address": _("Address"),
            "language": _("Language of messages"), "time_zone": _("Time zone"),
            "accent_color": _("Colour"), "embed_origins": _("Websites that show the booking page"),
        }  # fmt: skip
        help_texts = {
            "name": _("As patients know it; it stands in every message."),
            "licence_number": _("The ten digits of the National Health Insurance."),
            "language": _("For patients who have not chosen one."),
            "accent_color": _("Buttons and links; CareLoop keeps them readable."),
            "embed_origins": _(
                "For example https://www.example.tw, several with a space between them. Nobody else can put it into a frame."
            ),
        }
        widgets = {
            "accent_color": forms.TextInput(attrs={"type": "color", "class": "form-control form-control-color"}),
            "language": forms.Select(choices=settings.LANGUAGES),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].widget = forms.Select(choices=_zones(self.instance.time_zone))

    def clean_language(self) -> str:
        language: str = self.cleaned_data["language"]
        if language not in dict(settings.LANGUAGES):
            raise forms.ValidationError(_("Choose one of the languages offered."))
        return language

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"]
        if zone not in available_timezones():
            raise forms.ValidationError(_("There is no such time zone."))
        return zone

    def clean_embed_origins(self) -> str:
        origins = self.cleaned_data["embed_origins"].split()
        if any(not EMBED_ORIGIN.fullmatch(one) for one in origins):
            raise forms.ValidationError(_("Write each website as https:// and its name, without a path."))
        return " ".join(dict.fromkeys(origins))


class LegalForm(forms.ModelForm):  # type: ignore[type-arg]
    """Which law applies, and where the data are (rule P15)."""

    class Meta:
        model = Organization
        fields = ["legal_profile", "data_in_taiwan", "data_approval"]
        labels = {
            "legal_profile": _("Legal profile"),
            "data_in_taiwan": _("Server and backups stand in Taiwan"),
            "data_approval": _("Approval number"),
        }
        help_texts = {
            "legal_profile": _("Decides which rules judge your messages. It does not replace legal advice."),
            "data_approval": _("If health data are kept abroad: the number of the authority's approval."),
        }
        widgets = {"legal_profile": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["legal_profile"].choices = Organization.LegalProfile.choices  # type: ignore[attr-defined]


class LocationForm(forms.Form):
    """A place where patients are seen."""

    name = forms.CharField(label=pgettext_lazy("place or organization", "Name"), max_length=120)
    phone = forms.CharField(label=_("Telephone"), max_length=30, required=False)
    address = forms.CharField(label=_("Address"), max_length=200, required=False)


class _StaffForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)
    title = forms.CharField(
        label=_("Job title"),
        max_length=60,
        required=False,
        help_text=_("As colleagues call the function, such as “Head nurse”."),
    )
    locations = forms.ModelMultipleChoiceField(
        label=_("Only these locations"), queryset=Location.objects.none(), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: all locations. Otherwise only patients whose home is one of these are seen."),
    )  # fmt: skip

    def __init__(self, *args: Any, may_make_owners: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in ROLES.values() if may_make_owners or role.name != "owner"]
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            (role.name, _("%(role)s: %(description)s") % {"role": role.label, "description": role.description})
            for role in roles
        ]
        places = self.fields["locations"]
        places.queryset = Location.objects.filter(is_active=True).order_by("name")  # type: ignore[attr-defined]


class InviteForm(_StaffForm):
    """Who is invited, and as what."""

    email = forms.EmailField(label=_("E-mail address"))
    name = forms.CharField(label=_("Name"), max_length=80, required=False)
    field_order = ["email", "name", "role", "title", "locations"]


class MemberForm(_StaffForm):
    """What a member may do."""


class AcceptForm(forms.Form):
    """A new colleague's name and password."""

    name = forms.CharField(label=_("Your name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False,
        help_text=_("At least 15 characters; a sentence is easy to remember."),
    )  # fmt: skip
    again = forms.CharField(
        label=_("Password, once more"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        password = values.get("password", "")
        if password and password != values.get("again"):
            self.add_error("again", _("The two passwords are not the same."))
        elif password:
            try:
                validate_password(password, User(email=self.email, name=values.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return values


class OverrideForm(forms.Form):
    """The organization's own answer to a rule, with a reason."""

    answer = forms.ChoiceField(
        label=_("Our answer"), required=False, widget=forms.RadioSelect,
        choices=[("", _("As the rule says")), *((answer.value, answer.label) for answer in Answer)],
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Reason"), widget=forms.Textarea(attrs={"rows": 3}), max_length=1000,
        help_text=_("Kept with your name, and shown beside the rule."),
    )  # fmt: skip


class ContactForm(forms.Form):
    """A web address or number registered for text messages."""

    value = forms.CharField(
        label=_("Web address or telephone number"), max_length=200,
        help_text=_("Exactly as it was registered with the carrier. An address covers the pages below it."),
    )  # fmt: skip
    reference = forms.CharField(label=_("Registration number"), max_length=80, required=False)


class TagForm(forms.Form):
    """A word for patients."""

    name = forms.CharField(label=_("New tag"), max_length=40)
