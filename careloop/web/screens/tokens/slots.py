"""A card on the settings page."""

from django.utils.translation import gettext_lazy as _

from careloop.web.screens.settings.home import Card, register

register(
    Card(
        "outside",
        _("API tokens"),
        _("Let other programs of the clinic read and write, each within limits."),
        "tokens:list",
        "key",
        ("api.tokens",),
    )
)
