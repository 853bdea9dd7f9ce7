"""Forms of the messages' screens."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.messaging.models import Message, MessageClass
from careloop.messaging.reasons import REASONS
from careloop.messaging.selectors import Filters

ANY = ("", _("all"))
DAYS = [(7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (365, _("one year"))]


class FilterForm(forms.Form):
    """Which messages the list shows."""

    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[ANY, ("due", _("due now")), *Message.State.choices]
    )
    channel = forms.ChoiceField(
        label=_("Channel"), required=False, choices=[ANY, ("line", "LINE"), ("sms", _("SMS")), ("email", _("E-mail"))]
    )
    message_class = forms.ChoiceField(label=_("Class"), required=False, choices=[ANY, *MessageClass.choices])
    reason = forms.ChoiceField(label=_("Reason"), required=False, choices=[ANY, *REASONS.items()])
    days = forms.TypedChoiceField(
        label=_("Period"), required=False, choices=DAYS, coerce=int, empty_value="", initial=30
    )
    template = forms.CharField(required=False, widget=forms.HiddenInput)

    def filters(self) -> Filters:
        """Return what was chosen; what is not offered counts as not chosen."""
        self.is_valid()
        chosen = self.cleaned_data
        return Filters(
            state=chosen.get("state", ""), channel=chosen.get("channel", ""), message_class=chosen.get("message_class", ""),
            reason=chosen.get("reason", ""), template=chosen.get("template", ""), days=int(chosen.get("days") or 30),
        )  # fmt: skip


class WriteForm(forms.Form):
    """Words for one patient."""

    text = forms.CharField(
        label=_("Message"), max_length=1500, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Greeting and the clinic’s name are added. No diagnoses, medicines or results: these belong behind a sign-in."),
    )  # fmt: skip
    channel = forms.ChoiceField(label=_("Channel"), required=False)
    subject = forms.CharField(label=_("Subject (e-mail only)"), required=False, max_length=120)
    key = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, channels: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].choices = [("", _("the best way to this patient")), *channels]  # type: ignore[attr-defined]


class NewTemplateForm(forms.Form):
    """A template before it has words."""

    name = forms.CharField(label=pgettext_lazy("template", "Name"), max_length=80)
    description = forms.CharField(label=_("What it is for"), max_length=200, required=False)
    message_class = forms.ChoiceField(
        label=_("Class"), choices=MessageClass.choices,
        help_text=_("Decides which consent is needed. A template never changes its class."),
    )  # fmt: skip
