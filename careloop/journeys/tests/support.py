"""Journeys for tests: made and started the way staff do."""

from typing import Any
from uuid import UUID

from careloop.events.registry import Published
from careloop.facts import services as facts
from careloop.journeys import enrolling, moving, services, versions
from careloop.journeys.models import Enrollment, Journey
from careloop.kernel import sql
from careloop.messaging import texts
from careloop.messaging.models import ChannelAccount
from careloop.patients.tests.make import NOW, patient
from careloop.segments import services as segments

EVERYBODY: dict[str, Any] = {"all": []}
__all__ = [
    "EVERYBODY",
    "NOW",
    "definition",
    "event",
    "history",
    "open_line",
    "person",
    "run_all_due",
    "segment",
    "started",
]

#: steps that many journeys are made of
MESSAGE = {"kind": "message", "template": "recall"}
WAIT_3_DAYS = {"kind": "wait_reply", "days": 3, "answers": {"DONE": "end"}, "other": "end", "silence": "next"}
CALL = {"kind": "follow_up", "title": "打電話", "script": "問候", "task": "CALL", "due_days": 1}


def open_line(now=NOW):
    """A clinic that can write over LINE, with the library's texts."""
    texts.install_library(now=now)
    ChannelAccount.objects.create(
        channel="line", kind="sandbox", name="sandbox LINE", is_default=True, changed_at=now, created_at=now
    )


def person(name="王小明", line="U0123456789abcdef0123456789abcdef", **more):
    """A patient who can be reached over LINE, with facts."""
    patient_id = patient(name, line=line, **more)
    facts.refresh([patient_id], now=NOW)
    return patient_id


def segment(name="全部", rule=None, now=NOW, **more):
    return segments.create_segment(name=name, rule=rule or EVERYBODY, purpose="CARE", by=None, now=now, **more)


def definition(*steps, trigger=None, **more):
    numbered = [{"id": f"s{number}", **step} for number, step in enumerate(steps, start=1)]
    return {
        "trigger": trigger or {"kind": "event", "event": "patient.registered"},
        "hold_out_percent": 0,
        "steps": numbered,
        **more,
    }


def started(*steps, now=NOW, name="旅程", **more):
    """Make and start a journey; return it."""
    journey = services.create_journey(name=name, definition=definition(*steps, **more), now=now, by=None)
    services.start(journey_id=journey.pk, version=1, now=now, by=None)
    return Journey.objects.get(pk=journey.pk)


def enroll(journey, *patients, now=NOW):
    version = versions.load_version(journey.current_id)
    return enrolling.enroll(
        version,
        enrolling.Candidates("select unnest(%(p)s::uuid[]) as patient_id", {"p": list(patients)}),
        because="test",
        now=now,
    )


def run_all_due(journey, now=NOW, limit=5000):
    """Carry out what is due until nothing is; return how many moves that took."""
    moved = 0
    while done := moving.move_journey(journey.pk, now=now, limit=limit):
        moved += done
    return moved


def history(enrollment):
    enrollment = enrollment if isinstance(enrollment, Enrollment) else Enrollment.objects.get(pk=enrollment)
    return [(row.step, row.what, row.reason) for row in enrollment.history.order_by("number")]


def event(kind, patient_id, at=NOW, *, historical=False, event_id=1, **payload):
    return Published(event_id, kind, patient_id, at, at, "test", None, historical, payload)


def only(journey, patient_id: UUID | None = None) -> Enrollment:
    found = Enrollment.objects.filter(journey=journey)
    return found.get(patient_id=patient_id) if patient_id else found.get()


def messages():
    return sql.rows("select id, key, state, reason, patient_id from messaging_message order by planned_at, key")
