"""Forms of the follow-ups' screens."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.followups.models import FollowUp
from careloop.kernel.ids import uuid7

PRIORITIES = [(1, _("urgent")), (2, pgettext_lazy("priority", "normal")), (3, _("low"))]
MORNING = time(9, 30)

LATER = [
    ("3h", _("In three hours")),
    ("tomorrow", _("Tomorrow morning")),
    ("3d", _("In three days")),
    ("week", _("In a week")),
]
NOT_REACHED = (FollowUp.Outcome.NO_ANSWER, FollowUp.Outcome.CALL_BACK, FollowUp.Outcome.WRONG_NUMBER)


def moment_of(choice: str, *, now: datetime, zone: ZoneInfo) -> datetime:
    """Return what “tomorrow morning” means at the clinic."""
    local = now.astimezone(zone)
    if choice == "3h":
        return local + timedelta(hours=3)
    days = {"tomorrow": 1, "3d": 3, "week": 7}[choice]
    return datetime.combine(local.date() + timedelta(days=days), MORNING, zone)


class FilterForm(forms.Form):
    """Filters of the worklist; `when` is the tab and stays in the address."""

    when = forms.CharField(required=False, widget=forms.HiddenInput)
    owner = forms.ChoiceField(label=_("In charge"), required=False)
    location = forms.ChoiceField(label=_("Clinic"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("All")), *FollowUp.Kind.choices])
    priority = forms.TypedChoiceField(
        label=_("Priority"), required=False, coerce=int, empty_value=None, choices=[("", _("All")), *PRIORITIES]
    )

    def __init__(self, *args: Any, staff: list[dict[str, Any]], locations: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owners = [("", _("Everybody")), ("me", _("Mine")), ("nobody", _("Nobody yet"))]
        self.fields["owner"].choices = [*owners, *((str(one["id"]), one["name"]) for one in staff)]  # type: ignore[attr-defined]
        self.fields["location"].choices = [("", _("All")), *((str(one["id"]), one["name"]) for one in locations)]  # type: ignore[attr-defined]
        if len(locations) < 2:
            del self.fields["location"]


class OutcomeForm(forms.Form):
    """What came of it, in one form: outcome, a note, and whether to try again."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    outcome = forms.ChoiceField(label=_("What came of it"), choices=FollowUp.Outcome.choices, widget=forms.RadioSelect)
    note = forms.CharField(
        label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What matters to the next person; no diagnosis that belongs into the chart."),
    )  # fmt: skip
    again = forms.ChoiceField(
        label=_("Try again"), required=False, choices=[("", _("No, close it")), *LATER],
        help_text=_("Only when the patient was not reached."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("again") and given.get("outcome") not in NOT_REACHED:
            self.add_error("again", _("Trying again is for patients who were not reached."))
        return given


class SnoozeForm(forms.Form):
    """Until when to put it off."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    until = forms.ChoiceField(label=_("Put off until"), choices=LATER)


class NewForm(forms.Form):
    """A follow-up that staff open themselves. `key` makes a double click open one."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    title = forms.CharField(label=_("What is to be done"), max_length=160)
    kind = forms.ChoiceField(label=_("Kind"), choices=FollowUp.Kind.choices)
    priority = forms.TypedChoiceField(label=_("Priority"), coerce=int, choices=PRIORITIES, initial=2)
    due = forms.ChoiceField(label=_("Due"), choices=[("now", _("Now")), *LATER], initial="now")
    owner = forms.ChoiceField(label=_("In charge"), required=False)
    script = forms.CharField(
        label=_("What to say or check"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, staff: list[dict[str, Any]], **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"key": uuid7().hex, "priority": 2, "due": "now"})
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [("", _("Nobody yet")), *((str(one["id"]), one["name"]) for one in staff)]  # type: ignore[attr-defined]
