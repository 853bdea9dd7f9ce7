"""Services, free places and appointments: what another program needs to book as the desk does, or as a patient would."""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Query, Router, Status
from pydantic import AwareDatetime

from careloop.api import schemas
from careloop.api.doors import PROBLEMS, Cursor, Limit, Token
from careloop.api.errors import KeyUsed, NotFound
from careloop.api.pages import page_of, read_cursor
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.loyalty.tier import tiers
from careloop.scheduling import availability, services
from careloop.scheduling.availability import Free
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place

router = Router(tags=["appointments"])
reads, writes = Token("appointments:read"), Token("appointments:write")
LONGEST_SEARCH = timedelta(days=180)

APPOINTMENT = """
    select id, patient_id, service_id, session_id, practitioner_id, location_id, state, starts_at, ends_at, number, source, is_first_visit,
           confirmed_at, arrived_at, cancel_reason, version, sequence, changed_at
      from scheduling_appointment
"""


def as_free_place(place: Free) -> dict[str, Any]:
    """Return a free place in the API's shape."""
    return schemas.FreePlaceOut.from_orm(place).dict()


@router.get("/services", auth=reads, response={200: list[schemas.ServiceOut], **PROBLEMS})
def list_services(request: HttpRequest) -> Any:
    """What can be booked, by name."""
    return sql.rows(
        "select id, name, minutes, first_visit_minutes, payer, price, is_online from scheduling_service where is_active order by name"
    )


@router.get("/free-places", auth=reads, response={200: list[schemas.FreePlaceOut], **PROBLEMS})
def list_free_places(
    request: HttpRequest, service_id: UUID, since: AwareDatetime | None = None, until: AwareDatetime | None = None,
    practitioner_id: UUID | None = None, location_id: list[UUID] = Query([], max_length=50), weekday: list[int] = Query([], max_length=7),
    part: list[Literal["MORNING", "AFTERNOON", "EVENING"]] = Query([], max_length=3), patient_id: UUID | None = None,
    sessions: int = Query(20, ge=1, le=availability.MOST_SESSIONS),
) -> Any:  # fmt: skip
    """Free places of a service, earliest first, by default in the next 90 days. `weekday`: 1 Monday … 7 Sunday; names given twice are
    either-or. With `patient_id` what overlaps with the patient's other appointments is left out."""
    now = timezone.now()
    begins = max(since or now, now)
    found = availability.search(
        service_id=service_id, now=now, since=begins, until=min(until, begins + LONGEST_SEARCH) if until else None,
        practitioner_id=practitioner_id, location_ids=location_id or None, weekdays=weekday, parts=part, patient_id=patient_id,
        sessions=sessions,
    )  # fmt: skip
    if patient_id:
        audit.record("appointments.listed", patients=[patient_id])
    return [as_free_place(place) for place in found]


@router.get("/appointments", auth=reads, response={200: schemas.AppointmentPage, **PROBLEMS})
def list_appointments(
    request: HttpRequest, patient_id: UUID | None = None, practitioner_id: UUID | None = None, location_id: UUID | None = None,
    state: Appointment.State | None = None, since: AwareDatetime | None = None, until: AwareDatetime | None = None,
    cursor: str = Cursor, limit: int = Limit,
) -> Any:  # fmt: skip
    """Appointments in the order of their beginning. What patients answered before a visit is not given."""
    where, params = ["patient_id is not null"], {"limit": limit + 1}
    for column, value, compared in (
        ("patient_id", patient_id, "="), ("practitioner_id", practitioner_id, "="), ("location_id", location_id, "="),
        ("state", state and state.value, "="), ("starts_at", since, ">="), ("starts_at", until, "<"),
    ):  # fmt: skip
        if value:
            where.append(f"{column} {compared} %(given_{len(where)})s")
            params[f"given_{len(where) - 1}"] = value  # type: ignore[assignment]
    if cursor:
        where.append("(starts_at, id) > (%(at)s, %(after)s)")
        params["at"], params["after"] = read_cursor(cursor, datetime, UUID)
    rows = sql.rows(f"{APPOINTMENT} where {' and '.join(where)} order by starts_at, id limit %(limit)s", params)
    page = page_of(rows, limit, "starts_at", "id")
    audit.record("appointments.listed", patients={row["patient_id"] for row in page["items"]})
    return page


