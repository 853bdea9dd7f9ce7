"""What pages read of the schedule. One statement a page; times arrive as JSON and are made into moments here."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from careloop.kernel import sql
from careloop.scheduling.models import HOLDS

Row = dict[str, Any]

# What stands in a calendar: whoever has the place, and who had it and did not come.
SHOWN = (*HOLDS, "noshow")

# A hold that ran out is nobody's any more.
_HOLDING = "(a.held_until is null or a.held_until > %(now)s)"

# whether the reader may know who it is: a patient of another branch is masked
IS_VISIBLE = "(%(limit)s::uuid[] is null or q.home_location_id = any(%(limit)s))"

_APPOINTMENT = """json_build_object(
    'id', a.id, 'patient_id', a.patient_id, 'name', coalesce(q.name, ''),
    'is_visible', a.patient_id is null or %(limit)s::uuid[] is null or q.home_location_id = any(%(limit)s),
    'chart_number', q.chart_number, 'birth_date', q.birth_date, 'service', v.name, 'service_id', a.service_id, 'colour', v.colour,
    'starts_at', a.starts_at, 'ends_at', a.ends_at, 'number', a.number, 'pool', a.pool, 'state', a.state, 'source', a.source,
    'note', a.note, 'is_first_visit', a.is_first_visit, 'confirmed_at', a.confirmed_at, 'arrived_at', a.arrived_at,
    'version', a.version, 'cancel_reason', a.cancel_reason, 'cancel_note', a.cancel_note, 'equipment', e.name)"""

_SESSION = """s.id, s.practitioner_id, p.name as practitioner, s.regular_id, g.name as regular, s.location_id, l.name as location,
    s.room_id, r.name as room, s.on_date, s.part, s.starts_at, s.ends_at, s.mode, s.slot_minutes, s.numbers, s.pools, s.state,
    s.closed_reason, s.services, s.version"""

_SESSIONS = """scheduling_session s
    join records_practitioner p on p.id = s.practitioner_id
    join tenancy_location l on l.id = s.location_id
    left join records_practitioner g on g.id = s.regular_id
    left join scheduling_resource r on r.id = s.room_id"""

_APPOINTMENTS = f"""(select coalesce(json_agg({_APPOINTMENT} order by a.starts_at, a.number, a.id), '[]')
    from scheduling_appointment a left join patients_patient q on q.id = a.patient_id join scheduling_service v on v.id = a.service_id
    left join scheduling_resource e on e.id = a.equipment_id
   where a.session_id = s.id and {{which}})"""

_CHOICES = """
    (select coalesce(json_agg(json_build_object('id', id, 'name', name) order by name), '[]') from records_practitioner
      where is_active and exists (select from scheduling_session s where s.practitioner_id = records_practitioner.id)) as practitioners,
    (select coalesce(json_agg(json_build_object('id', id, 'name', name) order by name), '[]') from tenancy_location
      where is_active and (%(limit)s::uuid[] is null or id = any(%(limit)s))) as locations"""


def _at(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _read_appointment(one: Row) -> Row:
    for name in ("starts_at", "ends_at", "confirmed_at", "arrived_at"):
        one[name] = _at(one[name])
    for name in ("id", "patient_id", "service_id"):
        one[name] = (
            UUID(one[name]) if one[name] else None
        )  # a visitor of the booking page has not said yet who they are
    return one


def _read_session(one: Row) -> Row:
    if isinstance(one["id"], str):
        one["starts_at"], one["ends_at"] = _at(one["starts_at"]), _at(one["ends_at"])
        one["on_date"] = date.fromisoformat(one["on_date"])
        for name in ("id", "practitioner_id", "regular_id", "location_id", "room_id"):
            one[name] = UUID(one[name]) if one[name] else None
    one["appointments"] = [_read_appointment(each) for each in one["appointments"]]
    return one


def calendar(
    *, since: datetime, until: datetime, now: datetime, limit: list[UUID] | None, practitioner_id: UUID | None = None,
    location_id: UUID | None = None,
) -> Row:  # fmt: skip
    """Return what stands in a stretch of the calendar in one statement: sessions with their appointments, absences, and the
    practitioners and branches to choose from.

    Args:
        limit: the branches the reader is limited to, None for all; a patient whose home is elsewhere is not `is_visible`.
    """
    found = sql.row(
        f"""select
            (select coalesce(json_agg(row_to_json(x) order by x.starts_at, x.practitioner, x.id), '[]') from (
                select {_SESSION}, {_APPOINTMENTS.format(which=f"a.state = any(%(shown)s) and {_HOLDING}")} as appointments
                  from {_SESSIONS}
                 where s.starts_at >= %(since)s and s.starts_at < %(until)s
                   and (%(limit)s::uuid[] is null or s.location_id = any(%(limit)s))
                   and (%(practitioner)s::uuid is null or s.practitioner_id = %(practitioner)s or s.regular_id = %(practitioner)s)
                   and (%(location)s::uuid is null or s.location_id = %(location)s)) as x) as sessions,
            (select coalesce(json_agg(json_build_object('id', b.id, 'practitioner_id', b.practitioner_id, 'practitioner', p.name,
                        'kind', b.kind, 'note', b.note, 'starts_at', b.starts_at, 'ends_at', b.ends_at) order by b.starts_at, p.name), '[]')
               from scheduling_absence b join records_practitioner p on p.id = b.practitioner_id
              where b.starts_at < %(until)s and b.ends_at > %(since)s
                and (%(practitioner)s::uuid is null or b.practitioner_id = %(practitioner)s)) as absences,
            {_CHOICES}""",
        {"since": since, "until": until, "now": now, "limit": limit, "practitioner": practitioner_id, "location": location_id,
         "shown": list(SHOWN)},
    )  # fmt: skip
    assert found is not None
    for one in found["absences"]:
        one["starts_at"], one["ends_at"] = _at(one["starts_at"]), _at(one["ends_at"])
        one["practitioner_id"] = UUID(one["practitioner_id"])
    found["sessions"] = [_read_session(one) for one in found["sessions"]]
    return found


def board(session_id: UUID, *, now: datetime, limit: list[UUID] | None) -> Row | None:
    """Return one session with everybody who has or had a place in it; None when there is none the reader may see."""
    found = sql.row(
        f"""select {_SESSION}, {_APPOINTMENTS.format(which=f"a.state <> 'entered-in-error' and (a.patient_id is not null or a.state = 'pending' and {_HOLDING})")} as appointments,
                   exists (select from scheduling_absence b where b.practitioner_id = s.practitioner_id
                             and b.starts_at < s.ends_at and b.ends_at > s.starts_at) as is_away
              from {_SESSIONS}
             where s.id = %(id)s and (%(limit)s::uuid[] is null or s.location_id = any(%(limit)s))""",
        {"id": session_id, "now": now, "limit": limit},
    )
    return _read_session(found) if found else None


def appointment(appointment_id: UUID, *, limit: list[UUID] | None) -> Row | None:
    """Return one appointment with its words and its history from the event log; None when there is none the reader may see."""
    found = sql.row(
        """select a.id, a.patient_id, coalesce(q.name, '') as name, q.chart_number, q.birth_date, q.sex,
                  a.patient_id is null or %(limit)s::uuid[] is null or q.home_location_id = any(%(limit)s) as is_visible,
                  a.session_id, s.state as session_state, s.ends_at as session_ends_at, s.mode, s.part, s.on_date, a.service_id,
                  v.name as service, a.practitioner_id, p.name as practitioner, g.name as regular, a.location_id, l.name as location,
                  r.name as room, e.name as equipment, a.starts_at, a.ends_at, a.number, a.pool, a.state, a.held_until,
                  a.is_first_visit, a.source, a.note, a.confirmed_at, a.arrived_at, a.cancel_reason, a.cancel_note, a.version,
                  a.sequence, a.created_at, a.changed_at,
                  (select coalesce(json_agg(json_build_object('kind', h.kind, 'at', h.occurred_at, 'payload', h.payload,
                              'source', h.source, 'who', coalesce(nullif(u.name, ''), u.email), 'actor_kind', h.actor_kind)
                              order by h.occurred_at desc, h.id desc), '[]')
                     from events_event h left join accounts_user u on u.id = h.actor_id
                    where h.patient_id = a.patient_id and h.kind like 'appointment.%%' and h.recorded_at >= a.created_at
                      and h.payload ->> 'appointment_id' = a.id::text) as history
             from scheduling_appointment a
             left join patients_patient q on q.id = a.patient_id
             join scheduling_session s on s.id = a.session_id
             join scheduling_service v on v.id = a.service_id
             join records_practitioner p on p.id = a.practitioner_id
             join tenancy_location l on l.id = a.location_id
             left join records_practitioner g on g.id = s.regular_id and g.id <> a.practitioner_id
             left join scheduling_resource r on r.id = a.room_id
             left join scheduling_resource e on e.id = a.equipment_id
            where a.id = %(id)s and (%(limit)s::uuid[] is null or a.location_id = any(%(limit)s))""",
        {"id": appointment_id, "limit": limit},
    )
    if found:
        for one in found["history"]:
            one["at"] = _at(one["at"])
    return found


def of_patient(patient_id: UUID, *, now: datetime, coming: int = 3, past: int = 3) -> list[Row]:
    """Return a patient's next appointments and the latest past ones, next first: one statement."""
    return sql.rows(
        """select x.id, x.service_id, x.practitioner_id, x.location_id, x.starts_at, x.number, x.state, x.session_id, x.is_coming,
                  v.name as service, p.name as practitioner, l.name as location from (
                (select id, service_id, practitioner_id, location_id, starts_at, number, state, session_id, true as is_coming
                   from scheduling_appointment where patient_id = %(patient)s and ends_at >= %(now)s
                    and state in ('booked', 'arrived', 'checked-in', 'proposed', 'pending')
                    and (held_until is null or held_until > %(now)s) order by starts_at limit %(coming)s)
                union all
                (select id, service_id, practitioner_id, location_id, starts_at, number, state, session_id, false
                   from scheduling_appointment where patient_id = %(patient)s
                    and (ends_at < %(now)s or state in ('cancelled', 'fulfilled', 'noshow')) and state <> 'entered-in-error'
                    and cancel_reason <> 'hold-expired'
                  order by starts_at desc limit %(past)s)
            ) as x join scheduling_service v on v.id = x.service_id join records_practitioner p on p.id = x.practitioner_id
              join tenancy_location l on l.id = x.location_id
            order by x.is_coming desc, case when x.is_coming then x.starts_at end, x.starts_at desc""",
        {"patient": patient_id, "now": now, "coming": coming, "past": past},
        planned=True,
    )


