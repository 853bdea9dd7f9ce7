"""From a token to what it opens, inside the right organization."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.kernel.ids import token_hash
from careloop.tenancy.context import in_organization
from careloop.waitingroom import live


def ticket_behind(token: str) -> tuple[UUID, UUID] | None:
    """Return organization and ticket of a number's link; None when it opens nothing."""
    wanted = token_hash(token)

    def find() -> tuple[UUID, Any] | None:
        organization_id = sql.value("select waitingroom_find_ticket(%s)", [wanted])
        if organization_id is None:
            return None
        with in_organization(organization_id):
            return organization_id, sql.value("select id from waitingroom_ticket where token_hash = %s", [wanted])

    return live.opened("ticket", wanted, find)


@dataclass(frozen=True)
class Screen:
    """A screen whose link works."""

    id: UUID
    name: str
    kind: str
    language: str
    theme: str
    shows_names: bool
    shows_code: bool
    location_id: UUID
    location: str


def screen_behind(token: str) -> tuple[UUID, Screen] | None:
    """Return organization and screen of a screen's link; None when it opens nothing (any more)."""
    wanted = token_hash(token)

    def find() -> tuple[UUID, Any] | None:
        organization_id = sql.value("select waitingroom_find_display(%s)", [wanted])
        if organization_id is None:
            return None
        with in_organization(organization_id):
            found = sql.row(
                """select d.id, d.name, d.kind, d.language, d.theme, d.shows_names, d.shows_code, d.location_id, l.name as location
                     from waitingroom_display d join tenancy_location l on l.id = d.location_id
                    where d.token_hash = %s and d.revoked_at is null""",
                [wanted],
            )
        return (organization_id, Screen(**found)) if found else None

    return live.opened("display", wanted, find)