@router.get("/appointments/{uuid:appointment_id}", auth=reads, response={200: schemas.AppointmentOut, **PROBLEMS})
def get_appointment(request: HttpRequest, appointment_id: UUID) -> Any:
    """One appointment."""
    row = sql.row(f"{APPOINTMENT} where id = %s", [appointment_id])
    if row is None:
        raise NotFound
    audit.record("appointment.viewed", patients=[row["patient_id"]], target=("appointment", appointment_id))
    return row


@router.post(
    "/appointments", auth=writes, response={201: schemas.AppointmentOut, 200: schemas.AppointmentOut, **PROBLEMS}
)
def book(
    request: HttpRequest,
    body: schemas.AppointmentIn,
    idempotency_key: UUID | None = Header(None, alias="Idempotency-Key"),
) -> Any:
    """Book a place. With the same `Idempotency-Key` a second call books nothing more; a place that is gone is refused with others near it."""
    if not sql.value("select 1 from patients_patient where id = %s and merged_into_id is null", [body.patient_id]):
        raise NotFound
    now = timezone.now()
    made = services.book(
        patient_id=body.patient_id, service_id=body.service_id, place=_place(body), source="api", note=body.note, now=now, by=None,
        key=f"api:{idempotency_key}" if idempotency_key else "", online=body.as_patient,
        more_days=tiers.more_days(body.patient_id, now=now) if body.as_patient else 0,
    )  # fmt: skip
    is_new = made.created_at == now
    if not is_new and not _is_what_was_asked(made, body):
        raise KeyUsed
    return Status(201 if is_new else 200, made)


def _is_what_was_asked(made: Appointment, body: schemas.AppointmentIn) -> bool:
    """Return whether this appointment came of this request; of one that was changed since only whose it is can be compared."""
    if made.patient_id != body.patient_id or made.version > 1:
        return bool(made.patient_id == body.patient_id)
    where = (made.service_id, made.session_id) == (body.service_id, body.session_id)
    return where and (body.starts_at or made.starts_at, body.number or made.number) == (made.starts_at, made.number)


@router.post(
    "/appointments/{uuid:appointment_id}/move", auth=writes, response={200: schemas.AppointmentOut, **PROBLEMS}
)
def move(request: HttpRequest, appointment_id: UUID, body: schemas.MoveIn) -> Any:
    """Give an appointment another place; until the new one is certain the old one is kept."""
    now = timezone.now()
    whose = (
        sql.value("select patient_id from scheduling_appointment where id = %s", [appointment_id])
        if body.as_patient
        else None
    )
    return services.move(
        appointment_id=appointment_id, place=_place(body), version=body.version, online=body.as_patient, now=now, by=None,
        more_days=tiers.more_days(whose, now=now) if whose else 0,
    )  # fmt: skip


@router.post(
    "/appointments/{uuid:appointment_id}/cancel", auth=writes, response={200: schemas.AppointmentOut, **PROBLEMS}
)
def cancel(request: HttpRequest, appointment_id: UUID, body: schemas.CancelIn) -> Any:
    """Call an appointment off. Repeating it changes nothing."""
    return services.cancel(
        appointment_id=appointment_id, reason=body.reason, note=body.note, version=body.version, online=body.as_patient,
        now=timezone.now(), by=None,
    )  # fmt: skip


@router.post(
    "/appointments/{uuid:appointment_id}/confirm", auth=writes, response={200: schemas.AppointmentOut, **PROBLEMS}
)
def confirm(request: HttpRequest, appointment_id: UUID, body: schemas.SequenceIn) -> Any:
    """Note that the patient says: I am coming. Repeating it changes nothing."""
    return services.confirm(appointment_id=appointment_id, sequence=body.sequence, now=timezone.now(), by=None)


@router.post(
    "/appointments/{uuid:appointment_id}/arrive", auth=writes, response={200: schemas.AppointmentOut, **PROBLEMS}
)
def arrive(request: HttpRequest, appointment_id: UUID, body: schemas.VersionIn) -> Any:
    """Note that the patient is here."""
    return services.arrive(appointment_id=appointment_id, version=body.version, now=timezone.now(), by=None)


def _place(body: schemas.WhereIn) -> Place:
    return Place(body.session_id, starts_at=body.starts_at, number=body.number)
