"""What is refused about staff and their accounts."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class RoleUnknown(DomainError):
    code = "accounts.role_unknown"
    message = _("There is no such role.")


class OnlyOwners(DomainError):
    code = "accounts.only_owners"
    message = _("Only an owner may make, change or deactivate an owner.")
    status = 403


class NotYourself(DomainError):
    code = "accounts.not_yourself"
    message = _("You cannot change your own role or deactivate yourself; ask a colleague who may.")
    status = 403


class LastOwner(DomainError):
    code = "accounts.last_owner"
    message = _("This is the last owner. Make somebody else an owner first.")


class AlreadyMember(DomainError):
    code = "accounts.already_member"
    message = _("Somebody with this e-mail address works here already.")


class InvitationInvalid(DomainError):
    code = "accounts.invitation_invalid"
    message = _("This invitation is not valid: it was used, withdrawn, or has expired. Ask for a new one.")
    status = 404


class InvitationForAnother(DomainError):
    code = "accounts.invitation_for_another"
    message = _("This invitation is for another e-mail address. Sign out, or sign in with that address.")


class SecondFactorNeeded(DomainError):
    code = "accounts.second_factor_needed"
    message = _(
        "Your password is shorter than %(least)d characters, so you need a second factor. Choose a longer password first."
    )


class LocationUnknown(DomainError):
    code = "accounts.location_unknown"
    message = _("There is no such location.")


class LocationNameTaken(DomainError):
    code = "tenancy.location_name_taken"
    message = _("There is a location with this name already.")


class LastLocation(DomainError):
    code = "tenancy.last_location"
    message = _("This is the last location in use; an organization needs one.")
