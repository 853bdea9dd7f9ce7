"""Second factors, and the passwords that need one."""

from typing import Any

from allauth.mfa.models import Authenticator

from careloop.accounts.models import User

REAL = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def may_remove(authenticator: Any) -> bool:
    """Whether the user may give up this factor: not the last one while the password is too short to stand alone."""
    user: User = authenticator.user
    if not user.short_password or authenticator.type not in REAL:
        return True
    others = Authenticator.objects.filter(user=user, type__in=REAL).exclude(pk=authenticator.pk)
    return others.exists()
