"""What the patients slice refuses, and why."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownPatient(DomainError):
    code = "patients.unknown"
    message = _("There is no such patient here.")
    status = 404


class NameMissing(DomainError):
    code = "patients.name_missing"
    message = _("A patient needs a name. If it is not known, write what the person is called.")
    status = 422


class ChartNumberTaken(DomainError):
    code = "patients.chart_number_taken"
    message = _("Another patient has this chart number already. Open that record, or give another number.")


class PossibleDuplicate(DomainError):
    """`patients` in the details holds the ids of those who look alike."""

    code = "patients.possible_duplicate"
    message = _(
        "Patients here who look like the same person: %(count)d. Look at them first, or say that this is someone else."
    )


class ChangedMeanwhile(DomainError):
    code = "patients.changed_meanwhile"
    message = _("Somebody else changed this record meanwhile. What you wrote is kept below; compare and save again.")


class UnknownField(DomainError):
    code = "patients.unknown_field"
    message = _("“%(field)s” is not something that can be changed here.")
    status = 422


class BirthInFuture(DomainError):
    code = "patients.birth_in_future"
    message = _("The birth date lies in the future.")
    status = 422


class ContactEmpty(DomainError):
    code = "patients.contact_empty"
    message = _("Write the number or address first.")
    status = 422


class UnknownContact(DomainError):
    code = "patients.unknown_contact"
    message = _("There is no such contact.")
    status = 404


class ContactThere(DomainError):
    code = "patients.contact_there"
    message = _("The patient has this contact already.")


class UnknownTag(DomainError):
    code = "patients.unknown_tag"
    message = _("There is no such tag.")
    status = 404


class TagNameMissing(DomainError):
    code = "patients.tag_name_missing"
    message = _("A tag needs a name of at most %(most)d characters.")
    status = 422


class OwnRelative(DomainError):
    code = "patients.own_relative"
    message = _("A patient cannot be their own relative.")
    status = 422


class ReasonMissing(DomainError):
    code = "patients.reason_missing"
    message = _("Say why; the reason is kept in the audit log.")
    status = 422


class RecordRestricted(DomainError):
    code = "patients.restricted"
    message = _(
        "The person asked that this record is not used. Lift the restriction first, on the page of their personal data."
    )


class RecordErased(DomainError):
    code = "patients.erased"
    message = _("This record was erased. Register the person anew if they come again.")
