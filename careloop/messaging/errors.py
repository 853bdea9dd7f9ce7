"""What messaging refuses, and why."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownTemplate(DomainError):
    code = "messaging.unknown_template"
    message = _("There is no message template “%(key)s” with published words.")
    status = 404


class NotPublishable(DomainError):
    code = "messaging.not_publishable"
    message = _("This text cannot be published yet: %(why)s")


class BadText(DomainError):
    code = "messaging.bad_text"
    message = _("The text cannot be used: %(why)s")


class StoppedByPolicy(DomainError):
    code = "messaging.stopped_by_policy"
    message = _("A rule stops these words: %(why)s")


class CannotReach(DomainError):
    code = "messaging.cannot_reach"
    message = _("This message cannot go: %(why)s")


class NotInThatState(DomainError):
    code = "messaging.not_in_that_state"
    message = _("The message has moved on in the meantime; look again.")


class BadChannel(DomainError):
    code = "messaging.bad_channel"
    message = _("The channel cannot be saved: %(why)s")