def day_sessions(*, since: datetime, until: datetime, limit: list[UUID] | None) -> list[Row]:
    """Return the sessions of a day, each with how many are booked, here and seen."""
    return sql.rows(
        """select s.id, p.name as practitioner, g.name as regular, l.name as location, r.name as room, s.starts_at, s.ends_at, s.part,
                  s.state, count(a.id) filter (where a.state <> 'noshow')::int as booked,
                  count(a.id) filter (where a.state in ('arrived', 'checked-in'))::int as here,
                  count(a.id) filter (where a.state = 'fulfilled')::int as seen,
                  count(a.id) filter (where a.state = 'noshow')::int as missed
             from scheduling_session s join records_practitioner p on p.id = s.practitioner_id
             join tenancy_location l on l.id = s.location_id
             left join records_practitioner g on g.id = s.regular_id
             left join scheduling_resource r on r.id = s.room_id
             left join scheduling_appointment a on a.session_id = s.id
                  and a.state in ('booked', 'arrived', 'checked-in', 'fulfilled', 'noshow')
            where s.starts_at >= %(since)s and s.starts_at < %(until)s
              and (%(limit)s::uuid[] is null or s.location_id = any(%(limit)s))
            group by s.id, p.name, g.name, l.name, r.name order by s.starts_at, p.name""",
        {"since": since, "until": until, "limit": limit},
    )


