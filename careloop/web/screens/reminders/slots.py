"""A card on the settings page."""

from django.utils.translation import gettext_lazy as _

from careloop.web.screens.settings.home import Card, register

register(
    Card(
        "clinic",
        _("Appointment messages"),
        _("Confirmations and reminders, when they leave, and who is called."),
        "reminders:settings",
        "calendar-time",
        ("schedule.manage", "settings.organization"),
    )
)
