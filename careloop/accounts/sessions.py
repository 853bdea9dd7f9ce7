"""How long somebody stays signed in: twelve hours at most, one hour without a click (both can be set)."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from careloop.kernel import sql

SIGNED_IN_AT, SEEN_AT = "signed_in_at", "seen_at"
# how exactly idleness is measured; each note costs a write
GRAIN_SECONDS = 60


def seconds_now() -> int:
    return int(time.time())


def start(request: HttpRequest) -> None:
    """Note that a session begins now."""
    request.session[SIGNED_IN_AT] = request.session[SEEN_AT] = seconds_now()


class SessionAge:
    """End sessions that are too old or were left alone, on the server, whatever the cookie says.

    Source: OWASP ASVS 5.0, 7.3.1 and 7.3.2.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.is_empty() or not request.user.is_authenticated:
            return self.get_response(request)
        now, session = seconds_now(), request.session
        if SIGNED_IN_AT not in session:
            start(request)
        elif _is_over(now, session[SIGNED_IN_AT], session.get(SEEN_AT, 0)):
            return self._ended(request)
        elif now - session.get(SEEN_AT, 0) >= GRAIN_SECONDS:
            session[SEEN_AT] = now
        return self.get_response(request)

    def _ended(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        messages.info(
            request, _("You were signed out because nobody used this page for a while. Please sign in again.")
        )
        # a form that was sent cannot be sent again by itself: back to the start page
        back = request.get_full_path() if request.method == "GET" and not request.headers.get("HX-Request") else "/"
        response: HttpResponse = redirect_to_login(back)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": response["Location"]})
        return response


def _is_over(now: int, signed_in_at: int, seen_at: int) -> bool:
    too_old: bool = now - signed_in_at >= settings.CARELOOP_SESSION_SECONDS
    return too_old or now - seen_at >= settings.CARELOOP_SESSION_IDLE_SECONDS + GRAIN_SECONDS


def forget_ended(*, now: datetime) -> int:
    """Delete the sessions that ran out, of all organizations, and the notes on which device they were; return how many."""
    ended = sql.execute("delete from django_session where expire_date < %s", [now])
    sql.execute(
        """delete from usersessions_usersession u
            where u.last_seen_at < %s and not exists (select 1 from django_session s where s.session_key = u.session_key)""",
        [now - timedelta(days=1)],
    )
    return ended