def services_of(session_id: UUID) -> list[Row]:
    """Return what can be booked in a session, by name."""
    return sql.rows(
        """select v.id, v.name, v.minutes, v.first_visit_minutes from scheduling_service v
             join scheduling_session s on s.id = %(session)s
            where v.is_active and (s.services = '{}' or v.id = any(s.services))
              and exists (select from scheduling_service_practitioner o
                           where o.service_id = v.id and o.practitioner_id = coalesce(s.regular_id, s.practitioner_id))
            order by v.name""",
        {"session": session_id},
    )


def choices(*, limit: list[UUID] | None) -> Row:
    """Return what a search for a place can ask for: services, practitioners and branches."""
    found = sql.row(
        """select
            (select coalesce(json_agg(json_build_object('id', id, 'name', name, 'minutes', minutes) order by name), '[]')
               from scheduling_service where is_active) as services,
            (select coalesce(json_agg(json_build_object('id', p.id, 'name', p.name) order by p.name), '[]') from records_practitioner p
              where p.is_active and exists (select from scheduling_service_practitioner o where o.practitioner_id = p.id)) as practitioners,
            (select coalesce(json_agg(json_build_object('id', id, 'name', name) order by name), '[]') from tenancy_location
              where is_active and (%(limit)s::uuid[] is null or id = any(%(limit)s))) as locations""",
        {"limit": limit},
    )
    assert found is not None
    return found


