"""What is read about queues: how long consultations take, and the lists of the desk and the console."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.waitingroom import rules
from careloop.waitingroom.rules import Times

LEARN_FROM_DAYS = 180
# shorter or longer than this was not a consultation but a forgotten button
SHORTEST, LONGEST = 0.5, 120

Minutes = dict[tuple[UUID, bool], list[float]]


def times_of(practitioner_ids: Iterable[UUID]) -> Minutes:
    """Return the minutes of each practitioner's last consultations, newest first: from the call to the end, by kind of visit."""
    found: Minutes = {}
    for row in sql.rows(
        """select k.practitioner_id, k.is_first_visit, t.minutes
             from (select p.id as practitioner_id, f.is_first_visit
                     from unnest(%(ids)s::uuid[]) as p(id), (values (true), (false)) as f(is_first_visit)) k
            cross join lateral (
                select array_agg(l.minutes order by l.finished_at desc) as minutes
                  from (select extract(epoch from finished_at - called_at) / 60.0 as minutes, finished_at
                          from waitingroom_ticket
                         where practitioner_id = k.practitioner_id and is_first_visit = k.is_first_visit and state = 'DONE'
                           and finished_at > now() - make_interval(days => %(days)s)
                           and finished_at - called_at between make_interval(secs => %(shortest)s) and make_interval(secs => %(longest)s)
                         order by finished_at desc limit %(last)s) l) t
            where t.minutes is not null""",
        {
            "ids": list(practitioner_ids), "days": LEARN_FROM_DAYS, "last": rules.LEARNED_FROM, "shortest": SHORTEST * 60,
            "longest": LONGEST * 60,
        },
    ):  # fmt: skip
        found[row["practitioner_id"], row["is_first_visit"]] = [float(one) for one in row["minutes"]]
    return found


def times_for(minutes: Minutes, practitioner_id: UUID, *, is_first: bool, planned: float) -> Times:
    """Return how long such a consultation takes with this practitioner."""
    mine = minutes.get((practitioner_id, is_first), [])
    other = minutes.get((practitioner_id, not is_first), [])
    return rules.consultation_times(mine, of_all=mine + other, planned=planned)


def planned_minutes(session: dict[str, Any]) -> float:
    """Return what the schedule gives one patient."""
    return float(session["slot_minutes"] or 10)


def todays_sessions(*, now: datetime, locations: Iterable[UUID] | None) -> list[dict[str, Any]]:
    """Return the sessions of the clinic's day with their numbers, in the order of the day.

    Args:
        locations: only sessions there; None: everywhere.
    """
    return sql.rows(
        """select s.id, s.starts_at, s.ends_at, s.mode, s.part, s.state, p.name as practitioner, p.user_id, l.name as location,
                  l.id as location_id, r.name as room, coalesce(q.turn, 0) as turn, coalesce(q.version, 0) as version,
                  coalesce(t.waiting, 0) as waiting, coalesce(t.missed, 0) as missed, coalesce(t.held, 0) as held,
                  coalesce(t.done, 0) as done, t.now_called, t.waiting_since, coalesce(a.expected, 0) as expected, coalesce(a.booked, 0) as booked
             from scheduling_session s
             join records_practitioner p on p.id = s.practitioner_id join tenancy_location l on l.id = s.location_id
             join tenancy_organization o on o.id = s.organization_id
             left join scheduling_resource r on r.id = s.room_id
             left join waitingroom_queue q on q.session_id = s.id
             left join lateral (
                 select count(*) filter (where x.state = 'WAITING')::int as waiting, count(*) filter (where x.state = 'MISSED')::int as missed,
                        count(*) filter (where x.state = 'HELD')::int as held, count(*) filter (where x.state = 'DONE')::int as done,
                        min(x.checked_in_at) filter (where x.state = 'WAITING') as waiting_since,
                        string_agg(x.label, '、' order by x.called_at desc) filter (where x.state in ('CALLED', 'IN_ROOM')) as now_called
                   from waitingroom_ticket x where x.session_id = s.id) t on true
             left join lateral (
                 select count(*) filter (where y.state = 'booked')::int as expected, count(*)::int as booked
                   from scheduling_appointment y
                  where y.session_id = s.id and y.state in ('booked', 'arrived', 'checked-in', 'fulfilled')) a on true
            where s.state <> 'CLOSED' and s.on_date = (%(now)s::timestamptz at time zone o.time_zone)::date
              and (%(locations)s::uuid[] is null or s.location_id = any(%(locations)s::uuid[]))
            order by s.starts_at, l.name, p.name""",
        {"now": now, "locations": None if locations is None else list(locations)},
    )


