"""What membership and its points refuse, in words; tiers, rewards and draws have theirs beside them."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownProgramme(DomainError):
    code: ClassVar[str] = "loyalty.unknown_programme"
    status: ClassVar[int] = 404
    message = _("There is no such membership programme.")


class NameMissing(DomainError):
    code: ClassVar[str] = "loyalty.name_missing"
    status: ClassVar[int] = 422
    message = _("Give it a name.")


class ProgrammeNotOpen(DomainError):
    code: ClassVar[str] = "loyalty.programme_not_open"
    message = _("This programme takes no members: it is not open. Open it in the programme's settings.")


class ProgrammeOpenAlready(DomainError):
    code: ClassVar[str] = "loyalty.one_open"
    message = _("There is an open programme for the same place already. Close it first.")


class TermsMissing(DomainError):
    code: ClassVar[str] = "loyalty.terms_missing"
    status: ClassVar[int] = 422
    message = _("Write the terms first: who joins has to know what they agree to.")


class ChangedMeanwhile(DomainError):
    code: ClassVar[str] = "loyalty.changed_meanwhile"
    message = _("Somebody else changed this meanwhile. Look at it again and repeat your change.")


class PatientCannotJoin(DomainError):
    code: ClassVar[str] = "loyalty.patient_cannot_join"
    message = _("This record cannot become a member: it is closed, or was found to be another person's record.")


class NoMember(DomainError):
    code: ClassVar[str] = "loyalty.no_member"
    status: ClassVar[int] = 404
    message = _("There is no such member.")


class BadRule(DomainError):
    code: ClassVar[str] = "loyalty.bad_rule"
    status: ClassVar[int] = 422
    message = _("The rule is not complete: %(what)s")


class UnknownRule(DomainError):
    code: ClassVar[str] = "loyalty.unknown_rule"
    status: ClassVar[int] = 404
    message = _("There is no such earn rule here, or it is switched off.")


class TooMany(DomainError):
    code: ClassVar[str] = "loyalty.too_many"
    status: ClassVar[int] = 422
    message = _("At most %(most)d people at once.")


class UnknownAccount(DomainError):
    code: ClassVar[str] = "loyalty.unknown_account"
    status: ClassVar[int] = 404
    message = _("There is no such points account.")


class NoLongerMember(DomainError):
    code: ClassVar[str] = "loyalty.no_longer_member"
    message = _("This membership has ended. Points move again when the patient joins anew.")


class BadPoints(DomainError):
    code: ClassVar[str] = "loyalty.bad_points"
    status: ClassVar[int] = 422
    message = _("Points are whole numbers between 1 and %(most)d.")


class NotEnoughPoints(DomainError):
    code: ClassVar[str] = "loyalty.not_enough_points"
    message = _("The balance is %(balance)d points; %(asked)d were asked for.")


class UnknownEntry(DomainError):
    code: ClassVar[str] = "loyalty.unknown_entry"
    status: ClassVar[int] = 404
    message = _("There is no entry in the ledger that could be reversed.")


class NotReversible(DomainError):
    code: ClassVar[str] = "loyalty.not_reversible"
    message = _("Only what was earned, spent or changed by hand can be reversed. Anything else is put right by hand.")


class TooMuchToReverse(DomainError):
    code: ClassVar[str] = "loyalty.too_much_to_reverse"
    message = _("At most %(left)d points of this entry can still be reversed.")


class ReversedAlready(DomainError):
    code: ClassVar[str] = "loyalty.reversed_already"
    message = _("Everything of this entry has been reversed already.")


class BelongsToRedemption(DomainError):
    code: ClassVar[str] = "loyalty.belongs_to_redemption"
    message = _(
        "These points paid for a reward. Take the reward back on its own page: then the piece and its code come back too."
    )


class ReasonMissing(DomainError):
    code: ClassVar[str] = "loyalty.reason_missing"
    status: ClassVar[int] = 422
    message = _("Say why: the patient and the auditor read it.")


class NoTransfers(DomainError):
    code: ClassVar[str] = "loyalty.no_transfers"
    message = _("In this programme points are not handed from one member to another.")


class NotFamily(DomainError):
    code: ClassVar[str] = "loyalty.not_family"
    message = _(
        "These two are not recorded as family. Points stay within a family; write it on the patient’s page first if they are."
    )


class GuardianMustAgree(DomainError):
    """Civil Code art. 1088: parents may not dispose of a child's property but for the child's good."""

    code: ClassVar[str] = "loyalty.guardian_must_agree"
    message = _(
        "A child’s points are a guardian’s to decide about, and the person named is not recorded as the guardian."
    )


class AdultMustAgree(DomainError):
    code: ClassVar[str] = "loyalty.adult_must_agree"
    message = _("An adult decides about their own points: only they themselves can agree.")


class SameFamilyPoints(DomainError):
    code: ClassVar[str] = "loyalty.same_family_points"
    message = _("Both share these points already.")


class OtherProgramme(DomainError):
    code: ClassVar[str] = "loyalty.other_programme"
    message = _("These two are members of different programmes.")


class NoPools(DomainError):
    code: ClassVar[str] = "loyalty.no_pools"
    message = _("In this programme families do not share points.")


class AlreadyShares(DomainError):
    code: ClassVar[str] = "loyalty.already_shares"
    message = _("This member shares points already, or was asked. Leave there first.")


class NotAsked(DomainError):
    code: ClassVar[str] = "loyalty.not_asked"
    message = _("There is no open question whether to share points.")


class OwesPoints(DomainError):
    code: ClassVar[str] = "loyalty.owes_points"
    message = _("The balance is below zero. It must be balanced first, by later points or by hand.")
