"""Screens of API tokens: the list, making one (its secret is shown once), ending one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.api import services
from careloop.api.models import ApiToken
from careloop.api.scopes import SCOPES
from careloop.kernel.errors import DomainError
from careloop.web.http import redirect_to, respond
from careloop.web.screens.tokens.forms import TokenForm

ENDED_SHOWN = 50


@requires("api.tokens")
@require_GET
def tokens(request: HttpRequest) -> HttpResponse:
    """Tokens that work, and the last ones that no longer do."""
    now = timezone.now()
    found = [
        _shown(token, now)
        for token in ApiToken.objects.select_related("created_by").order_by(
            F("revoked_at").desc(nulls_first=True), "name"
        )
    ]
    context = {
        "tokens": [token for token in found if token["works"]],
        "ended": [token for token in found if not token["works"]][:ENDED_SHOWN],
        "address": request.build_absolute_uri("/api/v1/"),
        "description": request.build_absolute_uri("/api/v1/openapi.json"),
    }
    return respond(request, "tokens/list.html", context)


@requires("api.tokens")
def new(request: HttpRequest) -> HttpResponse:
    """Make a token. The answer to the POST is the only page that ever shows the secret."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            token, secret = services.create_token(**form.token(now=now), by=request.user, now=now)
        except DomainError as error:
            form.add_error("name", str(error))
        else:
            made = {"token": _shown(token, now), "secret": secret, "address": request.build_absolute_uri("/api/v1/")}
            return _private(respond(request, "tokens/made.html", made))
    return respond(request, "tokens/new.html", {"form": form}, status=422 if request.method == "POST" else 200)


@requires("api.tokens")
def revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Say what ends, then end it."""
    token = get_object_or_404(ApiToken, pk=token_id)
    if request.method == "POST":
        services.revoke_token(token_id=token_id, by=request.user, now=timezone.now())
        done = _("“%(name)s” is revoked. The program that used it is refused from now on.") % {"name": token.name}
        return redirect_to(request, reverse("tokens:list"), message=done)
    return respond(
        request,
        "tokens/revoke.html",
        {"token": _shown(token, timezone.now())},
        fragment="tokens/_revoke.html",
    )


def _shown(token: ApiToken, now: datetime) -> dict[str, Any]:
    expired = token.expires_at is not None and token.expires_at <= now
    return {
        "id": token.pk,
        "name": token.name,
        "scopes": [{"code": code, "label": SCOPES.get(code, code)} for code in token.scopes],
        # a list it may ask for first; every scope to read is named like one
        "readable": next((code.partition(":")[0] for code in token.scopes if code.endswith(":read")), ""),
        "created_at": token.created_at,
        "created_by": (token.created_by.name or token.created_by.email) if token.created_by else "",
        "last_used_on": token.last_used_on,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "works": token.revoked_at is None and not expired,
        "ends_soon": token.expires_at is not None and not expired and (token.expires_at - now).days < 14,
    }


def _private(response: HttpResponse) -> HttpResponse:
    """Keep a secret out of the browser's and everybody's caches."""
    response["Cache-Control"] = "no-store, private"
    return response
