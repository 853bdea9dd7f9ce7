"""Background work of messaging."""

from uuid import UUID

from django.utils import timezone

from careloop.messaging import inbound
from careloop.tenancy.context import in_organization
from careloop.tenancy.jobs import job


@job(name="messaging.process_inbound", queue="messages", transaction=False)
def process_inbound(organization_id: UUID) -> None:
    """Understand what came in, batch by batch until nothing waits."""
    while True:
        with in_organization(organization_id):
            if not inbound.process_waiting(now=timezone.now()):
                return
