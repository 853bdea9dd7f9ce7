"""Which of the organization's locations a member's work is limited to."""

from uuid import UUID

from careloop.accounts.models import Membership, MembershipLocation


def location_ids(member: Membership | None) -> frozenset[UUID] | None:
    """Return the locations whose patients `member` sees, or None when there is no limit.

    A limited member sees patients whose home is one of these locations, and nobody else: a patient without a home location
    is seen by members without a limit only.
    """
    if member is None:
        return None
    known: frozenset[UUID] | str | None = getattr(member, "location_limit", "unread")
    if isinstance(known, str):
        found = MembershipLocation.objects.filter(membership_id=member.pk).values_list("location_id", flat=True)
        known = frozenset(found) or None
        member.location_limit = known  # type: ignore[attr-defined]
    return known
