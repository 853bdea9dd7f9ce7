"""Error pages for people: what was wrong, what was kept, what to do. config/urls.py names them."""

import sys

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from careloop.accounts.permissions import PERMISSIONS
from careloop.web.http import is_htmx

# seconds: a database that was killed is back sooner
RETRY_AFTER = 10
# another transaction held what this one wanted for too long (config.database), or each wanted what the other held
IN_THE_WAY = (LockNotAvailable, DeadlockDetected)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the address or the form was damaged on its way."""
    return _answer(request, 400, "errors/400.html", _("This address is incomplete or damaged. Nothing was changed."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: names the permission that is missing, and who can give it."""
    permission = PERMISSIONS.get(str(exception)) if isinstance(exception, PermissionDenied) else None
    member = getattr(request, "member", None)
    if permission and member:
        sentence = _("Your role (%(role)s) does not include “%(permission)s”.") % {
            "role": member.get_role_display(), "permission": permission,
        }  # fmt: skip
    elif getattr(request, "user", None) is not None and request.user.is_authenticated and member is None:
        sentence = _("Your account does not belong to an organization any more, or not yet.")
    else:
        sentence = _("You may not open this page.")
    return _answer(request, 403, "errors/403.html", sentence)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: also the answer for another organization's records, so that nobody learns they exist."""
    return _answer(request, 404, "errors/404.html", _("There is nothing at this address, or not any more."))


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 when it was the database: uses no database and no shell, because either may be what failed."""
    # who was asking may not have been found out yet; then the browser's own language has to do
    language = getattr(request, "LANGUAGE_CODE", None) or translation.get_language_from_request(request)
    with translation.override(language):
        problem = sys.exc_info()[1]
        if isinstance(problem, OperationalError | InterfaceError):
            if isinstance(problem.__cause__, IN_THE_WAY):
                code = "busy"
                sentence = _(
                    "Somebody else, or a running import, is changing the same data just now. Nothing you entered in this step was saved."
                )
            else:
                code = "database_away"
                sentence = _("The database does not answer at the moment. Nothing you entered in this step was saved.")
            response = _without_database(request, 503, code, sentence)
            response["Retry-After"] = str(RETRY_AFTER)
            return response
        sentence = _("Something went wrong on our side. Nothing you entered in this step was saved.")
        return _without_database(request, 500, "server_error", sentence)


def _without_database(request: HttpRequest, status: int, code: str, sentence: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"code": f"api.{code}", "message": sentence, "details": {}}, status=status)
    template = "errors/_sentence.html" if is_htmx(request) else "errors/500.html"
    return HttpResponse(render_to_string(template, {"sentence": sentence}), status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is missing or old: it was open too long, or cookies are off."""
    sentence = _("This form was open for too long, so it was not accepted. Nothing was saved.")
    return _answer(request, 403, "errors/csrf.html", sentence)


def _answer(request: HttpRequest, status: int, template: str, sentence: str) -> HttpResponse:
    if is_htmx(request):
        template = "errors/_sentence.html"
    layout = "shell.html" if getattr(request, "member", None) is not None else "blank.html"
    return render(request, template, {"sentence": sentence, "layout": layout}, status=status)
