"""How allauth meets our staff users."""

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from careloop.accounts import factors
from careloop.accounts.models import User
from careloop.accounts.trail import address_of, note_for_user
from careloop.kernel.vault import keyring, open_sealed, seal

LOCKED_FOR_SECONDS = 300
SEALED = "v1:"


class StaffAccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: staff are invited by someone who may. Failed sign-ins leave a trace."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": _(
            "Too many failed attempts. Wait five minutes, then try again, or reset the password."
        ),
        "email_password_mismatch": _("The e-mail address or the password is not right."),
        "incorrect_password": _("The password is not right."),
        "enter_current_password": _("Please type your current password."),
        "invalid_password_reset": _("This link to reset the password is not valid any more."),
        "unknown_email": _("The e-mail address or the password is not right."),
        "rate_limited": _("Too many attempts in a short time. Wait a minute, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return "/"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            self._note_locked(request, credentials)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        user = _named(credentials)
        if user is not None:
            note_for_user("signin.failed", user, request=request, method="password")

    def _note_locked(self, request: HttpRequest, credentials: dict[str, Any]) -> None:
        """Note that the limit was reached, once per address and account while it lasts: a flood must not fill the chain."""
        user = _named(credentials)
        if user is None:
            return
        address = address_of(request)
        key = "signin-locked:" + hashlib.sha256(f"{user.pk}|{address}".encode()).hexdigest()
        if cache.add(key, True, LOCKED_FOR_SECONDS):
            note_for_user("signin.locked", user, request=request)


class StaffMFAAdapter(DefaultMFAAdapter):
    """Seals the secrets of authenticator apps and recovery codes, and keeps a short password from standing alone."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": _(
            "Your password is shorter than 15 characters, so you need a second factor. Choose a longer password first."
        ),
        "incorrect_code": _("The code is not right. Codes change every 30 seconds; check the clock of your phone."),
    }

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        return factors.may_remove(authenticator)

    def encrypt(self, text: str) -> str:
        return SEALED + base64.b64encode(seal(_factor_key(), text, place="mfa_authenticator.data")).decode()

    def decrypt(self, encrypted_text: str) -> str:
        if not encrypted_text.startswith(SEALED):
            return encrypted_text
        sealed = base64.b64decode(encrypted_text.removeprefix(SEALED))
        return open_sealed(_factor_key(), sealed, place="mfa_authenticator.data")

    def get_public_key_credential_user_entity(self, user: AbstractBaseUser) -> dict[str, Any]:
        return super().get_public_key_credential_user_entity(user) | {
            "display_name": getattr(user, "name", "") or user.get_username()
        }


def _factor_key() -> bytes:
    """The key that seals second factors: derived from the secret that no rotation changes."""
    return hashlib.sha256(b"second factors|" + keyring().index_secret).digest()


def _named(credentials: dict[str, Any]) -> User | None:
    email = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    return User.objects.filter(email=email).first() if email else None
