"""What the programming interface refuses."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class TokenNeeded(DomainError):
    code = "api.token_needed"
    message = _("Send a valid token: “Authorization: Bearer …”. Tokens are made in Settings.")
    status = 401


class ScopeNeeded(DomainError):
    code = "api.scope_needed"
    message = _("This token may not do that; it needs the scope “%(scope)s”.")
    status = 403


class NotFound(DomainError):
    code = "api.not_found"
    message = _("There is nothing of this kind with this id here.")
    status = 404


class Unreadable(DomainError):
    code = "api.unreadable"
    message = _("The body of the request cannot be read: it is not JSON in UTF-8.")
    status = 400


class UnknownAddress(DomainError):
    code = "api.unknown_address"
    message = _("There is nothing at this address. The addresses are listed in /api/v1/openapi.json.")
    status = 404


class MethodRefused(DomainError):
    code = "api.method_refused"
    message = _("This address does not take %(method)s; it takes %(allowed)s.")
    status = 405


class UnknownParameter(DomainError):
    """A filter that is written wrong and left aside would give more than was asked for."""

    code = "api.unknown_parameter"
    message = _("This address does not know %(unknown)s; it takes %(known)s.")
    status = 422


class KeyUsed(DomainError):
    """As the draft of the IETF has it (draft-ietf-httpapi-idempotency-key-header, section 2.6): 422 for a key used for something else."""

    code = "api.key_used"
    message = _("This key was used already, for something else. Send what was sent before, or take a new key.")
    status = 422


class BadCursor(DomainError):
    code = "api.bad_cursor"
    message = _("The cursor is not one that this list gave.")
    status = 400


class TokenNameTaken(DomainError):
    code = "api.token_name_taken"
    message = _("A token named “%(name)s” exists already.")


class UnknownScope(DomainError):
    code = "api.unknown_scope"
    message = _("There is no scope “%(scope)s”.")
    status = 400
