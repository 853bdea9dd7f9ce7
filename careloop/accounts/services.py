"""Staff: inviting, roles, locations, leaving."""

import secrets
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.db import transaction

from careloop.accounts import rules, selectors
from careloop.accounts.errors import (
    AlreadyMember,
    InvitationForAnother,
    InvitationInvalid,
    LocationUnknown,
)
from careloop.accounts.models import Invitation, Membership, MembershipLocation, User
from careloop.accounts.trail import note
from careloop.kernel.text import clean
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Location


def _known(location_ids: Collection[UUID]) -> list[UUID]:
    wanted = set(location_ids)
    found = list(Location.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    if len(found) != len(wanted):
        raise LocationUnknown
    return sorted(found)


@transaction.atomic
def invite(
    *,
    email: str,
    name: str,
    role: str,
    title: str = "",
    locations: Collection[UUID] = (),
    by: Membership,
    now: datetime,
) -> tuple[Invitation, str]:
    """Invite somebody to work here; return the invitation and the token, which is kept nowhere.

    An open invitation of the same address is withdrawn.

    Raises:
        RoleUnknown, OnlyOwners, LocationUnknown. AlreadyMember: the address works here.
    """
    rules.check_may_give(role=role, by_role=by.role)
    email = clean(email).lower()
    if Membership.objects.filter(user__email=email, is_active=True).exists():
        raise AlreadyMember
    for earlier in Invitation.objects.filter(email=email, accepted_at=None, withdrawn_at=None):
        withdraw_invitation(invitation=earlier, now=now)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        email=email, name=clean(name), role=role, title=clean(title), location_ids=_known(locations),
        token_hash=selectors.hash_of(token), invited_by_id=by.user_id, invited_at=now,
        expires_at=rules.invitation_expires(now),
    )  # fmt: skip
    note("staff.invited", target=("invitation", invitation.pk), role=role, email=email)
    return invitation, token


@transaction.atomic
def withdraw_invitation(*, invitation: Invitation, now: datetime) -> None:
    """Make an invitation's link worthless."""
    changed = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).update(withdrawn_at=now)
    if changed:
        note("staff.invitation_withdrawn", target=("invitation", invitation.pk), email=invitation.email)


def accept_invitation(
    *, token: str, signed_in: User | None, name: str = "", password: str = "", now: datetime
) -> Membership:
    """Make the holder of `token` a member: with a new account, or with the one that is signed in.

    Raises:
        InvitationInvalid: used, withdrawn or expired.
        InvitationForAnother: the address has an account, and it is not the one signed in.
        ValidationError: the password is too weak.
    """
    invited = selectors.find_invitation(token, now=now)
    if invited is None:
        raise InvitationInvalid
    user = invited.user
    if user is not None and (signed_in is None or signed_in.pk != user.pk):
        raise InvitationForAnother
    with in_organization(invited.organization_id):
        # two clicks at once: the second waits here and finds it accepted
        invitation = Invitation.objects.select_for_update().get(pk=invited.id)
        if invitation.accepted_at or invitation.withdrawn_at:
            raise InvitationInvalid
        if user is None:
            validate_password(password, User(email=invited.email, name=clean(name)))
            user = User.objects.create_user(invited.email, password, name=clean(name) or invitation.name)
        member, _made = Membership.objects.update_or_create(
            user=user, defaults={"role": invitation.role, "title": invitation.title, "is_active": True}
        )
        _limit(member, invitation.location_ids)
        invitation.accepted_at, invitation.accepted_by = now, user
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        note("staff.joined", target=("user", user.pk), role=member.role)
    return member


@transaction.atomic
def change_member(
    *, member: Membership, role: str, title: str, locations: Collection[UUID], by: Membership, now: datetime
) -> Membership:
    """Give a member another role, title or other locations. It counts from their next click.

    Raises:
        RoleUnknown, OnlyOwners, NotYourself, LastOwner, LocationUnknown.
    """
    member = Membership.objects.select_for_update().get(pk=member.pk)
    before = member.role
    if role != before:
        rules.check_may_change(role=before, by_role=by.role, is_self=member.pk == by.pk)
        rules.check_may_give(role=role, by_role=by.role)
        rules.check_owner_remains(role=before, other_owners=_other_owners(member))
    elif member.pk != by.pk:
        rules.check_may_change(role=before, by_role=by.role, is_self=False)
    wanted = _known(locations)
    if member.pk == by.pk and set(wanted) != set(_limits_of(member)):
        # widening one's own view is giving oneself a right
        rules.check_may_change(role=before, by_role=by.role, is_self=True)
    member.role, member.title = role, clean(title)
    member.save(update_fields=["role", "title"])
    _limit(member, wanted)
    note(
        "staff.changed",
        target=("user", member.user_id),
        before=before,
        role=role,
        locations=[str(one) for one in wanted],
    )
    return member


@transaction.atomic
def deactivate_member(*, member: Membership, by: Membership, now: datetime) -> None:
    """Take away a member's access at once, and end all of the user's sessions.

    Raises:
        NotYourself, OnlyOwners, LastOwner.
    """
    member = Membership.objects.select_for_update().get(pk=member.pk)
    rules.check_may_change(role=member.role, by_role=by.role, is_self=member.pk == by.pk)
    rules.check_owner_remains(role=member.role, other_owners=_other_owners(member))
    if not member.is_active:
        return
    member.is_active = False
    member.save(update_fields=["is_active"])
    ended = end_sessions(user_id=member.user_id)
    note("staff.deactivated", target=("user", member.user_id), role=member.role, sessions=ended)


@transaction.atomic
def reactivate_member(*, member: Membership, by: Membership, now: datetime) -> None:
    """Let a former member in again, in the role they had.

    Raises:
        OnlyOwners.
    """
    rules.check_may_give(role=member.role, by_role=by.role)
    if Membership.objects.filter(pk=member.pk, is_active=False).update(is_active=True):
        note("staff.reactivated", target=("user", member.user_id), role=member.role)


def end_sessions(*, user_id: UUID, except_key: str = "") -> int:
    """End a user's sessions on every device; return how many there were."""
    from allauth.usersessions.models import UserSession

    ended = 0
    for session in UserSession.objects.filter(user_id=user_id).exclude(session_key=except_key):
        session.end()
        ended += 1
    return ended


def _other_owners(member: Membership) -> int:
    # locked, so that two owners cannot take each other away at once
    owners = Membership.objects.select_for_update().filter(role=rules.OWNER, is_active=True).order_by("pk")
    return sum(1 for owner in owners if owner.pk != member.pk)


def _limits_of(member: Membership) -> list[UUID]:
    return list(MembershipLocation.objects.filter(membership=member).values_list("location_id", flat=True))


def _limit(member: Membership, locations: Collection[UUID]) -> None:
    MembershipLocation.objects.filter(membership=member).exclude(location_id__in=locations).delete()
    MembershipLocation.objects.bulk_create(
        [MembershipLocation(membership=member, location_id=one) for one in locations], ignore_conflicts=True
    )
