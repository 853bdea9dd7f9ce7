"""Forms of the waiting room's screens."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.waitingroom.models import Display, QueueRules

NEAR_LABEL = _("Tell patients when so many are ahead")


class ScanForm(forms.Form):
    """What a scanner types: the code on a patient's phone."""

    code = forms.CharField(
        label=_("Scan a patient’s code"), max_length=300, required=False, strip=True,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "spellcheck": "false"}),
    )  # fmt: skip


class HoldForm(forms.Form):
    """Where the patient goes meanwhile."""

    held_for = forms.CharField(
        label=_("Goes to"), max_length=80, required=False, help_text=_("For example: X-ray, blood test.")
    )


class TransferForm(forms.Form):
    """Which session sees the patient, and where in its queue."""

    session = forms.ChoiceField(label=_("Transfer to"))
    place = forms.ChoiceField(
        label=_("Place there"),
        choices=[
            ("turn", _("by the time the patient was booked for")),
            ("next", pgettext_lazy("queue", "next")),
            ("end", _("at the end")),
        ],
    )

    def __init__(self, *args: Any, sessions: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["session"].choices = sessions  # type: ignore[attr-defined]


class WalkInForm(forms.Form):
    """A patient found by the search, and what they come for. `key` makes a double click give one number."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    patient = forms.ChoiceField(label=_("Patient"), widget=forms.RadioSelect)
    service = forms.ChoiceField(label=_("Comes for"))
    extra = forms.BooleanField(
        label=_("Give an extra number if all are given out"), required=False,
        help_text=_("The physician sees one patient more than planned."),
    )  # fmt: skip

    def __init__(
        self, *args: Any, patients: list[tuple[str, str]], services: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        kwargs.setdefault("initial", {"key": uuid7().hex, "patient": patients[0][0] if len(patients) == 1 else None})
        super().__init__(*args, **kwargs)
        self.fields["patient"].choices = patients  # type: ignore[attr-defined]
        self.fields["service"].choices = services  # type: ignore[attr-defined]


class RulesForm(forms.ModelForm):
    """The rules of a queue, in words."""

    class Meta:
        model = QueueRules
        fields = (
            "order", "booked_in_turn", "walk_ins_in_turn", "missed", "missed_after", "missed_times", "self_check_in", "opens_minutes",
            "closes_minutes", "near",
        )  # fmt: skip
        labels = {
            "order": _("Who is called next"),
            "booked_in_turn": _("Booked patients in turn"),
            "walk_ins_in_turn": _("Then walk-ins in turn"),
            "missed": _("Who is called and does not come"),
            "missed_after": _("Comes back after so many others"),
            "missed_times": _("Must check in again after so many missed calls"),
            "self_check_in": _("Patients may check in themselves"),
            "opens_minutes": _("Check-in opens, minutes before the session"),
            "closes_minutes": _("Check-in closes, minutes before its end"),
            "near": NEAR_LABEL,
        }
        help_texts = {
            "booked_in_turn": _("Only for “in turn”."),
            "walk_ins_in_turn": _("Only for “in turn”."),
            "opens_minutes": _("The desk can check patients in at any time."),
            "near": _("They get a message that it will soon be their turn."),
        }

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        for name, least, most in (
            ("booked_in_turn", 1, 20), ("walk_ins_in_turn", 1, 20), ("missed_after", 1, 20), ("missed_times", 1, 9),
            ("near", 1, 20), ("opens_minutes", 0, 720), ("closes_minutes", 0, 720),
        ):  # fmt: skip
            value = given.get(name)
            if value is not None and not least <= value <= most:
                self.add_error(name, _("Between %(least)d and %(most)d.") % {"least": least, "most": most})
        return given


class ScreenForm(forms.ModelForm):
    """A screen in the waiting room."""

    class Meta:
        model = Display
        fields = ("name", "location", "kind", "language", "theme", "shows_names", "shows_code")
        labels = {
            "name": _("Name of the screen"),
            "location": _("Clinic"),
            "kind": _("Shows"),
            "language": _("Language"),
            "theme": _("Colours"),
            "shows_names": _("Masked names beside the numbers (王○明)"),
            "shows_code": _("The check-in code in a corner"),
        }
