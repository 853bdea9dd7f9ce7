"""Why something about the rules themselves is refused."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError
from careloop.policy.answers import Verdict


class ReasonNeeded(DomainError):
    code = "policy.reason_needed"
    message = _("Give a reason of at least %(least)d characters; it is kept as evidence.")
    status = 422


class RuleUnknown(DomainError):
    code = "policy.rule_unknown"
    message = _("There is no rule %(rule)s in your legal profile today.")
    status = 404


class RuleFixed(DomainError):
    code = "policy.rule_fixed"
    message = _("Rule %(rule)s protects the patient's own decision and cannot be changed.")


class NotAnApprover(DomainError):
    code = "policy.not_an_approver"
    message = _("Only a named approver may do this.")
    status = 403


class NothingToSignOff(DomainError):
    code = "policy.nothing_to_sign_off"
    message = _("None of these rules asks for a sign-off of this text.")


class ContactUnreadable(DomainError):
    code = "policy.contact_unreadable"
    message = _("This is neither a web address nor a telephone number.")
    status = 422


class StaysForbidden(DomainError):
    code = "policy.stays_forbidden"
    message = _("Rule %(rules)s forbids this; a sign-off cannot change that.")


class AlreadyWithdrawn(DomainError):
    code = "policy.already_withdrawn"
    message = _("This sign-off was taken back on %(day)s.")


class OfferStopped(DomainError):
    """A rule stops what membership offers; `verdict` says which, why, and whether a sign-off would help."""

    code = "policy.offer_stopped"
    message = _("Stopped by rule %(rules)s: %(why)s")
    status = 422

    def __init__(self, verdict: Verdict) -> None:
        said = dict.fromkeys(str(match.message) for match in verdict.matches if match.answer == verdict.answer)
        super().__init__(rules=", ".join(verdict.reasons), why=" ".join(said))
        self.verdict = verdict
