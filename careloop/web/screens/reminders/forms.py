"""Which reminders go, and when."""

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from careloop.policy.timing import QuietWindow, is_quiet
from careloop.reminders.models import ReminderSettings
from careloop.reminders.services import FIELDS

HOURS = [(hour, f"{hour:02d}:00") for hour in range(24)]


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Reminders as a clinic wants them; hours outside the quiet ones, because nothing leaves then."""

    hour = forms.TypedChoiceField(
        choices=HOURS, coerce=int, label=ReminderSettings._meta.get_field("hour").verbose_name
    )
    same_day_hour = forms.TypedChoiceField(
        choices=HOURS, coerce=int, label=ReminderSettings._meta.get_field("same_day_hour").verbose_name,
        help_text=_("Nobody is reminded less than half an hour before the visit."),
    )  # fmt: skip
    call_hour = forms.TypedChoiceField(
        choices=HOURS, coerce=int, label=ReminderSettings._meta.get_field("call_hour").verbose_name
    )

    class Meta:
        model = ReminderSettings
        fields = FIELDS

    def __init__(self, *args: Any, window: QuietWindow, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window = window
        for name, least, most in (("early_from_days", 2, 30), ("early_to_days", 2, 30)):
            self.fields[name].min_value = least  # type: ignore[attr-defined]
            self.fields[name].widget.attrs |= {"min": least, "max": most}

    def _outside_quiet_hours(self, name: str) -> int:
        hour: int = self.cleaned_data[name]
        if is_quiet(time(hour), self.window):
            raise forms.ValidationError(_("Nothing leaves in the quiet hours. Choose a later or an earlier hour."))
        return hour

    def clean_hour(self) -> int:
        return self._outside_quiet_hours("hour")

    def clean_same_day_hour(self) -> int:
        return self._outside_quiet_hours("same_day_hour")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        first, last = given.get("early_from_days"), given.get("early_to_days")
        for name, value in (("early_from_days", first), ("early_to_days", last)):
            if value is not None and not 2 <= value <= 30:
                self.add_error(name, _("Between 2 and 30 days."))
        if first is not None and last is not None and first < last:
            self.add_error("early_to_days", _("The last day cannot be earlier than the first."))
        return given
