"""Sign-ins, passwords and second factors leave their traces in the audit chain; sessions that ran out are forgotten."""

from datetime import datetime
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from careloop.accounts import sessions
from careloop.accounts.models import User
from careloop.accounts.trail import note_for_user
from careloop.tenancy.loops import daily

METHODS = "account_authentication_methods"


@receiver(user_logged_in, dispatch_uid="accounts.session_starts")
def session_starts(request: HttpRequest | None, user: User, **_more: Any) -> None:
    if request is not None and hasattr(request, "session"):
        sessions.start(request)


@receiver(account.user_logged_in, dispatch_uid="accounts.signed_in")
def signed_in(request: HttpRequest, user: User, **_more: Any) -> None:
    used = [str(one.get("method", "")) for one in request.session.get(METHODS, [])]
    note_for_user("signin.succeeded", user, request=request, method="+".join(filter(None, used)))


@receiver(user_logged_out, dispatch_uid="accounts.signed_out")
def signed_out(request: HttpRequest | None, user: User | None, **_more: Any) -> None:
    if request is not None and user is not None:
        note_for_user("signin.ended", user, request=request)


@receiver(account.password_changed, dispatch_uid="accounts.password_changed")
@receiver(account.password_set, dispatch_uid="accounts.password_set")
def password_changed(request: HttpRequest, user: User, **_more: Any) -> None:
    note_for_user("password.changed", user, request=request)


@receiver(account.password_reset, dispatch_uid="accounts.password_reset")
def password_reset(request: HttpRequest, user: User, **_more: Any) -> None:
    from careloop.accounts.services import end_sessions

    # whoever knew the old password is out
    ended = end_sessions(user_id=user.pk, except_key=request.session.session_key or "")
    note_for_user("password.reset", user, request=request, sessions=ended)


@receiver(mfa.authenticator_added, dispatch_uid="accounts.factor_added")
def factor_added(request: HttpRequest, user: User, authenticator: Any, **_more: Any) -> None:
    note_for_user("factor.added", user, request=request, kind=authenticator.type)


@receiver(mfa.authenticator_removed, dispatch_uid="accounts.factor_removed")
def factor_removed(request: HttpRequest, user: User, authenticator: Any, **_more: Any) -> None:
    note_for_user("factor.removed", user, request=request, kind=authenticator.type)


@receiver(mfa.authenticator_reset, dispatch_uid="accounts.factor_reset")
def factor_reset(request: HttpRequest, user: User, authenticator: Any, **_more: Any) -> None:
    note_for_user("factor.reset", user, request=request, kind=authenticator.type)


@receiver(mfa.authentication_failed, dispatch_uid="accounts.factor_failed")
def factor_failed(request: HttpRequest, user: User, **_more: Any) -> None:
    note_for_user("signin.failed", user, request=request, method="mfa")


@daily("sessions.clean", hour=3)
def forget_sessions(*, now: datetime) -> None:
    """Nothing else removes the session of somebody who closed the browser instead of signing out."""
    sessions.forget_ended(now=now)