def is_first_visit(patient_id: UUID) -> bool:
    """Return whether the patient was never here, as `services.book` sees it."""
    return bool(
        sql.value(
            """select not exists (select from records_encounter where patient_id = %(id)s and not entered_in_error)
                  and not exists (select from scheduling_appointment where patient_id = %(id)s and state = 'fulfilled')""",
            {"id": patient_id},
        )
    )


def conflict(
    appointment_id: UUID, *, session_id: UUID, starts_at: datetime | None, limit: list[UUID] | None
) -> Row | None:
    """Return what would stand in the way of moving an appointment there, as yes and no; None when either is not to be seen.

    A look before dropping: the move itself decides anew.
    """
    return sql.row(
        """with wanted as (
                select a.id, a.patient_id, a.service_id, s.id as session_id, s.practitioner_id, s.regular_id, s.room_id, s.location_id,
                       s.state, s.mode, s.services, s.starts_at as opens_at, s.ends_at as ends_session,
                       coalesce(%(at)s::timestamptz, s.starts_at) as starts_at, a.state as was,
                       case when s.mode = 'NUMBERS' then s.ends_at
                            else coalesce(%(at)s::timestamptz, s.starts_at) + make_interval(mins =>
                                 case when a.is_first_visit then coalesce(v.first_visit_minutes, v.minutes) else v.minutes end)
                       end as ends_at
                  from scheduling_appointment a join scheduling_service v on v.id = a.service_id
                  join scheduling_session s on s.id = %(session)s
                 where a.id = %(id)s and (%(limit)s::uuid[] is null or (s.location_id = any(%(limit)s) and a.location_id = any(%(limit)s))))
           select w.was, w.state, w.mode, w.starts_at, w.ends_at,
                  (w.services = '{}' or w.service_id = any(w.services)) and exists (
                      select from scheduling_service_practitioner o
                       where o.service_id = w.service_id and o.practitioner_id = coalesce(w.regular_id, w.practitioner_id)) as is_offered,
                  w.mode = 'NUMBERS' or (w.starts_at >= w.opens_at and w.ends_at <= w.ends_session) as is_inside,
                  exists (select from scheduling_absence b where b.practitioner_id = w.practitioner_id
                           and b.starts_at < w.ends_at and b.ends_at > w.starts_at and (w.mode = 'SLOTS' or (
                               b.starts_at <= w.starts_at and b.ends_at >= w.ends_at))) as is_away,
                  w.mode = 'SLOTS' and exists (select from scheduling_appointment x
                       where x.id <> w.id and x.state = any(%(holds)s) and x.number is null
                         and (x.practitioner_id = w.practitioner_id or x.room_id = w.room_id)
                         and x.starts_at < w.ends_at and x.ends_at > w.starts_at) as is_taken,
                  exists (select from scheduling_appointment x
                       where x.id <> w.id and x.patient_id = w.patient_id and x.state = any(%(holds)s)
                         and (x.session_id = w.session_id and w.mode = 'NUMBERS'
                              or w.mode = 'SLOTS' and x.starts_at < w.ends_at and x.ends_at > w.starts_at)) as is_busy
             from wanted w""",
        {"id": appointment_id, "session": session_id, "at": starts_at, "limit": limit, "holds": list(HOLDS)},
    )


