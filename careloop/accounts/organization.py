"""The organization's own data: name and contact, hours, colours, law, locations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from careloop.accounts.errors import LastLocation, LocationNameTaken
from careloop.accounts.trail import note
from careloop.kernel.text import clean
from careloop.tenancy.models import Location, Organization


def current() -> Organization:
    """Return the organization the running code works in: the only one it can see."""
    return Organization.objects.get()


@transaction.atomic
def update(*, fields: Mapping[str, Any], now: datetime) -> list[str]:
    """Change the organization; return the names of the fields that are different now.

    Raises:
        ValidationError: a value its field does not allow.
    """
    organization = Organization.objects.select_for_update().get()
    changed = [name for name, value in fields.items() if getattr(organization, name) != value]
    if not changed:
        return []
    before = {name: getattr(organization, name) for name in changed}
    for name in changed:
        setattr(organization, name, fields[name])
    organization.full_clean(validate_unique=False, validate_constraints=False)
    organization.save(update_fields=changed)
    # law and hours are worth reading later; the rest is a name or an address
    told = {name: [before[name], fields[name]] for name in changed if name in TOLD}
    note("organization.changed", target=("organization", organization.pk), fields=changed, values=told)
    return changed


TOLD = {
    "legal_profile",
    "data_in_taiwan",
    "data_approval",
    "quiet_from_hour",
    "quiet_to_hour",
    "marketing_cap",
    "time_zone",
}


@transaction.atomic
def save_location(*, location_id: UUID | None, name: str, phone: str, address: str, now: datetime) -> Location:
    """Add a location, or change one.

    Raises:
        LocationNameTaken: another location is called so.
    """
    location = Location.objects.get(pk=location_id) if location_id else Location()
    location.name, location.phone, location.address = clean(name), clean(phone), clean(address)
    try:
        with transaction.atomic():
            location.save()
    except IntegrityError as error:
        raise LocationNameTaken from error
    note("location.changed" if location_id else "location.added", target=("location", location.pk))
    return location


@transaction.atomic
def switch_location(*, location: Location, active: bool, now: datetime) -> None:
    """Take a location out of use or back into it; what was recorded there stays.

    Raises:
        LastLocation: no other is in use.
    """
    # locked in one order, so that the last two cannot go at the same time
    in_use = list(
        Location.objects.select_for_update().filter(is_active=True).order_by("pk").values_list("pk", flat=True)
    )
    if not active and in_use in ([], [location.pk]):
        raise LastLocation
    if Location.objects.filter(pk=location.pk).exclude(is_active=active).update(is_active=active):
        note("location.opened" if active else "location.closed", target=("location", location.pk))
