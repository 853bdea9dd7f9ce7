"""What referrals, greetings and newsletters refuse, in words."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownReferralCode(DomainError):
    code = "loyalty.unknown_referral_code"
    message = _("This code is not known. Please check it, or leave it empty.")
    status = 422


class AlreadyReferred(DomainError):
    code = "loyalty.already_referred"
    message = _("Who brought this patient is noted already; the first code counts.")


class NotNewHere(DomainError):
    code = "loyalty.not_new_here"
    message = _("Codes are for people who are new here. Thank you for coming back to us.")


class OwnCode(DomainError):
    code = "loyalty.own_code"
    message = _("This is the patient’s own code.")
    status = 422


class ReferralsClosed(DomainError):
    code = "loyalty.referrals_closed"
    message = _("The clinic does not take referral codes at the moment.")


class NotToDecide(DomainError):
    code = "loyalty.not_to_decide"
    message = _("There is nothing to decide about this referral any more.")


class DecisionNeedsWords(DomainError):
    code = "loyalty.decision_needs_words"
    message = _("Please write why, so that whoever reads it later understands.")
    status = 422


class GreetingNeedsMarketing(DomainError):
    code = "loyalty.greeting_needs_marketing"
    message = _(
        "A greeting that brings something is marketing. Choose a text of the class “marketing”, which asks for consent."
    )
    status = 422


class OccasionTaken(DomainError):
    code = "loyalty.occasion_taken"
    message = _("“%(name)s” is switched on for this occasion already; a patient is greeted once.")


class NewsletterStopped(DomainError):
    code = "loyalty.newsletter_stopped"
    message = _("These words cannot be sent: %(why)s")
    status = 422


class NewsletterNotReady(DomainError):
    code = "loyalty.newsletter_not_ready"
    message = _("This issue is not ready to be sent: check it first.")


class NewsletterGone(DomainError):
    code = "loyalty.newsletter_gone"
    message = _("This issue was sent already and cannot be changed.")


class ChangedSince(DomainError):
    code = "loyalty.thanks_changed"
    message = _("Somebody changed this in the meantime. Please look at it again.")
