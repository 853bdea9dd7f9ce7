"""A journey's version as it is walked, and what coming to one of its steps means."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.journeys import rules
from careloop.journeys.definition import Definition, Step, read
from careloop.journeys.models import JourneyVersion
from careloop.kernel import sql


@dataclass(frozen=True)
class Version:
    """A journey's version as the engine uses it."""

    id: UUID
    journey_id: UUID
    journey: str
    definition: Definition
    reads_health: bool


@lru_cache(maxsize=500)
def _definition(version_id: UUID, organization_id: UUID) -> Definition:
    """Versions never change, so a definition is read once a process."""
    return read(JourneyVersion.objects.values_list("definition", flat=True).get(pk=version_id))


def load_version(version_id: UUID) -> Version:
    """Return a version with its definition read."""
    row = sql.row(
        """select v.id, v.journey_id, v.organization_id, j.name from journeys_version v join journeys_journey j on j.id = v.journey_id
            where v.id = %s""",
        [version_id],
    )
    assert row is not None
    definition = _definition(row["id"], row["organization_id"])
    return Version(row["id"], row["journey_id"], row["name"], definition, reads_health(definition))


def reads_health(definition: Definition) -> bool:
    """Whether who is on the journey was chosen by clinical data: marketing then needs written consent (P1)."""
    from careloop.journeys.definition import TRIGGER_EVENTS

    trigger = definition.trigger
    if trigger["kind"] == "event" and TRIGGER_EVENTS[trigger["event"]].clinical:
        return True
    if trigger["kind"] == "date" and trigger["date"] == "supply_end":
        return True
    return bool(
        definition.segments
        and sql.value("select bool_or(reads_clinical) from segments_segment where id = any(%s)", [definition.segments])
    )


@dataclass(frozen=True)
class Entry:
    """What is written when an enrollment comes to a step: which, when it is carried out, how long it listens."""

    step: str
    kind: str
    due_at: datetime
    reply_wait_minutes: int | None = None


def entry_of(step: Step | None, *, now: datetime, zone: ZoneInfo) -> Entry:
    """Return what coming to `step` at `now` means; None is the end."""
    if step is None:
        return Entry("", "", now)
    if step.kind == "wait":
        until = step.values.get("until")
        due = rules.wait_until(
            now, days=step.values.get("days", 0), hours=step.values.get("hours", 0),
            at=time.fromisoformat(until) if until else None, zone=zone,
        )  # fmt: skip
        return Entry(step.id, step.kind, due)
    if step.kind == "wait_reply":
        due = rules.wait_until(now, days=step.values.get("days", 0), hours=step.values.get("hours", 0), zone=zone)
        return Entry(step.id, step.kind, due, int((due - now) / timedelta(minutes=1)))
    return Entry(step.id, step.kind, now)


def clinic_zone() -> ZoneInfo:
    return ZoneInfo(sql.value("select time_zone from tenancy_organization"))
