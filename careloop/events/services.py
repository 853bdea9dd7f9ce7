"""Publishing facts, one at a time or as sets."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from careloop.audit.services import current_actor
from careloop.events.models import EventRetraction
from careloop.events.registry import payload_of
from careloop.kernel import sql


def publish(
    fact: Any,
    *,
    patient_id: UUID | None,
    now: datetime,
    occurred_at: datetime | None = None,
    historical: bool = False,
    dedupe_key: str | None = None,
    source: str = "",
    batch_id: UUID | None = None,
) -> bool:
    """Append `fact` to the log, in the running transaction.

    Args:
        fact: an instance of a class declared with `@fact`.
        now: when we learnt of it.
        occurred_at: when it happened (default: now).
        historical: filled in afterwards by an import; starts nothing.
        dedupe_key: publishing again under the same key changes nothing.

    Returns:
        Whether it is new.
    """
    return publish_many(
        [(fact, patient_id, occurred_at or now, dedupe_key)],
        now=now, historical=historical, source=source, batch_id=batch_id,
    ) == 1  # fmt: skip


def publish_many(
    facts: Iterable[tuple[Any, UUID | None, datetime, str | None]],
    *,
    now: datetime,
    historical: bool = False,
    source: str = "",
    batch_id: UUID | None = None,
) -> int:
    """Append many facts in one statement: tuples of fact, patient, time, dedupe key. Return how many are new."""
    actor = current_actor()
    entries = [
        {
            "kind": fact.kind, "patient_id": str(patient) if patient else None, "occurred_at": at.isoformat(),
            "payload": payload_of(fact), "key": key,
        }
        for fact, patient, at, key in facts
    ]  # fmt: skip
    if not entries:
        return 0
    return int(
        sql.value(
            """select events_append(%(entries)s::jsonb, %(now)s, %(actor_kind)s, %(actor_id)s, %(source)s, %(batch_id)s,
                                    %(historical)s)""",
            {
                "entries": orjson.dumps(entries).decode(),
                "now": now,
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "source": source,
                "batch_id": batch_id,
                "historical": historical,
            },
        )
    )


def retract_batch(batch_id: UUID, *, now: datetime) -> None:
    """Hide the events of an undone import from every timeline and rebuild."""
    EventRetraction.objects.get_or_create(batch_id=batch_id, defaults={"retracted_at": now})