PATIENT = """p.name, p.birth_date, p.sex, p.chart_number, p.home_location_id"""


def session_page(session_id: UUID) -> dict[str, Any] | None:
    """Return what a session's pages say of it."""
    return sql.row(
        """select s.id, s.starts_at, s.ends_at, s.on_date, s.mode, s.part, s.state, s.slot_minutes, s.numbers, s.location_id, s.room_id,
                  s.practitioner_id, s.services, p.name as practitioner, p.user_id, l.name as location, r.name as room,
                  coalesce(q.version, 0) as version, coalesce(q.turn, 0) as turn,
                  (select coalesce(extract(epoch from max(a.changed_at))::bigint, 0) from scheduling_appointment a
                    where a.session_id = s.id) as appointments_changed
             from scheduling_session s join records_practitioner p on p.id = s.practitioner_id
             join tenancy_location l on l.id = s.location_id left join scheduling_resource r on r.id = s.room_id
             left join waitingroom_queue q on q.session_id = s.id where s.id = %s""",
        [session_id],
    )


def tickets_of(session_id: UUID) -> list[dict[str, Any]]:
    """Return every ticket of a session with its patient."""
    from careloop.waitingroom.queues import COLUMNS

    return sql.rows(
        f"""select {", ".join("t." + name.strip() for name in COLUMNS.split(","))}, {PATIENT}, r.name as room, v.name as service
              from waitingroom_ticket t join patients_patient p on p.id = t.patient_id
              join scheduling_appointment a on a.id = t.appointment_id join scheduling_service v on v.id = a.service_id
              left join scheduling_resource r on r.id = t.room_id
             where t.session_id = %s order by t.number, t.created_at""",
        [session_id],
    )


def not_here_yet(session_id: UUID) -> list[dict[str, Any]]:
    """Return who is booked in a session and has not checked in, in the order of their numbers or times."""
    return sql.rows(
        f"""select a.id as appointment_id, a.patient_id, a.number, a.starts_at, a.is_first_visit, a.confirmed_at, a.state, v.name as service,
                   {PATIENT}, t.id as ticket_id
              from scheduling_appointment a join patients_patient p on p.id = a.patient_id
              join scheduling_service v on v.id = a.service_id
              left join waitingroom_ticket t on t.appointment_id = a.id
             where a.session_id = %s and a.state in ('booked', 'arrived', 'checked-in') and (t.id is null or t.state = 'EXPECTED')
             order by a.number nulls first, a.starts_at, a.id""",
        [session_id],
    )


def rooms_at(location_id: UUID) -> list[dict[str, Any]]:
    """Return the rooms patients can be called into."""
    return sql.rows(
        """select id, name from scheduling_resource where location_id = %s and kind = 'ROOM' and is_active order by name""",
        [location_id],
    )


def others_today(session_id: UUID) -> list[dict[str, Any]]:
    """Return the sessions of the same day and clinic that somebody can be transferred to."""
    return sql.rows(
        """select s.id, s.starts_at, s.ends_at, s.part, p.name as practitioner, r.name as room
             from scheduling_session me join scheduling_session s on s.location_id = me.location_id and s.on_date = me.on_date
             join records_practitioner p on p.id = s.practitioner_id left join scheduling_resource r on r.id = s.room_id
            where me.id = %s and s.id <> me.id and s.state = 'OPEN' order by s.starts_at, p.name""",
        [session_id],
    )


def history_of(ticket_id: UUID) -> list[dict[str, Any]]:
    """Return a ticket's calls, oldest first."""
    return sql.rows(
        """select c.kind, c.label, c.called_at, r.name as room from waitingroom_call c
             left join scheduling_resource r on r.id = c.room_id where c.ticket_id = %s order by c.id""",
        [ticket_id],
    )


def services_in(session_id: UUID) -> list[dict[str, Any]]:
    """Return what patients can come for in a session."""
    return sql.rows(
        """select v.id, v.name from scheduling_session s
             join scheduling_service_practitioner o on o.practitioner_id = coalesce(s.regular_id, s.practitioner_id)
             join scheduling_service v on v.id = o.service_id
            where s.id = %s and v.is_active and (s.services = '{}' or v.id = any(s.services)) order by v.name""",
        [session_id],
    )
