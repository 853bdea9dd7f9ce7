"""Forms of the schedule's set-up."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from careloop.kernel.money import decimals_of
from careloop.scheduling.models import Absence, Mode, Pool, Resource, Service
from careloop.web.screens.schedule.common import uuid_of

QUESTION_KINDS = [
    ("text", gettext_lazy("words")), ("yesno", gettext_lazy("yes or no")), ("number", gettext_lazy("a number")), ("date", gettext_lazy("a day")),
]  # fmt: skip
PARITIES = [("all", gettext_lazy("every")), ("odd", gettext_lazy("odd")), ("even", gettext_lazy("even"))]
COLOURS = [
    (0, gettext_lazy("blue")),
    (1, gettext_lazy("orange")),
    (2, gettext_lazy("green")),
    (3, gettext_lazy("pink")),
    (4, gettext_lazy("violet")),
]
MOST_QUESTIONS, MOST_POOLS = 12, 8


class DayField(forms.DateField):
    """A day, picked in the browser."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class ClockField(forms.TimeField):
    """A time of the day, picked in the browser."""

    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class ServiceForm(forms.Form):
    """What patients can come for, and the rules for booking it themselves."""

    name = forms.CharField(label=pgettext_lazy("service", "Name"), max_length=60)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Patients read it when they book."),
    )  # fmt: skip
    minutes = forms.IntegerField(label=gettext_lazy("Minutes"), min_value=1, max_value=720, initial=30)
    first_visit_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes at the first visit"),
        min_value=1,
        max_value=720,
        required=False,
        help_text=gettext_lazy("Empty: the same."),
    )
    colour = forms.TypedChoiceField(label=gettext_lazy("Colour in the calendar"), coerce=int, choices=COLOURS)
    payer = forms.ChoiceField(label=gettext_lazy("Who pays"), choices=Service.Payer.choices)
    price = forms.DecimalField(label=gettext_lazy("Price"), min_value=0, max_value=9_999_999, required=False, initial=0)
    deposit = forms.DecimalField(
        label=gettext_lazy("Deposit"), min_value=0, max_value=9_999_999, required=False, initial=0,
        help_text=gettext_lazy("Only for self-pay: the law forbids a deposit on what the National Health Insurance pays."),
    )  # fmt: skip
    practitioners = forms.MultipleChoiceField(
        label=gettext_lazy("Offered by"), required=False, widget=forms.CheckboxSelectMultiple
    )
    equipment = forms.MultipleChoiceField(
        label=gettext_lazy("Needs one of"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("One free piece at the branch is kept for each visit."),
    )  # fmt: skip
    is_online = forms.BooleanField(label=gettext_lazy("Patients can book it themselves"), required=False, initial=True)
    who = forms.ChoiceField(label=gettext_lazy("For whom"), choices=Service.Who.choices)
    days_ahead = forms.IntegerField(label=gettext_lazy("How many days ahead"), min_value=0, max_value=365, initial=60)
    notice_minutes = forms.IntegerField(
        label=gettext_lazy("Until how many minutes before"), min_value=0, max_value=43_200, initial=60
    )
    change_minutes = forms.IntegerField(
        label=gettext_lazy("Moving and cancelling until how many minutes before"),
        min_value=0,
        max_value=43_200,
        initial=120,
    )
    verify_phone = forms.BooleanField(
        label=gettext_lazy("The telephone number must be proved by a code"), required=False, initial=True
    )
    is_active = forms.BooleanField(label=gettext_lazy("In use"), required=False, initial=True)

    def __init__(self, *args: Any, people: Any, equipment: Any, currency: str, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decimals = decimals_of(currency)
        for name in ("price", "deposit"):
            self.fields[name].decimal_places = self.decimals  # type: ignore[attr-defined]
            self.fields[name].widget.attrs["step"] = "1" if not self.decimals else "0.01"
            self.fields[name].label = _("%(what)s (%(currency)s)") % {
                "what": self.fields[name].label,
                "currency": currency,
            }
        self.fields["practitioners"].choices = people  # type: ignore[attr-defined]
        self.fields["equipment"].choices = equipment  # type: ignore[attr-defined]
        if not equipment:
            del self.fields["equipment"]
        self.languages = [(code, label) for code, label in settings.LANGUAGES if code != language]
        for code, label in self.languages:
            self.fields[f"name_{code}"] = forms.CharField(
                label=label, required=False, max_length=60, widget=forms.TextInput(attrs={"lang": code})
            )

    def names(self) -> list[Any]:
        """The fields of the name in other languages, for the template."""
        return [self[f"name_{code}"] for code, _label in self.languages]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("payer") == "NHI" and given.get("deposit"):
            self.add_error("deposit", _("No deposit can be asked for what the National Health Insurance pays."))
        return given

    def values(self) -> dict[str, Any]:
        """What `catalogue.save_service` takes, without the links."""
        given = dict(self.cleaned_data)
        unit = Decimal(10) ** self.decimals
        return {
            **{name: given[name] for name in (
                "name", "description", "minutes", "first_visit_minutes", "colour", "payer", "is_online", "who", "days_ahead", "notice_minutes",
                "change_minutes", "verify_phone", "is_active",
            )},
            "price": int((given["price"] or 0) * unit), "deposit": int((given["deposit"] or 0) * unit),
            "names": {code: given[f"name_{code}"] for code, _label in self.languages if given[f"name_{code}"]},
        }  # fmt: skip


class QuestionForm(forms.Form):
    """One question asked before the visit; without words it is left out."""

    key = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    text = forms.CharField(label=gettext_lazy("Question"), required=False, max_length=200)
    kind = forms.ChoiceField(label=pgettext_lazy("schedule", "Answer"), choices=QUESTION_KINDS, required=False)
    required = forms.BooleanField(label=gettext_lazy("must be answered"), required=False)


Questions = forms.formset_factory(QuestionForm, extra=2, max_num=MOST_QUESTIONS, validate_max=True)


def questions_of(formset: Any) -> list[dict[str, Any]]:
    """The questions that have words; a new one gets a key of its own."""
    return [
        {"key": one["key"] or uuid4().hex[:8], "text": one["text"], "kind": one["kind"] or "text", "required": bool(one["required"])}
        for one in (form.cleaned_data for form in formset.forms if form.cleaned_data) if one.get("text")
    ]  # fmt: skip


class ResourceForm(forms.Form):
    """A room or a piece of equipment."""

    kind = forms.ChoiceField(label=gettext_lazy("What it is"), choices=Resource.Kind.choices)
    name = forms.CharField(label=pgettext_lazy("service", "Name"), max_length=60)
    location = forms.ChoiceField(label=gettext_lazy("Clinic"))
    is_active = forms.BooleanField(label=gettext_lazy("In use"), required=False, initial=True)

    def __init__(self, *args: Any, locations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = locations  # type: ignore[attr-defined]


class PractitionerForm(forms.Form):
    """Somebody who treats patients."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=160)
    specialty = forms.CharField(label=gettext_lazy("Specialty"), required=False, max_length=80)
    user = forms.ChoiceField(
        label=gettext_lazy("Staff account"), required=False,
        help_text=gettext_lazy("Whose account this is, so that the person sees their own sessions first."),
    )  # fmt: skip
    is_active = forms.BooleanField(label=gettext_lazy("Sees patients here"), required=False, initial=True)

    def __init__(self, *args: Any, staff: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].choices = [("", _("None")), *staff]  # type: ignore[attr-defined]


class TemplateForm(forms.Form):
    """One session of a practitioner's week."""

    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"))
    location = forms.ChoiceField(label=gettext_lazy("Clinic"))
    room = forms.ChoiceField(label=gettext_lazy("Room"), required=False)
    weekday = forms.TypedChoiceField(label=gettext_lazy("Weekday"), coerce=int)
    starts = ClockField(label=pgettext_lazy("schedule", "From"), initial="09:00")
    ends = ClockField(label=pgettext_lazy("schedule", "Until"), initial="12:00")
    mode = forms.ChoiceField(label=gettext_lazy("Places are given"), choices=Mode.choices)
    slot_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes of one place"), min_value=1, max_value=240, initial=15,
        help_text=gettext_lazy("By number: how long one patient takes, for the expected time."),
    )  # fmt: skip
    numbers = forms.IntegerField(
        label=gettext_lazy("How many numbers"),
        min_value=0,
        max_value=999,
        required=False,
        initial=0,
        help_text=gettext_lazy("Only by number."),
    )
    services = forms.MultipleChoiceField(
        label=gettext_lazy("Services"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: everything the practitioner offers."),
    )  # fmt: skip
    valid_from = DayField(label=gettext_lazy("First day"))
    valid_to = DayField(
        label=gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: until further notice.")
    )
    on_holidays = forms.BooleanField(label=gettext_lazy("Also on public holidays"), required=False)

    def __init__(self, *args: Any, people: Any, locations: Any, rooms: Any, services: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].choices = people  # type: ignore[attr-defined]
        self.fields["location"].choices = locations  # type: ignore[attr-defined]
        self.fields["room"].choices = [("", _("No room")), *rooms]  # type: ignore[attr-defined]
        self.fields["weekday"].choices = [(day, WEEKDAYS[day - 1]) for day in range(1, 8)]  # type: ignore[attr-defined]
        self.fields["services"].choices = services  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """What `planning.set_template` takes, without the pools."""
        given = self.cleaned_data
        return {
            "practitioner_id": uuid_of(given["practitioner"]), "location_id": uuid_of(given["location"]), "room_id": uuid_of(given["room"]),
            "services": [uuid_of(one) for one in given["services"]], "numbers": given["numbers"] if given["mode"] == Mode.NUMBERS else 0,
            **{name: given[name] for name in ("weekday", "starts", "ends", "mode", "slot_minutes", "valid_from", "valid_to", "on_holidays")},
        }  # fmt: skip


class PoolForm(forms.Form):
    """Which numbers are kept for whom; without a group it is left out."""

    pool = forms.ChoiceField(label=gettext_lazy("For whom"), required=False, choices=[("", "–"), *Pool.choices])
    first = forms.IntegerField(label=gettext_lazy("First number"), required=False, min_value=1, max_value=999)
    last = forms.IntegerField(label=gettext_lazy("Last number"), required=False, min_value=1, max_value=999)
    parity = forms.ChoiceField(label=gettext_lazy("Which of them"), required=False, choices=PARITIES)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("pool"):
            for name in ("first", "last"):
                if not given.get(name) and name not in self.errors:
                    self.add_error(name, _("Say which number."))
        return given


Pools = forms.formset_factory(PoolForm, extra=3, max_num=MOST_POOLS, validate_max=True)


def pools_of(formset: Any) -> list[dict[str, Any]]:
    """The groups of numbers as a template keeps them."""
    return [
        {"pool": one["pool"], "first": one["first"], "last": one["last"], "parity": one["parity"] or "all"}
        for one in (form.cleaned_data for form in formset.forms if form.cleaned_data) if one.get("pool")
    ]  # fmt: skip


class EndForm(forms.Form):
    """The last day on which a session of the week takes place."""

    last = DayField(
        label=gettext_lazy("Last day"),
        help_text=gettext_lazy("A day before the first one removes the session altogether."),
    )


class AbsenceForm(forms.Form):
    """When a practitioner sees nobody; without times whole days."""

    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"))
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Absence.Kind.choices)
    first = DayField(label=gettext_lazy("First day"))
    starts = ClockField(
        label=pgettext_lazy("schedule", "From"), required=False, help_text=gettext_lazy("Empty: the whole day.")
    )
    last = DayField(label=gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: the same day."))
    ends = ClockField(
        label=pgettext_lazy("schedule", "Until"), required=False, help_text=gettext_lazy("Empty: the whole day.")
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Colleagues see it in the calendar."),
    )

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].choices = people  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("first"):
            start, end = self.bounds(ZoneInfo("UTC"))
            if end <= start:
                self.add_error("last" if given.get("last") else "ends", _("The absence must end after it begins."))
            elif end - start > timedelta(days=400):
                self.add_error("last", _("An absence can last 400 days. Is the year right?"))
        return given

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """From when until when, on the clinic's clock."""
        given = self.cleaned_data
        last = given.get("last") or given["first"]
        start = datetime.combine(given["first"], given.get("starts") or time.min, zone)
        end = (
            datetime.combine(last, given["ends"], zone)
            if given.get("ends")
            else datetime.combine(last + timedelta(days=1), time.min, zone)
        )
        return start, end


class DayForm(forms.Form):
    """The clinic's own word on a day."""

    CHOICES = [
        ("calendar", gettext_lazy("As the calendar says")),
        ("closed", pgettext_lazy("schedule", "Closed")),
        ("open", gettext_lazy("Open, although it is a holiday")),
    ]

    location = forms.ChoiceField(label=gettext_lazy("Clinic"), required=False)
    word = forms.ChoiceField(label=gettext_lazy("This day is"), choices=CHOICES, widget=forms.RadioSelect)
    name = forms.CharField(
        label=pgettext_lazy("schedule", "Why"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("As: clinic outing."),
    )

    def __init__(self, *args: Any, locations: Any, all_branches: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = [*([("", _("All"))] if all_branches else []), *locations]  # type: ignore[attr-defined]
