"""A card on the settings page."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.web.screens.settings.home import Card, register

register(
    Card(
        "outside",
        pgettext_lazy("calendar program", "Calendars"),
        _("Sessions and appointments in a practitioner’s own calendar program, and leave from there."),
        "calendars:list",
        "calendar",
        ("schedule.view", "schedule.manage"),
    )
)