def missed(
    *, since: datetime, until: datetime, limit: list[UUID] | None, practitioner_id: UUID | None = None
) -> tuple[str, Row]:
    """Return the FROM and WHERE of those who did not come, with its parameters, for a list that is paged."""
    return (
        """scheduling_appointment a join patients_patient q on q.id = a.patient_id join scheduling_service v on v.id = a.service_id
             join records_practitioner p on p.id = a.practitioner_id join tenancy_location l on l.id = a.location_id
            where a.state = 'noshow' and a.starts_at >= %(since)s and a.starts_at < %(until)s
              and (%(practitioner)s::uuid is null or a.practitioner_id = %(practitioner)s)
              and (%(limit)s::uuid[] is null or a.location_id = any(%(limit)s))""",
        {"since": since, "until": until, "limit": limit, "practitioner": practitioner_id},
    )


# -- set-up -------------------------------------------------------------------------------------------------------


def services() -> list[Row]:
    """Return every service with who offers it and how often it is booked from now on."""
    return sql.rows(
        """select v.id, v.name, v.minutes, v.first_visit_minutes, v.payer, v.is_online, v.is_active, v.colour,
                  (select coalesce(json_agg(p.name order by p.name), '[]') from scheduling_service_practitioner o
                     join records_practitioner p on p.id = o.practitioner_id where o.service_id = v.id) as practitioners
             from scheduling_service v order by not v.is_active, v.name"""
    )


def links_of(service_id: UUID) -> Row:
    """Return who offers a service and which equipment it needs, as ids."""
    return sql.row(
        """select (select coalesce(array_agg(practitioner_id), '{}') from scheduling_service_practitioner where service_id = %(id)s) as practitioners,
                  (select coalesce(array_agg(resource_id), '{}') from scheduling_service_equipment where service_id = %(id)s) as equipment""",
        {"id": service_id},
    ) or {}  # fmt: skip


def resources() -> list[Row]:
    """Return rooms and equipment by branch, with how many sessions or services use each."""
    return sql.rows(
        """select r.id, r.kind, r.name, r.is_active, r.location_id, l.name as location,
                  (select count(*) from scheduling_template t where t.room_id = r.id
                      and coalesce(t.valid_to, 'infinity'::date) >= %(today)s)::int as templates,
                  (select coalesce(json_agg(v.name order by v.name), '[]') from scheduling_service_equipment e
                     join scheduling_service v on v.id = e.service_id where e.resource_id = r.id) as services
             from scheduling_resource r join tenancy_location l on l.id = r.location_id
            order by l.name, r.kind desc, not r.is_active, r.name""",
        {"today": timezone.localdate()},
    )


