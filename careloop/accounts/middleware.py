"""Each request of a signed-in member is one transaction inside one organization."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from careloop.accounts.models import Membership
from careloop.accounts.scope import limited_to, location_ids
from careloop.kernel import sql
from careloop.tenancy import context
from careloop.tenancy.models import Organization

SESSION_KEY = "organization"
# pages that work in an organization of their own choice: an invitation leads into one the visitor is not in yet, a patient's
# page belongs to the clinic that wrote the message
OUTSIDE = ("/invitation/", "/p/")
ENTER = """
    select id, organization_id, role, title, created_at, locations, workplaces, organization
      from accounts_enter(%s::uuid, %s::text)
"""


class OrganizationMiddleware:
    """Find the member, enter the organization, and commit or roll back with the answer.

    The membership is read at every request, so that a demotion takes effect at once. A server error rolls back; what
    waits for the commit (the audit entries of this request) is written just before it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.member = None  # type: ignore[attr-defined]
        if request.path_info.startswith(OUTSIDE) or not request.user.is_authenticated:
            return self.get_response(request)
        with transaction.atomic():
            member = enter_as(request.user.pk, request.session.get(SESSION_KEY))
            if member is None:
                return self.get_response(request)
            request.member = member  # type: ignore[attr-defined]
            token = context.enter(member.organization_id)
            try:
                # pages and forms tell the clinic's own time, wherever the machine stands
                with timezone.override(member.organization.time_zone), limited_to(location_ids(member)):
                    response = self.get_response(request)
                if response.status_code >= 500:
                    transaction.set_rollback(True)
                else:
                    context.run_before_commit()
            finally:
                context.leave(token)
            return response


def enter_as(user_id: UUID, wanted: str | None) -> Membership | None:
    """Set the organization of `user_id` for the running transaction and return the membership.

    `wanted` is the organization chosen last; without it (or when the membership has ended) the oldest active
    membership counts. One statement: the function looks across organizations, because none is known yet.
    """
    found: dict[str, Any] | None = sql.start(ENTER, [user_id, wanted])
    if found is None or found["id"] is None:
        return None
    member = Membership(
        id=found["id"], organization_id=found["organization_id"], user_id=user_id, role=found["role"],
        title=found["title"], is_active=True, created_at=found["created_at"],
    )  # fmt: skip
    member.organization = _organization(found["organization"])
    member.location_limit = frozenset(found["locations"] or ()) or None  # type: ignore[attr-defined]
    member.workplaces = found["workplaces"]  # type: ignore[attr-defined]
    return member


def _organization(row: dict[str, Any]) -> Organization:
    """The organization from its row as JSON, as if the ORM had read it."""
    columns = Organization._meta.concrete_fields
    return Organization.from_db(
        "default", [one.attname for one in columns], [one.to_python(row[one.attname]) for one in columns]
    )
