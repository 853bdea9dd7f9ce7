"""A channel's settings as a form, made from what its adapter says it needs."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.messaging.models import ChannelAccount
from careloop.messaging.ports import ChannelKind, SettingField

MOST = 1_000_000_000  # what a whole number in the database holds, and more than anybody sends


class AccountForm(forms.Form):
    """Name, budget and what the adapter asks for. Secrets are written, never shown: empty keeps the stored one."""

    name = forms.CharField(label=pgettext_lazy("channel", "Name"), max_length=80)
    monthly_budget = forms.IntegerField(
        label=_("Messages a month at most"),
        required=False,
        min_value=0,
        max_value=MOST,
        help_text=_("Empty: no limit of ours."),
    )
    enabled = forms.BooleanField(label=_("Switched on"), required=False, initial=True)
    is_default = forms.BooleanField(label=_("Used for new messages on this channel"), required=False, initial=True)

    def __init__(self, *args: Any, kind: ChannelKind, account: ChannelAccount | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        stored = account.settings if account else {}
        made = {
            setting.name: field_of(setting, stored.get(setting.name), exists=account is not None)
            for setting in kind.fields
        }
        own = {name: self.fields.pop(name) for name in ("monthly_budget", "enabled", "is_default")}
        self.fields.update({f"set_{name}": field for name, field in made.items()})
        self.fields.update(own)
        if account is not None:
            self.initial = {
                **self.initial,
                "name": account.name, "monthly_budget": account.monthly_budget, "enabled": account.enabled,
                "is_default": account.is_default,
            }  # fmt: skip

    def given(self) -> dict[str, Any]:
        """Return the adapter's settings as typed."""
        return {setting.name: self.cleaned_data.get(f"set_{setting.name}") for setting in self.kind.fields}


def field_of(setting: SettingField, stored: Any, *, exists: bool) -> forms.Field:
    required = setting.required and not (setting.secret and exists)
    common: dict[str, Any] = {"label": setting.label, "required": required, "help_text": setting.help}
    initial = stored if stored not in (None, "") else setting.default
    if setting.secret:
        hint = _("Stored. Type a new one to replace it.") if exists else setting.help
        return forms.CharField(
            **{**common, "help_text": hint},
            max_length=2000,
            strip=True,
            widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        )
    if setting.type == "choice":
        return forms.ChoiceField(**common, choices=setting.choices, initial=initial)
    if setting.type == "number":
        return forms.IntegerField(**common, min_value=0, max_value=MOST, initial=initial)
    if setting.type == "email":
        return forms.EmailField(**common, initial=initial)
    return forms.CharField(**common, max_length=300, initial=initial)
