"""What happens to members. Payloads hold ids, codes and points, never names."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "loyalty.joined", label=_("Joined as a member"), group="profile", icon="id-badge-2",
    sentence=_("Joined the membership programme."),
)  # fmt: skip
@dataclass(frozen=True)
class MemberJoined:
    """A patient became a member."""

    account_id: UUID
    programme_id: UUID
    how: str = "DESK"


@fact(
    "loyalty.left", label=_("Left the membership"), group="profile", icon="user-off",
    sentence=_("Left the membership programme."),
)  # fmt: skip
@dataclass(frozen=True)
class MemberLeft:
    """A patient is no longer a member."""

    account_id: UUID
    programme_id: UUID
