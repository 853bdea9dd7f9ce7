"""A claimed message, and the account it leaves by."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from careloop.kernel import sql
from careloop.messaging import planning
from careloop.messaging.ports import (
    Capabilities,
    Outgoing,
)  # fmt: skip


@dataclass(slots=True)
class Ready:
    """One claimed message: what leaves, and what is needed to write down how it went."""

    outgoing: Outgoing
    template: str
    message_class: str
    origin: str
    origin_id: str
    patient_id: UUID
    contact_point_id: UUID | None
    key: bytes
    attempts: int
    fixed_channel: bool
    appointment_id: UUID | None = None
    members: list["Ready"] = field(default_factory=list)

    @property
    def is_bound(self) -> bool:
        """Whether it is right only as long as something else stays as it is."""
        return self.appointment_id is not None or self.origin in planning.BOUND

    @property
    def ids(self) -> list[UUID]:
        """This message's id and those of the ones it carries."""
        return [self.outgoing.key, *(one.outgoing.key for one in self.members)]


def ids_of(ready: Iterable[Ready]) -> list[UUID]:
    """Return the ids of messages and of all that they carry."""
    return [found for one in ready for found in one.ids]


@dataclass(frozen=True)
class Account:
    """What sending needs to know of an account."""

    id: UUID
    channel: str
    capabilities: Capabilities
    monthly_budget: int | None


_BY_INDEX = """
select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true)
"""


def by_index() -> None:
    """Let this transaction find rows by index only.

    An outbox changes faster than its statistics: where they were old, the planner read the whole table for each batch, at
    four times the price. A batch knows the ids of its rows; there is nothing to weigh.
    """
    sql.execute(_BY_INDEX)
