"""Forms of the patients' screens."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from careloop.consent.models import Consent, ConsentChannel, Purpose
from careloop.kernel import languages
from careloop.patients.models import ContactPoint, HealthNote, Patient
from careloop.web.screens.patients import list_query, words
from careloop.web.screens.patients.fields import ClinicDateField, MoneyField

AS_ORGANIZATION = _("as the clinic")


class FilterForm(forms.Form):
    """Filters of the list; kept in its address, so a filter is saved by saving the address."""

    q = forms.CharField(
        label=_("Name, number or birth date"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    tag = forms.ChoiceField(label=_("Tag"), required=False)
    stage = forms.TypedChoiceField(
        label=_("Stage"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("All")), *((int(stage), label) for stage, label in words.STAGES.items())],
    )
    visit = forms.ChoiceField(
        label=_("Last visit"), required=False,
        choices=[
            ("", _("any time")), ("30", _("within 30 days")), ("90", _("within 90 days")), ("180", _("within 180 days")),
            ("365", _("within a year")), ("over90", _("more than 90 days ago")), ("over180", _("more than 180 days ago")),
            ("over365", _("more than a year ago")), ("never", _("No visit yet")),
        ],
    )  # fmt: skip
    consent = forms.ChoiceField(
        label=_("Marketing consent"), required=False,
        choices=[
            ("", _("All")), ("marketing_line", _("agreed on LINE")), ("marketing_sms", _("agreed on SMS")),
            ("marketing_email", _("agreed on e-mail")), ("refused", _("refused somewhere")), ("undecided", _("not asked yet")),
        ],
    )  # fmt: skip
    location = forms.ChoiceField(label=_("Clinic"), required=False)
    sex = forms.ChoiceField(label=_("Sex"), required=False, choices=[("", _("All")), *Patient.Sex.choices])
    age_from = forms.IntegerField(label=_("Age from"), required=False, min_value=0, max_value=150)
    age_to = forms.IntegerField(label=_("Age to"), required=False, min_value=0, max_value=150)
    sort = forms.ChoiceField(
        label=_("Sort by"), required=False,
        choices=[
            ("", _("last changed")), ("name", _("name")), ("chart", _("chart number")), ("last_visit", _("latest visit first")),
            ("oldest_visit", _("oldest visit first")),
        ],
    )  # fmt: skip
    closed = forms.BooleanField(label=_("Closed records too"), required=False)

    def __init__(self, *args: Any, tags: list[dict[str, Any]], locations: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tag"].choices = [("", _("All")), *((one["id"], one["name"]) for one in tags)]  # type: ignore[attr-defined]
        self.fields["location"].choices = [("", _("All")), *((one["id"], one["name"]) for one in locations)]  # type: ignore[attr-defined]
        if len(locations) < 2:
            del self.fields["location"]
        for name in ("age_from", "age_to"):
            self.fields[name].widget.attrs["class"] = "form-control is-short"

    def filters(self) -> list_query.Filters:
        """What was asked for; values that are no choices count as not asked."""
        self.is_valid()
        given = self.cleaned_data
        return list_query.Filters(
            text=given.get("q", ""), tag=given.get("tag") or None, stage=given.get("stage"), consent=given.get("consent", ""),
            location=given.get("location") or None, sex=given.get("sex", ""), age_from=given.get("age_from"),
            age_to=given.get("age_to"), visit=given.get("visit", ""), sort=given.get("sort") or "changed",
            closed=given.get("closed", False),
        )  # fmt: skip


class ReasonForm(forms.Form):
    """Asks why, before something that is audited."""

    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("Kept in the audit log."))


class PatientForm(forms.Form):
    """Who the patient is and how they like to be reached."""

    name = forms.CharField(label=_("Name"), max_length=160)
    sex = forms.ChoiceField(label=_("Sex"), required=False, choices=[("", _("unknown")), *Patient.Sex.choices[:3]])
    birth_date = ClinicDateField(label=_("Birth date"), required=False)
    chart_number = forms.CharField(label=_("Chart number"), max_length=60, required=False)
    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", AS_ORGANIZATION), *settings.LANGUAGES]
    )
    preferred_channel = forms.ChoiceField(
        label=_("Preferred channel"), required=False, choices=[("", _("no preference")), *ConsentChannel.choices[1:]]
    )
    preferred_hour = forms.TypedChoiceField(
        label=_("Preferred hour"), required=False, coerce=int, empty_value=None,
        choices=[("", _("no preference")), *((hour, f"{hour:02}:00") for hour in range(8, 21))],
    )  # fmt: skip
    preferred_practitioner = forms.CharField(label=_("Preferred practitioner"), max_length=80, required=False)
    home_location_id = forms.ChoiceField(label=_("Clinic"), required=False)
    postal_code = forms.CharField(label=_("Postal code"), max_length=12, required=False)
    city = forms.CharField(label=_("City or county"), max_length=60, required=False)
    district = forms.CharField(label=_("District"), max_length=60, required=False)
    address = forms.CharField(label=_("Address"), max_length=200, required=False)
    occupation = forms.CharField(label=_("Occupation"), max_length=80, required=False)
    referral_source = forms.CharField(label=_("How they found us"), max_length=80, required=False)
    note = forms.CharField(label=_("Note"), max_length=5000, required=False, widget=forms.Textarea(attrs={"rows": 3}))

    FIELDS = (
        "name", "sex", "birth_date", "chart_number", "language", "preferred_channel", "preferred_hour", "preferred_practitioner",
        "home_location_id", "postal_code", "city", "district", "address", "occupation", "referral_source", "note",
    )  # fmt: skip

    def __init__(self, *args: Any, locations: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["home_location_id"]
        field.choices = [("", _("not said")), *((one["id"], one["name"]) for one in locations)]
        spoken: Any = self.fields["language"]
        spoken.choices = [("", AS_ORGANIZATION), *languages.offered(self.initial.get("language", ""))]
        self.fields["name"].widget.attrs |= {"autofocus": True, "autocomplete": "off"}

    def details(self) -> dict[str, Any]:
        """Return the fields as the service takes them."""
        given = {name: self.cleaned_data[name] for name in self.FIELDS}
        given["sex"] = given["sex"] or Patient.Sex.UNKNOWN
        given["home_location_id"] = UUID(given["home_location_id"]) if given["home_location_id"] else None
        return given


class RegisterForm(PatientForm):
    """Registration: the patient, how to reach them, the notice they were shown, and what they agree to (each apart)."""

    national_id = forms.CharField(
        label=_("National ID or resident certificate"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    phone = forms.CharField(
        label=_("Mobile or telephone"), max_length=60, required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "tel"}),
    )  # fmt: skip
    email = forms.CharField(
        label=_("E-mail"),
        max_length=254,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "email"}),
    )
    notice = forms.ChoiceField(
        label=_("Privacy notice"), widget=forms.RadioSelect,
        choices=[("shown", _("was shown to the patient now")), ("later", _("will be shown at the first contact"))],
    )  # fmt: skip
    consent_source = forms.ChoiceField(
        label=_("How they agreed"), required=False, initial="desk",
        choices=[("desk", _("told the front desk")), ("paper", _("signed form"))],
    )  # fmt: skip
    marketing = forms.MultipleChoiceField(
        label=_("Agrees to news and offers on"), required=False, widget=forms.CheckboxSelectMultiple,
        choices=[("line", "LINE"), ("sms", _("SMS")), ("email", _("e-mail"))],
    )  # fmt: skip
    health_marketing = forms.BooleanField(
        label=_("Agrees in writing that offers may be chosen by health data"), required=False
    )
    idempotency_key = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("health_marketing") and given.get("consent_source") != "paper":
            self.add_error("health_marketing", _("This agreement needs a signed form (PDPA art. 6)."))
        return given


class EditForm(PatientForm):
    """Changing the record; `version` is the state the form was opened with."""

    national_id = forms.CharField(
        label=_("New national ID or resident certificate"), max_length=40, required=False,
        help_text=_("Leave empty to keep what is there."), widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    deceased = forms.BooleanField(label=_("Has died"), required=False)
    active = forms.BooleanField(label=_("Record is open"), required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def details(self) -> dict[str, Any]:
        return super().details() | {"deceased": self.cleaned_data["deceased"], "active": self.cleaned_data["active"]}


class ContactForm(forms.Form):
    """One way to reach the patient."""

    system = forms.ChoiceField(label=_("Kind"), choices=ContactPoint.System.choices)
    text = forms.CharField(
        label=_("Number or address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    use = forms.ChoiceField(
        label=_("Use"), required=False, choices=[("", _("not said")), *list(words.USES.items())[:3]]
    )


class ChangeContactForm(forms.Form):
    """A corrected value, and how it is used."""

    text = forms.CharField(
        label=_("New number or address"), max_length=254, required=False, help_text=_("Leave empty to keep what is there."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )  # fmt: skip
    use = forms.ChoiceField(
        label=_("Use"), required=False, choices=[("", _("not said")), *list(words.USES.items())[:3]]
    )


class TagForm(forms.Form):
    """A tag by name; a name nobody has used yet makes a new tag."""

    name = forms.CharField(
        label=_("Tag"),
        max_length=40,
        widget=forms.TextInput(attrs={"list": "tag-names", "autocomplete": "off", "autofocus": True}),
    )


class HealthNoteForm(forms.Form):
    """A habit, something in the family, past history or insurance."""

    kind = forms.ChoiceField(label=_("Kind"), choices=HealthNote.Kind.choices)
    code = forms.ChoiceField(label=_("What"), required=False, choices=[("", _("other")), *words.HABITS.items()])
    text = forms.CharField(label=_("In words"), max_length=300, required=False)
    since = ClinicDateField(label=_("Since"), required=False)
    key = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("code") and not given.get("text"):
            self.add_error("text", _("Choose one, or write it in words."))
        return given


class FamilyForm(forms.Form):
    """Somebody who belongs to the patient; when they are a patient here too, their record is linked by its chart number."""

    name = forms.CharField(
        label=_("Name"), max_length=160, required=False, widget=forms.TextInput(attrs={"autofocus": True})
    )
    relationship = forms.ChoiceField(
        label=_("Is the patient's"), choices=[("", _("not said")), *words.RELATIONSHIPS.items()], required=False
    )
    linked = forms.CharField(
        label=_("Chart number, if a patient here"), max_length=60, required=False, help_text=_("Links both records.")
    )
    is_guardian = forms.BooleanField(label=_("Legal guardian"), required=False)
    may_act = forms.BooleanField(label=_("May act for the patient"), required=False)
    phone = forms.CharField(
        label=_("Telephone"), max_length=60, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)
    key = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("name") and not given.get("linked"):
            self.add_error("name", _("Write the name, or the chart number of the record here."))
        return given


class DecisionForm(forms.Form):
    """What the patient decided, on which channel, and how we know."""

    purpose = forms.ChoiceField(label=_("What for"), choices=Purpose.choices)
    channel = forms.ChoiceField(label=_("On"), choices=ConsentChannel.choices)
    decision = forms.ChoiceField(label=_("The patient"), choices=Consent.Decision.choices, widget=forms.RadioSelect)
    source = forms.ChoiceField(
        label=_("How we know"),
        choices=[
            (one, label) for one, label in Consent.Source.choices if one in ("paper", "desk", "phone")
        ],
    )  # fmt: skip
    evidence = forms.CharField(
        label=_("Proof"),
        max_length=300,
        required=False,
        help_text=_("Where the signed form is kept, who took the call."),
    )


class NoticeForm(forms.Form):
    """One text in three languages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code, label in settings.LANGUAGES:
            name = code.replace("-", "_")
            self.fields[f"title_{name}"] = forms.CharField(
                label=_("Title (%(language)s)") % {"language": label}, max_length=120, required=False
            )
            self.fields[f"body_{name}"] = forms.CharField(
                label=_("Text (%(language)s)") % {"language": label}, max_length=20_000, required=False,
                widget=forms.Textarea(attrs={"rows": 12}),
            )  # fmt: skip

    def texts(self) -> dict[str, dict[str, str]]:
        return {
            code: {part: self.cleaned_data[f"{part}_{code.replace('-', '_')}"] for part in ("title", "body")}
            for code, _label in settings.LANGUAGES
        }

    @staticmethod
    def initial_of(texts: dict[str, dict[str, str]]) -> dict[str, str]:
        return {
            f"{part}_{code.replace('-', '_')}": texts.get(code, {}).get(part, "")
            for code, _label in settings.LANGUAGES for part in ("title", "body")
        }  # fmt: skip


