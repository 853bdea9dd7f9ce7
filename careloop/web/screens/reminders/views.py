"""Settings: what patients are told of their visits, and when."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires_any
from careloop.policy.selectors import quiet_window
from careloop.reminders import rules, services
from careloop.web.http import redirect_to, respond
from careloop.web.screens.reminders.forms import SettingsForm

GROUPS: tuple[tuple[str, ...], ...] = (
    ("confirmation", "early", "early_from_days", "early_to_days", "day_before", "hour", "same_day", "same_day_hour"),
    ("turn_near", "number_link"),
    ("call_list", "call_hour", "rebook"),
)


@requires_any("schedule.manage", "settings.organization")
def settings(request: HttpRequest) -> HttpResponse:
    """One form; what tells of a change has no switch."""
    member: Any = request.member  # type: ignore[attr-defined]
    organization = organizations.current()
    form = SettingsForm(request.POST or None, instance=services.current(), window=quiet_window(organization))
    if request.method == "POST" and form.is_valid():
        services.save(given=form.cleaned_data, now=timezone.now(), by=member.user_id)
        return redirect_to(request, reverse("reminders:settings"), message=_("Saved."))
    risk = rules.risk_on(timezone.localdate())
    context = {
        "form": form, "messages_fields": [form[name] for name in GROUPS[0]], "waiting_fields": [form[name] for name in GROUPS[1]],
        "calls_fields": [form[name] for name in GROUPS[2]],
        "threshold": risk.threshold, "factors": [{"label": label, "points": risk.points[name]} for name, label in _factors().items() if name in risk.points],
        "may_templates": member.can("messages.templates"),
    }  # fmt: skip
    return respond(request, "reminders/settings.html", context, status=422 if request.method == "POST" else 200)


def _factors() -> dict[str, str]:
    return {
        "earlier_no_show": _("did not come to a visit in the last year"), "lead_over_28_days": _("booked more than four weeks ahead"),
        "first_visit": _("first visit"), "not_reached": _("no message about the visit arrived"),
        "lead_7_to_28_days": _("booked one to four weeks ahead"), "under_40": _("younger than 40"),
        "evening": _("visit in the evening"), "saturday": _("visit on a Saturday"), "booked_online": _("booked online"),
    }  # fmt: skip
