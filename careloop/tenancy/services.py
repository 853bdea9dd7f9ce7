"""Making organizations."""

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Location, Organization


class SlugTaken(DomainError):
    code = "tenancy.slug_taken"
    message = _("An organization named “%(slug)s” exists already.")


class UnknownOrganization(DomainError):
    code = "tenancy.unknown_organization"
    message = _("There is no organization “%(slug)s”. These exist: %(known)s.")
    status = 404


class OrganizationNeeded(DomainError):
    code = "tenancy.organization_needed"
    message = _("There are several organizations; say which one: %(known)s.")


def organization_ids() -> list[tuple[UUID, str]]:
    """Return (id, slug) of every organization: the worker visits each in turn."""
    return [(row["id"], row["slug"]) for row in sql.rows("select id, slug from tenancy_list_organizations()")]


def create_organization(*, slug: str, name: str, now: datetime, location: str = "", **fields: object) -> Organization:
    """Create an organization with its first location.

    Raises:
        SlugTaken: another organization has this short name.
    """
    if any(slug == known for _id, known in organization_ids()):
        raise SlugTaken(slug=slug)
    organization = Organization(id=uuid7(), slug=slug, name=name, created_at=now, **fields)
    with in_organization(organization.id):
        organization.full_clean(validate_unique=False, validate_constraints=False)
        organization.save(force_insert=True)
        Location.objects.create(name=location or name)
    return organization


def find_organization(slug: str | None) -> UUID:
    """Return the organization a command works in: the named one, or the only one. Several are never guessed between.

    Raises:
        UnknownOrganization, OrganizationNeeded: with the names that exist.
    """
    known = organization_ids()
    names = ", ".join(sorted(name for _id, name in known)) or "–"
    if slug:
        for identifier, name in known:
            if name == slug:
                return identifier
        raise UnknownOrganization(slug=slug, known=names)
    if len(known) == 1:
        return known[0][0]
    raise OrganizationNeeded(known=names)
