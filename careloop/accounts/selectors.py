"""Reading staff, invitations, and what one user may enter."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from careloop.accounts.models import Invitation, Membership, User
from careloop.kernel import sql


def members() -> QuerySet[Membership]:
    """Everybody who works or worked here, those who do first."""
    return (
        Membership.objects.select_related("user")
        .prefetch_related("locations")
        .order_by("-is_active", "user__name", "user__email")
    )


def open_invitations(*, now: datetime) -> QuerySet[Invitation]:
    """Invitations nobody has accepted or withdrawn; expired ones too, so that they can be renewed."""
    return (
        Invitation.objects.select_related("invited_by")
        .filter(accepted_at=None, withdrawn_at=None)
        .order_by("-invited_at")
    )


@dataclass(frozen=True, slots=True)
class Workplace:
    """An organization a user may enter, and as what."""

    organization_id: UUID
    name: str
    role: str


def workplaces(user_id: UUID) -> list[Workplace]:
    """Return the organizations a user may switch to; works before any is entered."""
    return [Workplace(**row) for row in sql.rows("select * from accounts_organizations(%s)", [user_id])]


def hash_of(token: str) -> bytes:
    """Return what is stored instead of an invitation's token."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as its holder sees it, before any organization is entered."""

    id: UUID
    organization_id: UUID
    organization: str
    email: str
    name: str
    role: str

    @property
    def user(self) -> User | None:
        """The user who has this e-mail address already."""
        return User.objects.filter(email=self.email).first()


def find_invitation(token: str, *, now: datetime) -> Invited | None:
    """Return the invitation this token opens, if it is still open."""
    row = sql.row("select * from accounts_find_invitation(%s, %s)", [hash_of(token), now])
    return Invited(**row) if row else None
