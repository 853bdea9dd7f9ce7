"""What scheduling gives out and erases for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the patient's appointments."""
    rows = sql.rows(
        """select a.state, a.starts_at, a.ends_at, a.number, v.name as service, p.name as practitioner, l.name as location,
                  a.source, a.note, a.cancel_reason, a.cancel_note, a.confirmed_at, a.arrived_at, a.created_at
             from scheduling_appointment a join scheduling_service v on v.id = a.service_id
             join records_practitioner p on p.id = a.practitioner_id join tenancy_location l on l.id = a.location_id
            where a.patient_id = %s order by a.starts_at""",
        [patient_id],
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
    """Empty the words of the patient's appointments; that there was one stays countable."""
    sql.execute(
        "update scheduling_appointment set note = '', cancel_note = '', answers_sealed = null where patient_id = %s",
        [patient_id],
    )
    sql.execute("update scheduling_waitlist_entry set note = '' where patient_id = %s", [patient_id])
