"""What a token may be allowed to do."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SCOPES: dict[str, str | Promise] = {
    "patients:read": _("Read patients"),
    "patients:write": _("Register and change patients"),
    "events:read": _("Read events"),
    "segments:read": _("Read segments and their members"),
    "segments:write": _("Make segments"),
    "messages:read": _("Read messages"),
    "messages:write": _("Plan messages"),
}
