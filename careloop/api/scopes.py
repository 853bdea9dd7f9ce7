"""What a token may be allowed to do."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SCOPES: dict[str, str | Promise] = {
    "patients:read": _("Read patients"),
    "patients:write": _("Register and change patients"),
    "appointments:read": _("Read services, free places and appointments"),
    "appointments:write": _("Book, move and cancel appointments"),
    "events:read": _("Read events"),
    "segments:read": _("Read segments and their members"),
    "segments:write": _("Make segments"),
    "messages:read": _("Read messages"),
    "messages:write": _("Plan messages"),
}
