"""Words of allauth's pages that we say otherwise: the same thing has one name on them as on ours. Our catalogues come before its own."""

from django.utils.translation import gettext_noop, ngettext_lazy

SAID_OTHERWISE = (
    gettext_noop("Two-Factor Authentication"),
    gettext_noop("Authenticator App"),
    gettext_noop("Authentication using an authenticator app is active."),
    gettext_noop("An authenticator app is not active."),
    gettext_noop("Authenticator app activated."),
    gettext_noop("Authenticator app deactivated."),
    gettext_noop("Deactivate Authenticator App"),
    gettext_noop("You are about to deactivate authenticator app based authentication. Are you sure?"),
    gettext_noop("Recovery Codes"),
    gettext_noop("No recovery codes set up."),
    gettext_noop("A new set of recovery codes has been generated."),
    gettext_noop("You are about to generate a new set of recovery codes for your account."),
    gettext_noop("This action will invalidate your existing codes."),
    gettext_noop("Unused codes"),
    gettext_noop("Signed out of all other sessions."),
    gettext_noop("Passkey"),
    gettext_noop("Create Passkey"),
    gettext_noop("This key does not indicate whether it is a passkey."),
)
COUNTED = ngettext_lazy(
    "There is %(unused_count)s out of %(total_count)s recovery codes available.",
    "There are %(unused_count)s out of %(total_count)s recovery codes available.",
)
