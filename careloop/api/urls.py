"""`/api/v1/…`. Every address asks for a token; that is why the session's guard lets them pass.

Addresses and methods that do not exist are refused in the shape of every refusal, and not with a page for people.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from careloop.accounts.access import Access
from careloop.api.v1 import api, method_refused, not_there

View = Callable[..., HttpResponse]
OPEN = Access("public", why="asks for a bearer token with scopes itself; cookies are not looked at")
NOWHERE = Access("public", why="says that there is nothing, and looks at nothing")


def _in_our_shape(view: View) -> View:
    @wraps(view)
    def shaped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        return method_refused(request, response["Allow"]) if response.status_code == 405 else response

    return shaped


URLS = api.urls
for pattern in URLS[0]:
    pattern.callback = _in_our_shape(pattern.callback)  # type: ignore[arg-type, union-attr]
    pattern.callback.access = OPEN  # type: ignore[union-attr, attr-defined]

nowhere = csrf_exempt(not_there)
nowhere.access = NOWHERE  # type: ignore[attr-defined]

# the root comes first: the library's own answers with a page
urlpatterns = [path("api/v1/", nowhere), path("api/v1/", URLS), re_path(r"^api/v1/(?P<rest>.*)$", nowhere)]
