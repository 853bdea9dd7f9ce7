"""A card on the settings page."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.web.screens.settings.home import Card, register

register(
    Card(
        "outside",
        pgettext_lazy("API token", "API tokens"),
        _("Let other programs of the clinic read and write, each within limits."),
        "tokens:list",
        "key",
        ("api.tokens",),
    )
)