class VisitForm(forms.Form):
    """A visit that takes or took place, and what was paid."""

    class_code = forms.ChoiceField(
        label=_("Kind"), choices=[(code, words.CLASSES[code]) for code in ("AMB", "HH", "VR", "EMER")]
    )
    on = ClinicDateField(label=_("Day"))
    at = forms.TimeField(label=_("Time"), widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}))
    department = forms.CharField(label=_("Department"), max_length=60, required=False)
    practitioner_name = forms.CharField(
        label=_("Practitioner"), max_length=160, required=False, widget=forms.TextInput(attrs={"list": "practitioners"})
    )
    reason = forms.CharField(label=_("Reason"), max_length=300, required=False)
    total = MoneyField(label=_("Total"), required=False)
    self_pay = MoneyField(label=_("Self-pay"), required=False)
    copay = MoneyField(label=_("Copayment"), required=False)
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, currency: str = "TWD", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("total", "self_pay", "copay"):
            field: Any = self.fields[name]
            field.currency = currency


class ResultForm(forms.Form):
    """One measured value."""

    MEASURES = (
        ("85354-9", _("Blood pressure"), "mmHg"), ("4548-4", "HbA1c", "%"), ("1558-6", _("Fasting glucose"), "mg/dL"),
        ("39156-5", "BMI", "kg/m2"), ("29463-7", _("Body weight"), "kg"), ("8867-4", _("Heart rate"), "/min"),
    )  # fmt: skip
    code = forms.ChoiceField(label=_("What"), choices=[(code, label) for code, label, _unit in MEASURES])
    value = forms.FloatField(label=_("Value"), help_text=_("For blood pressure the upper value."))
    second = forms.FloatField(label=_("Lower value (blood pressure)"), required=False)
    on = ClinicDateField(label=_("Day"))
    key = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("code") == "85354-9" and given.get("second") is None:
            self.add_error("second", _("Blood pressure has two values."))
        return given
