"""Screens in the waiting room, each opened by a secret link that can be ended."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.ids import new_token, token_hash
from careloop.kernel.text import clean
from careloop.waitingroom import errors, links
from careloop.waitingroom.models import Display


@transaction.atomic
def make(*, values: dict[str, Any], now: datetime, by: UUID | None, token: str = "") -> tuple[Display, str]:
    """Make a screen and return it with its address, which is shown this once and kept only as a hash.

    Args:
        token: of a screen whose address can be made again (the demo clinic's); else a new one.
    """
    token = token or new_token()
    made = Display.objects.create(
        **{**values, "name": clean(values["name"])[:60]}, token_hash=token_hash(token), created_at=now, created_by_id=by
    )
    audit.record("queue.display_made", target=("display", made.pk), now=now)
    return made, f"{links.base_url()}/p/tv/{token}/"


@transaction.atomic
def revoke(*, display_id: UUID, now: datetime, by: UUID | None) -> None:
    """End a screen's link: it shows nothing any more. Repeating it changes nothing.

    Raises:
        UnknownDisplay.
    """
    if not Display.objects.filter(pk=display_id).exists():
        raise errors.UnknownDisplay
    if Display.objects.filter(pk=display_id, revoked_at__isnull=True).update(revoked_at=now):
        audit.record("queue.display_revoked", target=("display", display_id), now=now)


def listed(*, locations: list[UUID] | None) -> list[dict[str, Any]]:
    """Return the screens whose links work."""
    return sql.rows(
        """select d.id, d.name, d.kind, d.language, d.theme, d.shows_names, d.shows_code, d.created_at, l.name as location
             from waitingroom_display d join tenancy_location l on l.id = d.location_id
            where d.revoked_at is null and (%(locations)s::uuid[] is null or d.location_id = any(%(locations)s::uuid[]))
            order by l.name, d.name, d.created_at""",
        {"locations": locations},
    )
