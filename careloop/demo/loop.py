"""What the demo clinic is in the middle of: segments, journeys, messages sent, answers received, follow-ups."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from careloop.events.readers import run_all
from careloop.messaging import texts
from careloop.tenancy.context import in_organization


def play(organization_id: UUID, *, owner: UUID, now: datetime, seed: int) -> None:
    """Let the real services do what a clinic does in a few weeks."""
    with in_organization(organization_id):
        texts.install_library(now=now)
    run_all(organization_id, now=timezone.now())
