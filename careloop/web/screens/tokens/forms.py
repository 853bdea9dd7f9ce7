"""What somebody decides when making a token."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.api.scopes import SCOPES

# the first is offered: long enough not to annoy, short enough that a forgotten token ends by itself
LIFETIMES = [("90", _("90 days")), ("30", _("30 days")), ("365", _("one year")), ("", _("no end"))]


class TokenForm(forms.Form):
    name = forms.CharField(
        label=pgettext_lazy("API token", "Name"),
        max_length=80,
        help_text=_("Which program this is for, for example “Booking system”. It stands in the audit log."),
    )
    scopes = forms.MultipleChoiceField(
        label=pgettext_lazy("API token", "May do"),
        choices=list(SCOPES.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Give only what the program needs; a leaked token can do all of it."),
    )
    lifetime = forms.ChoiceField(
        label=_("Valid for"),
        choices=LIFETIMES,
        required=False,
        initial="90",
        help_text=_("Afterwards the program is refused until it gets a new token."),
    )

    def token(self, *, now: datetime) -> dict[str, Any]:
        """Return what `create_token` takes."""
        days = self.cleaned_data["lifetime"]
        return {
            "name": self.cleaned_data["name"],
            "scopes": self.cleaned_data["scopes"],
            "expires_at": now + timedelta(days=int(days)) if days else None,
        }
