"""Why a message did not go, in words. The codes are stored, the sentences are for people."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, str | Promise] = {
    # about the person
    "deceased": _("The patient has died."),
    "inactive": _("The patient's record is not active."),
    "merged": _("The record was merged into another patient’s."),
    # about consent
    "consent_refused": _("The patient refused messages of this kind."),
    "consent_missing": _("The patient has not agreed to messages of this kind; without a yes none may be sent."),
    "health_consent_missing": _("Offers chosen by health data need written consent, and there is none."),
    # about the way
    "no_contact": _("There is no address on any channel this message can use."),
    "no_channel": _("No channel is connected that can carry this message."),
    "unreachable": _("Every address we have is blocked or does not arrive."),
    "same_address": _("Another patient of the same family got it on this address."),
    # about limits
    "cap": _("The patient already had as many marketing messages as are allowed in 30 days."),
    "budget": _("This month's number of messages for the channel is used up."),
    "too_late": _("Its time has passed."),
    "version": _("The visit was moved, called off or is over, so these words are no longer right."),
    # about the words
    "missing_variable": _("Something the text needs is not known, so no half text was sent."),
    "policy": _("A legal rule stops these words."),
    "render": _("The text could not be made."),
    "too_long": _("The text is too long for the channel."),
    # from the channel
    "blocked": _("The patient blocked us, or the mailbox refuses us."),
    "bad_address": _("There is nobody at this address."),
    "quota": _("The provider's monthly messages are used up."),
    "rate": _("The provider asked us to slow down."),
    "auth": _("The provider refuses our credentials."),
    "refused": _("The provider refused the message."),
    "unavailable": _("The provider could not be reached."),
    "ambiguous": _("The connection was lost while sending; it may have arrived."),
    "crashed": _("The program stopped while sending; it may have arrived."),
    "unknown": _("The provider gave no reason."),
    # decisions
    "withdrawn": _("It was no longer wanted."),
    "journey_left": _("The patient left the care journey."),
    "staff": _("Staff decided so."),
    "opted_out": _("The patient opted out in the meantime."),
    "left": _("Settled by itself: a second copy would do more harm than a missing one."),
    "confirmed": _("Staff confirmed that it arrived."),
    # delays
    "quiet_hours": _("It waits until the quiet hours are over."),
    "paused": _("The channel is paused."),
    "retry": _("It is tried again."),
    "rerouted": _("It goes by another channel instead."),
}


def reason_label(code: str) -> str | Promise:
    """Return the sentence for a reason code; an unknown code is shown as it is."""
    return REASONS.get(code, code)
