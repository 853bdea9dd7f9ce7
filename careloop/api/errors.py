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
