"""Who may give and take roles. Pure: no clock, no database."""

from datetime import datetime, timedelta

from careloop.accounts.errors import LastOwner, NotYourself, OnlyOwners, RoleUnknown
from careloop.accounts.permissions import ROLES

OWNER = "owner"
INVITATION_LASTS = timedelta(days=7)


def check_may_give(*, role: str, by_role: str) -> None:
    """Refuse what would let someone rise above the role they were given.

    Raises:
        RoleUnknown: no such role. OnlyOwners: an owner is made by an owner.

    >>> check_may_give(role="nurse", by_role="it")
    """
    if role not in ROLES:
        raise RoleUnknown
    if role == OWNER and by_role != OWNER:
        raise OnlyOwners


def check_may_change(*, role: str, by_role: str, is_self: bool) -> None:
    """Refuse changes to oneself, and to owners by others.

    Raises:
        NotYourself, OnlyOwners.
    """
    if is_self:
        raise NotYourself
    if role == OWNER and by_role != OWNER:
        raise OnlyOwners


def check_owner_remains(*, role: str, other_owners: int) -> None:
    """Refuse to take away the last owner: nobody could give the role again.

    Raises:
        LastOwner.

    >>> check_owner_remains(role="nurse", other_owners=0)
    """
    if role == OWNER and other_owners == 0:
        raise LastOwner


def invitation_expires(invited_at: datetime) -> datetime:
    """Return when an invitation made now stops working: seven days later."""
    return invited_at + INVITATION_LASTS
