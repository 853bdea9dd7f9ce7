"""Who acts in a request, for the audit chain."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse

from careloop.accounts.models import User
from careloop.accounts.trail import address_of
from careloop.audit.services import Actor, acting_as


class AuditActor:
    """Name the signed-in member as the actor of everything the request does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        member = getattr(request, "member", None)
        if member is None:
            return self.get_response(request)
        user = cast(User, request.user)
        actor = Actor(
            "staff", user.pk, user.name or user.email, via="web", address=address_of(request)
        )  # fmt: skip
        with acting_as(actor):
            return self.get_response(request)
