"""A place held for a visitor of the booking page becomes somebody's."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import psycopg
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.scheduling import availability, errors, rules
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import COLUMNS, Place, read_wish
from careloop.scheduling.turns import in_turn

OF_THE_PATIENT = ("appointment_patient_in_one_place", "appointment_patient_once_per_session")


@in_turn
def give_to(*, appointment_id: UUID, patient_id: UUID, now: datetime) -> Appointment:
    """Say whose the held place is. Repeating it changes nothing.

    What the visitor said about a first visit is now known: the time gets the length it really needs, and the service's rule
    about who may book it is asked.

    Raises:
        HoldExpired: it is not held any more, or is somebody else's.
        PatientBusy: this patient is elsewhere at that time. PlaceTaken: the visit takes longer than there is room.
        OnlyFirstVisits, OnlyReturning.
    """
    found = sql.row(f"select {COLUMNS} from scheduling_appointment where id = %s for update", [appointment_id])
    if found is None:
        raise errors.UnknownAppointment
    if found["patient_id"] == patient_id and found["state"] in ("pending", "booked"):
        return Appointment.objects.get(pk=appointment_id)
    if found["state"] != "pending" or found["patient_id"] is not None:
        raise errors.HoldExpired
    near = partial(availability.near, found["session_id"], found["service_id"], now=now, around=found["starts_at"])
    by_time = found["number"] is None
    place = Place(found["session_id"], starts_at=found["starts_at"] if by_time else None)
    wish = read_wish(place, service_id=found["service_id"], patient_id=patient_id, now=now)
    # the place was in time when it was taken
    rules.check_may_book(
        wish.rule, starts_at=found["starts_at"], now=found["created_at"], is_first_visit=wish.is_first_visit
    )
    ends_at = found["starts_at"] + timedelta(minutes=wish.minutes) if by_time else found["ends_at"]
    if by_time and ends_at > wish.session["ends_at"]:
        raise errors.PlaceTaken(near=near)
    try:
        with transaction.atomic():
            sql.execute(
                """update scheduling_appointment set patient_id = %(patient)s, ends_at = %(ends_at)s, is_first_visit = %(first)s,
                          version = version + 1, changed_at = %(now)s where id = %(id)s""",
                {"patient": patient_id, "ends_at": ends_at, "first": wish.is_first_visit, "now": now, "id": appointment_id},
            )  # fmt: skip
    except IntegrityError as error:
        cause = error.__cause__
        if not isinstance(cause, psycopg.errors.ExclusionViolation | psycopg.errors.UniqueViolation):
            raise
        if cause.diag.constraint_name in OF_THE_PATIENT:
            raise errors.PatientBusy from None
        raise errors.PlaceTaken(near=near) from None
    audit.record("appointment.held", patients=[patient_id], target=("appointment", appointment_id), now=now)
    return Appointment.objects.get(pk=appointment_id)
