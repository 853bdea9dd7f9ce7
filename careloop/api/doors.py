"""What every operation of the API shares: its token with a scope, its refusals, its pages."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from ninja import Query
from ninja.security import HttpBearer

from careloop.api import schemas
from careloop.api.errors import ScopeNeeded, UnknownParameter
from careloop.api.pages import MOST

PROBLEMS = {
    400: schemas.Problem,
    401: schemas.Problem,
    403: schemas.Problem,
    404: schemas.Problem,
    409: schemas.Problem,
    422: schemas.Problem,
}
Limit = Query(50, ge=1, le=MOST)
Cursor = Query("", max_length=400)


class Token(HttpBearer):
    """The token the middleware found, if it has the scope; cookies and other schemes count for nothing.

    Asked before anything sent is looked at, so that a program without the scope learns nothing about what would be taken.
    """

    openapi_description = "A token made in Settings, API tokens."

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        found = request.api_token  # type: ignore[attr-defined]
        if found is not None and self.scope not in found["scopes"]:
            raise ScopeNeeded(scope=self.scope)
        return found


def known_parameters_only(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse what stands behind the `?` and is no parameter of the operation; it gets a decorator of django-ninja."""
    known = sorted(inspect.signature(operation).parameters.keys() - {"request", "body", "idempotency_key"})

    @wraps(operation)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if unknown := sorted(request.GET.keys() - set(known)):
            raise UnknownParameter(unknown=", ".join(unknown), known=", ".join(known) or "–")
        return operation(request, *args, **kwargs)

    return asked
