"""Who may see the names in a segment."""

from django.http import HttpRequest

from careloop.accounts.models import Membership


def may_see_members(request: HttpRequest, *, clinical: bool) -> bool:
    """Whether this member may see who is in a segment, not only how many.

    Being in a segment about health says something about health: its names are for those who treat patients or work the
    call list, not for marketing.
    """
    member: Membership | None = getattr(request, "member", None)
    if member is None or not member.can("patients.view"):
        return False
    return not clinical or member.can("records.view") or member.can("followups.view")


def may_see_values(request: HttpRequest, *, clinical: bool) -> bool:
    """Whether “why” may show what stands in clinical records; without it only whether a condition holds."""
    member: Membership | None = getattr(request, "member", None)
    return member is not None and (not clinical or member.can("records.view"))
