"""What scheduling gives out and erases for one patient."""

from typing import Any
from uuid import UUID

from django.utils import timezone

from careloop.kernel import sql
from careloop.patients import sealing
from careloop.scheduling import services, waitlist
from careloop.scheduling.models import Appointment, WaitlistEntry


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the patient's appointments."""
    rows = sql.rows(
        """select a.id, a.answers_sealed, a.state, a.starts_at, a.ends_at, a.number, v.name as service, p.name as practitioner, l.name as location,
                  a.source, a.note, a.cancel_reason, a.cancel_note, a.confirmed_at, a.arrived_at, a.created_at
             from scheduling_appointment a join scheduling_service v on v.id = a.service_id
             join records_practitioner p on p.id = a.practitioner_id join tenancy_location l on l.id = a.location_id
            where a.patient_id = %s order by a.starts_at""",
        [patient_id],
    )
    key = sealing.load_keys([patient_id]).get(patient_id)
    for row in rows:
        sealed = row.pop("answers_sealed")
        row["answers"] = (
            sealing.unseal(key, sealed, table=services.TABLE, column=services.ANSWERS, row_id=row["id"])
            if key and sealed
            else ""
        )
    wishes = sql.rows(
        """select v.name as service, w.state, w.first_date, w.last_date, w.weekdays, w.parts, w.note, w.created_at, w.closed_at
             from scheduling_waitlist_entry w join scheduling_service v on v.id = w.service_id
            where w.patient_id = %s order by w.created_at""",
        [patient_id],
    )
    offers = sql.rows(
        """select v.name as service, a.starts_at, o.offered_at, o.answer_by, o.state, o.answered_at
             from scheduling_waitlist_offer o join scheduling_waitlist_entry w on w.id = o.entry_id
             join scheduling_appointment a on a.id = o.appointment_id join scheduling_service v on v.id = w.service_id
            where w.patient_id = %s order by o.offered_at""",
        [patient_id],
    )
    return {"appointments": rows, "waitlist": wishes, "offers": offers}


def erase(patient_id: UUID) -> None:
    """Call off what is still to come, and empty the words of all appointments; that there was one stays countable."""
    now = timezone.now()
    ahead = Appointment.objects.filter(
        patient_id=patient_id, state__in=("booked", "pending", "proposed"), ends_at__gt=now
    )
    for appointment_id in ahead.values_list("id", flat=True):
        services.cancel(appointment_id=appointment_id, reason="clinic", now=now, by=None)
    waiting = WaitlistEntry.objects.filter(patient_id=patient_id, state__in=("WAITING", "OFFERED"))
    for entry_id in waiting.values_list("id", flat=True):
        waitlist.leave(entry_id=entry_id, reason="inactive", now=now, by=None)
    sql.execute(
        "update scheduling_appointment set note = '', cancel_note = '', answers_sealed = null where patient_id = %s",
        [patient_id],
    )
    sql.execute("update scheduling_waitlist_entry set note = '' where patient_id = %s", [patient_id])
