"""Background work of membership."""

from uuid import UUID

from django.utils import timezone

from careloop.tenancy.jobs import job


@job(name="loyalty.recompute_tiers", transaction=False)
def recompute_tiers(organization_id: UUID, programme_id: str, announce: bool = False) -> None:
    """Work out every member's tier again after the rules changed; running it again changes nothing."""
    from careloop.loyalty.tier import standing

    standing.recompute(UUID(programme_id), organization_id=organization_id, now=timezone.now(), announce=announce)
