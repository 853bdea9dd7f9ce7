"""What somebody decides when making a link or importing leave."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.records.models import Practitioner
from careloop.scheduling.models import Absence


def _practitioners(those: Any) -> list[tuple[str, str]]:
    """Choices of practitioners; two of the same name are told apart by what they do."""
    return [(str(one.pk), f"{one.name} ({one.specialty})" if one.specialty else one.name) for one in those]


class LinkForm(forms.Form):
    practitioner = forms.ChoiceField(label=_("Practitioner"))
    with_names = forms.BooleanField(
        label=_("Show who comes, with masked names (王○明)"),
        required=False,
        help_text=_(
            "Then the calendar does not say what for. Whoever holds the link sees the names, and so does the company that keeps the calendar."
        ),
    )

    def __init__(self, *args: Any, practitioners: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = _practitioners(practitioners)
        self.fields["practitioner"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["practitioner"].initial = choices[0][0]


class LeaveForm(forms.Form):
    """A calendar file and whose it is."""

    practitioner = forms.ChoiceField(label=_("Practitioner"))
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "The calendar as an .ics file of at most 1 MB: “Export” in Google Calendar, Outlook or Apple Calendar."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".ics,.ical,.ifb,text/calendar"}),
    )
    kind = forms.ChoiceField(
        label=pgettext_lazy("absence", "Kind"), choices=Absence.Kind.choices, initial=Absence.Kind.LEAVE
    )
    all_day = forms.ChoiceField(
        label=_("Whole days"),
        choices=[
            ("busy", _("count when the calendar shows them as busy")),
            ("always", _("always count")),
            ("never", _("never count")),
        ],
        initial="busy",
        help_text=_("Many programs show a whole day as free unless told otherwise; then choose “always count”."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].choices = [  # type: ignore[attr-defined]
            ("", "–"), *_practitioners(Practitioner.objects.filter(is_active=True).order_by("name", "id")),
        ]  # fmt: skip
