"""All addresses. Each slice lists its own in `<slice>/urls.py`, each group of staff pages in `web/screens/<group>/urls.py`."""

from importlib.util import find_spec
from pathlib import Path

from django.urls import include, path

import careloop.web

SLICES = [
    "web", "accounts", "audit", "policy", "patients", "consent", "records", "followups", "messaging", "segments", "journeys",
    "insights", "integrations", "integrations.channels", "integrations.icalendar", "integrations.payments", "portal", "portal.queue", "api",
]  # fmt: skip

SCREENS = sorted(file.parent.name for file in (Path(careloop.web.__file__).parent / "screens").glob("*/urls.py"))

urlpatterns = [
    *(path("", include(f"careloop.{name}.urls")) for name in SLICES if find_spec(f"careloop.{name}.urls")),
    *(path("", include(f"careloop.web.screens.{name}.urls")) for name in SCREENS),
    # after careloop.accounts.urls, which closes the pages of allauth that are not used here
    path("accounts/", include("allauth.urls")),
]

handler400 = "careloop.web.errors.bad_request"
handler403 = "careloop.web.errors.permission_denied"
handler404 = "careloop.web.errors.page_not_found"
handler500 = "careloop.web.errors.server_error"
