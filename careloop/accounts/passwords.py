"""How long a password must be. Source: NIST SP 800-63B-4 section 3.1.1.2; no composition rules, no expiry."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

ALONE = 15
WITH_SECOND_FACTOR = 8


class LengthValidator:
    """At least 15 characters, or 8 for a user who also has a second factor."""

    def validate(self, password: str, user: Any = None) -> None:
        least = WITH_SECOND_FACTOR if _has_second_factor(user) else ALONE
        if len(password) < least:
            raise ValidationError(
                _("The password has %(length)d characters; it needs at least %(least)d."),
                code="password_too_short",
                params={"length": len(password), "least": least},
            )

    def get_help_text(self) -> str:
        return _(
            "At least %(alone)d characters; a sentence is easy to remember. With a second factor, %(with_factor)d are enough."
        ) % {"alone": ALONE, "with_factor": WITH_SECOND_FACTOR}


def _has_second_factor(user: Any) -> bool:
    from allauth.mfa.utils import is_mfa_enabled

    return (
        user is not None and getattr(user, "pk", None) is not None and not user._state.adding and is_mfa_enabled(user)
    )
