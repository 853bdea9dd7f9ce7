"""What is asked before a person's data leave, rest or go."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Asks why: who asked for it, when and how."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200,
        help_text=_("Who asked for it, when and how, for example: in writing on 3 May. Kept in the audit log."),
    )  # fmt: skip


class EraseForm(ReasonForm):
    """Asks for the name once more, because nothing brings the data back."""

    name = forms.CharField(
        label=_("The patient's name, to be sure"), max_length=160, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, patient_name: str, **named: Any) -> None:
        super().__init__(*args, **named)
        self.patient_name = patient_name

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.patient_name:
            raise forms.ValidationError(_("This is not the name of this patient."))
        return name
