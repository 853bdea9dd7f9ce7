"""Background work of payments."""

from uuid import UUID

from django.utils import timezone

from careloop.tenancy.jobs import job


@job(name="payments.send_refund", transaction=False)
def send_refund(organization_id: UUID, refund_id: str) -> None:
    """Ask the provider for one refund; a job that runs again finds it sent and does nothing."""
    from careloop.payments import refunds

    refunds.send(organization_id=organization_id, refund_id=UUID(refund_id), now=timezone.now())
