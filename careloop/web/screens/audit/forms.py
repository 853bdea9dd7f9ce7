"""The filters of the audit log."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.audit.actions import ACTIONS, GROUPS, names_in
from careloop.audit.selectors import Wanted, actors

KINDS = [
    ("staff", _("staff")), ("visitor", _("visitor, not signed in")), ("patient", _("patient")), ("token", _("API token")),
    ("calendar", _("calendar program")), ("provider", _("payment provider")), ("partner", _("partner")), ("reader", _("event reader")), ("job", _("background work")), ("command", _("command line")), ("system", _("system")),
]  # fmt: skip

LATEST = date(2999, 12, 31)  # a day after it can be reckoned


class FilterForm(forms.Form):
    """Who, what, whom, when, why."""

    who = forms.ChoiceField(label=_("Who"), required=False)
    group = forms.ChoiceField(label=pgettext_lazy("audit", "What"), required=False)
    action = forms.ChoiceField(required=False, widget=forms.HiddenInput)
    patient = forms.CharField(
        label=_("Patient"), required=False, max_length=100, widget=forms.TextInput(attrs={"type": "search"}),
        help_text=_("Name, chart number or birth date"),
    )  # fmt: skip
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    reason = forms.CharField(
        label=_("Reason"), required=False, max_length=100, widget=forms.TextInput(attrs={"type": "search"})
    )

    def __init__(self, *args: Any, may_see_patients: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(one["id"]), one["name"]) for one in actors()]
        self.fields["who"].choices = [  # type: ignore[attr-defined]
            ("", _("Everybody")), (_("Kinds"), [(f"kind:{name}", label) for name, label in KINDS]), (_("Staff"), people),
        ]  # fmt: skip
        self.fields["group"].choices = [("", _("Everything")), *GROUPS.items()]  # type: ignore[attr-defined]
        self.fields["action"].choices = [("", ""), *((name, name) for name in ACTIONS)]  # type: ignore[attr-defined]
        if not may_see_patients:
            del self.fields["patient"]

    def wanted(self, *, patient_id: UUID | None, zone: str) -> Wanted:
        """Return what the (valid) filters ask for; days are the organization's."""
        given = self.cleaned_data if self.is_valid() else {}
        who = given.get("who", "")
        actions: tuple[str, ...] = tuple(names_in(given["group"])) if given.get("group") else ()
        if given.get("action"):
            actions = (given["action"],)
        here = ZoneInfo(zone)
        since, until = given.get("since"), given.get("until")
        return Wanted(
            actor_id=UUID(who) if who and not who.startswith("kind:") else None,
            actor_kind=who.removeprefix("kind:") if who.startswith("kind:") else "",
            actions=actions,
            patient_id=patient_id,
            since=datetime.combine(since, time(), here) if since else None,
            until=datetime.combine(min(until, LATEST) + timedelta(days=1), time(), here) if until else None,
            reason=given.get("reason", "").strip(),
        )