def templates(*, on: date, practitioner_id: UUID | None = None) -> list[Row]:
    """Return the sessions of the week that hold on a day or later, by practitioner and time."""
    return sql.rows(
        """select t.id, t.practitioner_id, p.name as practitioner, t.location_id, l.name as location, r.name as room, t.weekday, t.part,
                  t.starts, t.ends, t.mode, t.slot_minutes, t.numbers, t.pools, t.valid_from, t.valid_to, t.on_holidays
             from scheduling_template t join records_practitioner p on p.id = t.practitioner_id
             join tenancy_location l on l.id = t.location_id left join scheduling_resource r on r.id = t.room_id
            where (t.valid_to is null or t.valid_to >= %(on)s) and (%(practitioner)s::uuid is null or t.practitioner_id = %(practitioner)s)
            order by p.name, t.weekday, t.starts""",
        {"on": on, "practitioner": practitioner_id},
    )


def different(template_id: UUID, *, now: datetime) -> list[Row]:
    """Return the dated sessions of a template that are not as it says now, because patients are booked in them."""
    return sql.rows(
        """select s.id, s.on_date, s.starts_at, s.ends_at,
                  (select count(*) from scheduling_appointment a where a.session_id = s.id and a.state = any(%(holds)s))::int as booked
             from scheduling_session s join scheduling_template t on t.id = s.template_id cross join tenancy_organization o
            where t.id = %(id)s and s.starts_at > %(now)s and s.state = 'OPEN'
              and (s.starts_at <> (s.on_date + t.starts) at time zone o.time_zone or s.ends_at <> (s.on_date + t.ends) at time zone o.time_zone
                   or s.mode <> t.mode or s.slot_minutes <> t.slot_minutes or s.numbers <> t.numbers or s.pools <> t.pools
                   or extract(isodow from s.on_date) <> t.weekday or s.location_id <> t.location_id
                   or s.on_date > coalesce(t.valid_to, 'infinity'::date) or s.on_date < t.valid_from)
            order by s.starts_at limit 50""",
        {"id": template_id, "now": now, "holds": list(HOLDS)},
    )


def practitioners() -> list[Row]:
    """Return everybody who treats patients, with the staff account that is theirs and how many sessions a week they hold."""
    return sql.rows(
        """select p.id, p.name, p.specialty, p.is_active, p.user_id, coalesce(nullif(u.name, ''), u.email) as user_name,
                  (select count(*) from scheduling_template t where t.practitioner_id = p.id
                      and coalesce(t.valid_to, 'infinity'::date) >= %(today)s)::int as templates
             from records_practitioner p left join accounts_user u on u.id = p.user_id
                  and exists (select from accounts_membership m where m.user_id = u.id)
            order by not p.is_active, p.name""",
        {"today": timezone.localdate()},
    )


def absences(*, since: datetime, practitioner_id: UUID | None = None) -> list[Row]:
    """Return absences that are not over, each with how many patients are still booked in that time."""
    return sql.rows(
        """select b.id, b.practitioner_id, p.name as practitioner, b.kind, b.starts_at, b.ends_at, b.note, b.source,
                  (select count(*) from scheduling_appointment a where a.practitioner_id = b.practitioner_id and a.state = any(%(holds)s)
                      and a.starts_at < b.ends_at and a.ends_at > b.starts_at and a.ends_at > %(since)s)::int as booked
             from scheduling_absence b join records_practitioner p on p.id = b.practitioner_id
            where b.ends_at >= %(since)s and (%(practitioner)s::uuid is null or b.practitioner_id = %(practitioner)s)
            order by b.starts_at, p.name""",
        {"since": since, "practitioner": practitioner_id, "holds": list(HOLDS)},
    )


def own_days(*, first: date, last: date) -> list[Row]:
    """Return what the clinic itself says of days."""
    return sql.rows(
        """select d.on_date, d.is_open, d.name, d.location_id, l.name as location from scheduling_day_exception d
             left join tenancy_location l on l.id = d.location_id where d.on_date between %s and %s order by d.on_date, l.name nulls first""",
        [first, last],
    )


# -- advice -------------------------------------------------------------------------------------------------------


