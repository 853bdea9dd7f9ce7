"""Links to calendars: made, shown once, found by their token, closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.audit.services import Actor, acting_as
from careloop.integrations.icalendar.errors import TooManyLinks, UnknownPractitioner
from careloop.integrations.icalendar.models import CalendarLink
from careloop.kernel import sql
from careloop.kernel.ids import new_token, token_hash
from careloop.messaging.links import base_url
from careloop.records.models import Practitioner
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization

# a practitioner's telephone, tablet and desk, and a few forgotten ones
MOST = 10
NOTED_EVERY = timedelta(minutes=10)


@transaction.atomic
def create_link(
    *, practitioner_id: UUID, with_names: bool, locations: frozenset[UUID] | None, by: Any, now: datetime
) -> tuple[CalendarLink, str]:
    """Make a link and return it with its token, which is shown once and never again.

    Args:
        locations: what the maker's work is limited to; names of patients of other locations stay out.

    Raises:
        UnknownPractitioner: or one who no longer works here.
        TooManyLinks: the practitioner has ten that are open.
    """
    owner = Practitioner.objects.select_for_update().filter(pk=practitioner_id, is_active=True).first()
    if owner is None:
        raise UnknownPractitioner
    if CalendarLink.objects.filter(practitioner=owner, revoked_at=None).count() >= MOST:
        raise TooManyLinks(most=MOST)
    token = new_token()
    made = CalendarLink.objects.create(
        practitioner=owner, token_hash=token_hash(token), with_names=with_names, locations=sorted(locations or ()),
        created_at=now, created_by=by,
    )  # fmt: skip
    audit.record(
        "calendar_link.created", target=("calendar_link", made.pk), details={"with_names": with_names}, now=now
    )
    return made, token


@transaction.atomic
def revoke_link(*, link_id: UUID, by: Any, now: datetime) -> None:
    """Close a link at once. Closing it again changes nothing."""
    if CalendarLink.objects.filter(pk=link_id, revoked_at=None).update(revoked_at=now):
        audit.record("calendar_link.revoked", target=("calendar_link", link_id), now=now)


def note_fetched(link: CalendarLink, *, now: datetime) -> None:
    """Note that somebody still uses the link, at most every ten minutes."""
    if link.fetched_at is None or now - link.fetched_at > NOTED_EVERY:
        link.fetched_at = now
        link.save(update_fields=["fetched_at"])


def address_of(token: str) -> str:
    """Return what a calendar program is given."""
    return f"{base_url()}/p/cal/{token}.ics"


@dataclass(frozen=True)
class Opened:
    """An open link, whose calendar it shows, and the clinic."""

    link: CalendarLink
    practitioner: Practitioner
    organization: Organization


@contextmanager
def opened(token: str, *, address: str = "") -> Iterator[Opened | None]:
    """Enter the organization this token belongs to, as the calendar program that holds it; None when it opens nothing."""
    wanted = token_hash(token)
    organization_id = sql.value("select icalendar_find_link(%s)", [wanted])
    if organization_id is None:
        yield None
        return
    with in_organization(organization_id):
        link = (
            CalendarLink.objects.select_related("practitioner", "organization")
            .filter(token_hash=wanted, revoked_at__isnull=True, practitioner__is_active=True)
            .first()
        )
        if link is None:
            yield None
            return
        with acting_as(Actor("calendar", link.pk, link.practitioner.name[:120], via="link", address=address)):
            yield Opened(link, link.practitioner, link.organization)
