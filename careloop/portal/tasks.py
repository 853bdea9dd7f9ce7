"""Background work of the patients' pages."""

from uuid import UUID

from django.utils import timezone

from careloop.tenancy.jobs import job


@job(name="portal.send_code", queue="messages")
def send_code(organization_id: UUID, code_id: str) -> None:
    """Send a one-time code, if anybody has the address it was asked for."""
    from careloop.portal import codes

    codes.send(code_id=UUID(code_id), now=timezone.now())
