"""What the audit chain does for the slices below it. Imported once at start (config/wiring.py)."""

from uuid import UUID

from careloop.accounts import trail
from careloop.audit.services import Actor, record


def visitor(user_id: UUID | None, name: str, address: str) -> Actor:
    """Who acts before an organization is entered: a user who proved who they are, or somebody who says so."""
    return Actor("staff" if user_id else "visitor", user_id, name, via="web", address=address)


trail.write_with(record, visitor=visitor)
