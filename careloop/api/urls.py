"""`/api/v1/…`. Every address asks for a token; that is why the session's guard lets them pass."""

from django.urls import path

from careloop.accounts.access import Access
from careloop.api.v1 import api

URLS = api.urls
for pattern in URLS[0]:
    pattern.callback.access = Access(  # type: ignore[union-attr]
        "public", why="asks for a bearer token with scopes itself; cookies are not looked at"
    )

urlpatterns = [path("api/v1/", URLS)]
