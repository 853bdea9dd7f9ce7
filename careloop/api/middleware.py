"""Each API request is one transaction inside the organization of its token."""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from careloop.api import services
from careloop.audit.services import Actor, acting_as
from careloop.kernel import sql
from careloop.tenancy import context

PREFIX = "/api/v1/"


class TokenOrganization:
    """Find the token and enter its organization. A wrong token goes on without one: the API itself refuses it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.api_token = None  # type: ignore[attr-defined]
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if not request.path.startswith(PREFIX) or scheme.lower() != "bearer" or not secret:
            return self.get_response(request)
        now = timezone.now()
        with transaction.atomic():
            token = services.enter_with(secret.strip(), now=now)
            if token is None:
                return self.get_response(request)
            request.api_token = token  # type: ignore[attr-defined]
            actor = Actor(
                "api_token", token["id"], token["name"], via="api", address=request.META.get("REMOTE_ADDR", "")
            )
            scope = context.enter(token["organization_id"])
            try:
                with acting_as(actor):
                    response = self.get_response(request)
                if response.status_code >= 400:
                    # a refused write leaves nothing behind, and nobody saw anything
                    transaction.set_rollback(True)
                else:
                    if token["last_used_on"] != now.date():
                        sql.execute("update api_token set last_used_on = %s where id = %s", [now.date(), token["id"]])
                    context.run_before_commit()
            finally:
                context.leave(scope)
            return response