def advice(*, since: datetime, until: datetime, limit: list[UUID] | None, practitioner_id: UUID | None = None) -> Row:
    """Return, for a stretch of time, places and appointments by weekday and hour, and wishes that found no place by weekday and part.

    A place by time is one `slot_minutes`; numbers are spread evenly over their session. Hours are the clinic's.
    """
    found = sql.row(
        """with zone as (select time_zone as name from tenancy_organization),
            hours as (
                select s.id, s.mode, s.numbers, s.slot_minutes, extract(epoch from s.ends_at - s.starts_at) / 3600 as length, h.at,
                       extract(isodow from h.at at time zone z.name)::int as weekday, extract(hour from h.at at time zone z.name)::int as hour,
                       extract(epoch from least(s.ends_at, h.at + interval '1 hour') - greatest(s.starts_at, h.at)) / 3600 as part
                  from scheduling_session s cross join zone z
                  cross join lateral generate_series(date_trunc('hour', s.starts_at), s.ends_at - interval '1 second', interval '1 hour') as h(at)
                 where s.starts_at >= %(since)s and s.starts_at < %(until)s and s.state <> 'CLOSED'
                   and (%(limit)s::uuid[] is null or s.location_id = any(%(limit)s))
                   and (%(practitioner)s::uuid is null or s.practitioner_id = %(practitioner)s))
           select
            (select coalesce(json_agg(x), '[]') from (
                select weekday, hour, round(sum(case when mode = 'NUMBERS' then numbers * part / length else part * 60 / slot_minutes end))::int as places
                  from hours group by weekday, hour) as x) as capacity,
            (select coalesce(json_agg(x), '[]') from (
                select extract(isodow from a.starts_at at time zone z.name)::int as weekday,
                       extract(hour from a.starts_at at time zone z.name)::int as hour, count(*)::int as booked
                  from scheduling_appointment a cross join zone z
                 where a.starts_at >= %(since)s and a.starts_at < %(until)s
                   and a.state in ('booked', 'arrived', 'checked-in', 'fulfilled', 'noshow')
                   and (%(limit)s::uuid[] is null or a.location_id = any(%(limit)s))
                   and (%(practitioner)s::uuid is null or a.practitioner_id = %(practitioner)s)
                 group by 1, 2) as x) as booked,
            (select coalesce(json_agg(x), '[]') from (
                select w.day as weekday, t.part, count(*)::int as wishes
                  from scheduling_search_miss m
                  cross join lateral unnest(case when m.weekdays = '{}' then array[0] else m.weekdays end) as w(day)
                  cross join lateral unnest(case when m.parts = '{}' then array['']::varchar[] else m.parts end) as t(part)
                 where m.at >= %(since)s and m.at < %(until)s
                   and (%(limit)s::uuid[] is null or m.location_id is null or m.location_id = any(%(limit)s))
                   and (%(practitioner)s::uuid is null or m.practitioner_id = %(practitioner)s)
                 group by 1, 2) as x) as missed,
            (select count(*) from scheduling_search_miss m where m.at >= %(since)s and m.at < %(until)s
                and (%(limit)s::uuid[] is null or m.location_id is null or m.location_id = any(%(limit)s))
                and (%(practitioner)s::uuid is null or m.practitioner_id = %(practitioner)s))::int as wishes,
            (select coalesce(json_agg(x), '[]') from (
                select v.name as service, coalesce(p.name, '') as practitioner, count(*)::int as wishes
                  from scheduling_search_miss m join scheduling_service v on v.id = m.service_id
                  left join records_practitioner p on p.id = m.practitioner_id
                 where m.at >= %(since)s and m.at < %(until)s
                   and (%(limit)s::uuid[] is null or m.location_id is null or m.location_id = any(%(limit)s))
                   and (%(practitioner)s::uuid is null or m.practitioner_id = %(practitioner)s)
                 group by 1, 2 order by 3 desc, 1, 2 limit 20) as x) as by_service""",
        {"since": since, "until": until, "limit": limit, "practitioner": practitioner_id},
    )
    assert found is not None
    return found


def weeks_between(since: datetime, until: datetime) -> float:
    """Return how many weeks lie between two moments, at least one."""
    return max(1.0, (until - since) / timedelta(weeks=1))
