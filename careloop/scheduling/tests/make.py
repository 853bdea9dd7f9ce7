"""A small clinic's schedule for tests: one physician, one place, a session by time and one by number."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from careloop.kernel.ids import uuid7
from careloop.records.models import Practitioner
from careloop.scheduling import services
from careloop.scheduling.models import Appointment, Resource, Service, ServiceEquipment, ServicePractitioner, Session
from careloop.scheduling.places import Place
from careloop.tenancy.models import Location

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Taipei
MORNING = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)  # the next day, 9:00 in Taipei


@dataclass
class Clinic:
    """What a test books in."""

    location: Location
    physician: Practitioner
    room: Resource
    service: Service


def clinic(**service: Any) -> Clinic:
    """Make a branch, a physician and a service of half an hour that this physician offers."""
    location = Location.objects.create(id=uuid7(), name=f"門診 {uuid4().hex[:6]}")
    physician = practitioner("林怡君")
    room = Resource.objects.create(kind="ROOM", name="1 診", location=location)
    made = Service.objects.create(**{"name": f"洗牙 {uuid4().hex[:6]}", "minutes": 30, **service})
    offers(made, physician)
    return Clinic(location, physician, room, made)


def practitioner(name: str) -> Practitioner:
    return Practitioner.objects.create(name=name)


def offers(service: Service, who: Practitioner) -> None:
    """Let this practitioner offer this service."""
    ServicePractitioner.objects.create(service=service, practitioner=who)


def equipment(where: Clinic, name: str = "超音波洗牙機") -> Resource:
    """Add a piece of equipment that the service needs."""
    made = Resource.objects.create(kind="EQUIPMENT", name=name, location=where.location)
    ServiceEquipment.objects.create(service=where.service, resource=made)
    return made


def session(
    where: Clinic, *, starts_at: datetime = MORNING, hours: float = 3, mode: str = "SLOTS", **more: Any
) -> Session:
    """Make one session; by default the next morning from 9:00 to 12:00, by time, every half hour."""
    values: dict[str, Any] = {
        "practitioner": where.physician, "location": where.location, "room": where.room, "on_date": (starts_at + timedelta(hours=8)).date(),
        "part": "MORNING", "starts_at": starts_at, "ends_at": starts_at + timedelta(hours=hours), "mode": mode,
        "slot_minutes": 30 if mode == "SLOTS" else 5, "numbers": 0 if mode == "SLOTS" else 30,
    }  # fmt: skip
    return Session.objects.create(**{**values, **more})


def book(
    where: Clinic,
    held: Session,
    patient_id: UUID,
    *,
    at: datetime | None = None,
    now: datetime = NOW,
    key: str = "",
    **more: Any,
) -> Appointment:
    """Book at the desk: at `at` (by default the session's beginning), or the next number."""
    place = {name: more.pop(name) for name in ("pool", "number", "extra") if name in more}
    return services.book(
        patient_id=patient_id, service_id=where.service.pk, source=more.pop("source", "desk"), key=key, now=now, by=None,
        place=Place(held.pk, starts_at=(at or held.starts_at) if held.mode == "SLOTS" else None, **place), **more,
    )  # fmt: skip
