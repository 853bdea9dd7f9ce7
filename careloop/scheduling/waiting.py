"""What pages read of the waitlist: who waits in which order, one wish with its offers, what one patient waits for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.kernel import sql

Row = dict[str, Any]

# a member limited to branches sees wishes for their branches, and wishes for any branch of patients who are at home there
VISIBLE = """(%(limit)s::uuid[] is null or w.location_id = any(%(limit)s)
    or (w.location_id is null and p.home_location_id = any(%(limit)s)))"""

_COLUMNS = """w.id, w.patient_id, w.state, w.priority, w.created_at, w.closed_at, w.first_date, w.last_date, w.weekdays, w.parts,
    w.note, w.source, w.version, w.service_id, w.practitioner_id, w.location_id, w.instead_of_id, p.name, p.chart_number,
    %(limit)s::uuid[] is null or p.home_location_id = any(%(limit)s) as is_visible, v.name as service, d.name as practitioner,
    l.name as location, i.starts_at as instead_of_at, i.state as instead_of_state"""
_TABLES = """scheduling_waitlist_entry w join patients_patient p on p.id = w.patient_id
    join scheduling_service v on v.id = w.service_id
    left join records_practitioner d on d.id = w.practitioner_id left join tenancy_location l on l.id = w.location_id
    left join scheduling_appointment i on i.id = w.instead_of_id"""


def listed(
    *, now: datetime, limit: list[UUID] | None, state: str = "", service_id: UUID | None = None, practitioner_id: UUID | None = None,
    location_id: UUID | None = None, beyond: str = "true", values: Row | None = None, order: str = "w.priority, w.created_at, w.id",
    most: int = 200,
) -> list[Row]:  # fmt: skip
    """Return wishes in the order in which they are served, each with its last offer and how many there were: one statement.

    Args:
        state: one of the states; empty: who waits or has an offer.
        beyond, values, order: where to go on, from the page's keyset.
    """
    return sql.rows(
        f"""select {_COLUMNS}, o.id as offer_id, o.state as offer_state, o.answer_by, a.starts_at as offered_at,
                  (select count(*) from scheduling_waitlist_offer x where x.entry_id = w.id)::int as offers
             from {_TABLES}
             left join lateral (select * from scheduling_waitlist_offer x where x.entry_id = w.id order by x.offered_at desc limit 1) o on true
             left join scheduling_appointment a on a.id = o.appointment_id
            where case when %(state)s = '' then w.state in ('WAITING', 'OFFERED') else w.state = %(state)s end
              and {VISIBLE} and (%(service)s::uuid is null or w.service_id = %(service)s)
              and (%(practitioner)s::uuid is null or w.practitioner_id is null or w.practitioner_id = %(practitioner)s)
              and (%(location)s::uuid is null or w.location_id is null or w.location_id = %(location)s)
              and {beyond} order by {order} limit %(most)s""",
        {**(values or {}), "limit": limit, "state": state, "service": service_id, "practitioner": practitioner_id,
         "location": location_id, "most": most},
    )  # fmt: skip


def wish(entry_id: UUID, *, limit: list[UUID] | None) -> Row | None:
    """Return one wish with every offer that was made, newest first; None when there is none the reader may see."""
    found = sql.row(
        f"""select {_COLUMNS}, (
                select coalesce(json_agg(json_build_object('id', o.id, 'state', o.state, 'offered_at', o.offered_at,
                            'answer_by', o.answer_by, 'answered_at', o.answered_at, 'appointment_id', a.id, 'starts_at', a.starts_at,
                            'number', a.number, 'practitioner', e.name, 'location', b.name)
                            order by o.offered_at desc, o.id desc), '[]')
                  from scheduling_waitlist_offer o join scheduling_appointment a on a.id = o.appointment_id
                  join records_practitioner e on e.id = a.practitioner_id join tenancy_location b on b.id = a.location_id
                 where o.entry_id = w.id) as offers,
               (select coalesce(json_agg(json_build_object('at', h.occurred_at, 'reason', h.payload ->> 'reason',
                            'priority', (h.payload ->> 'priority')::int, 'who', coalesce(nullif(u.name, ''), u.email)) order by h.occurred_at desc), '[]')
                  from events_event h left join accounts_user u on u.id = h.actor_id
                 where h.patient_id = w.patient_id and h.kind = 'waitlist.changed' and h.recorded_at >= w.created_at
                   and h.payload ->> 'entry_id' = w.id::text) as changes
          from {_TABLES} where w.id = %(id)s and {VISIBLE}""",
        {"id": entry_id, "limit": limit},
    )
    if found:
        for one in found["offers"]:
            for name in ("offered_at", "answer_by", "answered_at", "starts_at"):
                one[name] = datetime.fromisoformat(one[name]) if one[name] else None
            one["id"], one["appointment_id"] = UUID(one["id"]), UUID(one["appointment_id"])
        for one in found["changes"]:
            one["at"] = datetime.fromisoformat(one["at"])
    return found


def of_patient(patient_id: UUID) -> list[Row]:
    """Return what one patient waits for, each with its open offer: one statement."""
    return sql.rows(
        """select w.id, w.state, w.service_id, v.name as service, v.names, d.name as practitioner, l.name as location, w.first_date,
                  w.last_date, w.weekdays, w.parts, w.priority, w.created_at, w.version, i.starts_at as instead_of_at, o.id as offer_id,
                  o.answer_by, a.starts_at, a.number, e.name as offered_practitioner, b.name as offered_location
             from scheduling_waitlist_entry w join scheduling_service v on v.id = w.service_id
             left join records_practitioner d on d.id = w.practitioner_id left join tenancy_location l on l.id = w.location_id
             left join scheduling_appointment i on i.id = w.instead_of_id and i.state = 'booked'
             left join scheduling_waitlist_offer o on o.entry_id = w.id and o.state = 'OPEN'
             left join scheduling_appointment a on a.id = o.appointment_id and a.state = 'proposed'
             left join records_practitioner e on e.id = a.practitioner_id left join tenancy_location b on b.id = a.location_id
            where w.patient_id = %s and w.state in ('WAITING', 'OFFERED') order by o.answer_by, w.created_at, w.id""",
        [patient_id],
        planned=True,
    )


def counts(*, limit: list[UUID] | None) -> Row:
    """Return how many wait, how many have an open offer, and how many of those wait as urgent."""
    found = sql.row(
        f"""select count(*)::int as waiting, count(*) filter (where w.state = 'OFFERED')::int as offered,
                  count(*) filter (where w.priority = 1)::int as urgent
             from scheduling_waitlist_entry w join patients_patient p on p.id = w.patient_id
            where w.state in ('WAITING', 'OFFERED') and {VISIBLE}""",
        {"limit": limit},
    )
    assert found is not None
    return found
