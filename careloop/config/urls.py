"""All addresses. Each slice lists its own in `<slice>/urls.py`."""

from importlib.util import find_spec

from django.urls import include, path

SLICES = [
    "web", "accounts", "audit", "policy", "patients", "consent", "records", "followups", "messaging", "segments", "journeys",
    "insights", "integrations", "integrations.channels", "portal", "api",
]  # fmt: skip

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    *(path("", include(f"careloop.{name}.urls")) for name in SLICES if find_spec(f"careloop.{name}.urls")),
]

handler400 = "careloop.web.errors.bad_request"
handler403 = "careloop.web.errors.permission_denied"
handler404 = "careloop.web.errors.page_not_found"
handler500 = "careloop.web.errors.server_error"
