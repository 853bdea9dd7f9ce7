"""A clinic with a queue, for tests: sessions by number or by time, booked patients and walk-ins."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling.models import Appointment, Session
from careloop.scheduling.tests.make import MORNING, Clinic, book, clinic, session
from careloop.waitingroom import services
from careloop.waitingroom.models import QueueRules, Ticket

START = MORNING  # 9:00 in Taipei
MINUTE = timedelta(minutes=1)


def numbers(where: Clinic | None = None, **more: Any) -> tuple[Clinic, Session]:
    """A session of thirty numbers, five minutes each: odd ones for booked patients, even ones for walk-ins."""
    where = where or clinic()
    pools = [
        {"pool": "BOOKED", "first": 1, "last": 29, "parity": "odd"},
        {"pool": "WALK_IN", "first": 2, "last": 30, "parity": "even"},
    ]
    return where, session(where, mode="NUMBERS", **{"pools": pools, **more})


def booked(where: Clinic, held: Session, name: str = "王小明", **more: Any) -> Appointment:
    return book(where, held, patient(name), **more)


def here(where: Clinic, held: Session, name: str = "王小明", *, now: datetime = START, **more: Any) -> dict[str, Any]:
    """Book somebody and check them in at the desk."""
    return services.check_in(appointment_id=booked(where, held, name, **more).pk, how="DESK", now=now, by=None)


def walk_in(where: Clinic, held: Session, name: str = "林小華", *, now: datetime = START) -> dict[str, Any]:
    return services.check_in_walk_in(
        session_id=held.pk, patient_id=patient(name), service_id=where.service.pk, key=uuid4().hex, now=now, by=None
    )


def call(held: Session, *, now: datetime = START, room: UUID | None = None) -> dict[str, Any]:
    return services.call_next(session_id=held.pk, room_id=room, now=now, by=None)


def see(held: Session, *, now: datetime = START, minutes: int = 5) -> dict[str, Any]:
    """Call the next one and finish the visit."""
    called = call(held, now=now)
    services.start(ticket_id=called["id"], now=now, by=None)
    return services.finish(ticket_id=called["id"], now=now + minutes * MINUTE, by=None)


def rules(**values: Any) -> None:
    """Set the organization's rules."""
    QueueRules.objects.filter(practitioner=None, session=None).delete()
    QueueRules.objects.create(**values)


def told(ticket, *kinds):
    """Return what happened to a ticket: the kinds of its events, or the payloads of some kinds."""
    rows = sql.rows(
        "select kind, payload from events_event where payload->>'ticket_id' = %s and kind like 'queue.%%' order by id",
        [str(ticket["id"])],
    )
    return [row["payload"] if kinds else row["kind"] for row in rows if not kinds or row["kind"] in kinds]


def state(ticket):
    """Return the state of a ticket as it is now."""
    return Ticket.objects.get(pk=ticket["id"]).state


def labels(held, *, now=START):
    """Return the numbers that wait, in the order in which they are called."""
    from careloop.waitingroom.queues import lock, order_of

    known = dict(Ticket.objects.filter(session=held).values_list("pk", "label"))
    return [known[one.id] for one in order_of(lock(held.pk, now=now), now=now)]
