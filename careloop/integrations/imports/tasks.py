"""Background work: an import runs in the worker, chunk by chunk, each its own transaction."""

from uuid import UUID

import structlog
from django.utils import timezone

from careloop.audit.services import Actor
from careloop.integrations.imports import services, uploads
from careloop.integrations.imports.models import ImportBatch
from careloop.kernel.errors import DomainError
from careloop.tenancy.context import in_organization
from careloop.tenancy.jobs import job

log = structlog.get_logger(__name__)


@job(name="imports.run", queue="imports", transaction=False)
def run(organization_id: UUID, batch_id: str) -> None:
    """Import a batch that was uploaded. Running it again goes on where it stopped."""
    with in_organization(organization_id):
        batch = services.get_batch(batch_id)
        if batch.state not in (ImportBatch.State.QUEUED, ImportBatch.State.RUNNING):
            return
        actor = Actor("user", id=batch.created_by_id, name=getattr(batch.created_by, "name", ""), via="import")
        path = uploads.stored_path(batch)
    try:
        services.run_batch(batch, path, organization_id=organization_id, clock=timezone.now, actor=actor)
    except DomainError as refusal:
        # the batch says so on its page; trying again would say the same
        log.info("import.refused", batch=str(batch.id), code=refusal.code)
        return
    with in_organization(organization_id):
        if batch.state == ImportBatch.State.DONE and not batch.dry_run:
            uploads.remove(batch)
