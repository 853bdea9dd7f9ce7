"""Who has time when: free places of a service, from the sessions that are open.

One statement walks open sessions in the order of their beginning and stops as soon as enough of them have room, so the answer
costs the same with a year of appointments behind it as with none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.scheduling.models import HOLDS

# A refusal offers this many free places, of the same practitioner within two weeks.
OFFERED = 3
NEAR = timedelta(days=14)
MOST_SESSIONS = 60


@dataclass(frozen=True)
class Free:
    """A place that was free a moment ago. By number, `starts_at` is when that number is expected and `left` how many remain."""

    session_id: UUID
    starts_at: datetime
    minutes: int
    mode: str
    number: int | None
    left: int
    on_date: date
    part: str
    practitioner_id: UUID
    practitioner: str
    location_id: UUID
    location: str


_BUSY = """
    select range_agg(r) as taken from (
        select tstzrange(a.starts_at, a.ends_at) as r from scheduling_appointment a
         where a.session_id = s.id and a.state = any(%(holds)s) and (a.held_until is null or a.held_until > %(now)s)
           and a.id is distinct from %(moving)s
        union all
        select tstzrange(b.starts_at, b.ends_at) from scheduling_absence b
         where b.practitioner_id = s.practitioner_id and b.starts_at < s.ends_at and b.ends_at > s.starts_at
        union all
        select tstzrange(m.starts_at, m.ends_at) from scheduling_appointment m
         where m.patient_id = %(patient)s and m.state = any(%(holds)s) and m.starts_at < s.ends_at and m.ends_at > s.starts_at
           and m.id is distinct from %(moving)s
    ) as one"""

_EQUIPMENT = """exists (
    select from scheduling_service_equipment e join scheduling_resource r on r.id = e.resource_id
     where e.service_id = %(service)s and r.is_active and r.location_id = s.location_id and not exists (
        select from scheduling_appointment x
         where x.equipment_id = e.resource_id and x.state = any(%(holds)s) and x.id is distinct from %(moving)s
           and x.starts_at < g.at + w.length and x.ends_at > g.at))"""

# the order of the numbers is the one of `rules.numbers_for`: the numbers for first visits, then those booked ahead
_NUMBERS = """
    select n.number, row_number() over (order by n.pool_order, n.place, n.number) as turn from (
        select generate_series(1, s.numbers) as number, 0 as pool_order, 0 as place where s.pools = '[]'
        union all
        select g.number, array_position(%(pools)s, p.value ->> 'pool'), p.ordinality
          from jsonb_array_elements(s.pools) with ordinality as p
          cross join lateral generate_series((p.value ->> 'first')::int, (p.value ->> 'last')::int) as g(number)
         where p.value ->> 'pool' = any(%(pools)s)
           and case coalesce(p.value ->> 'parity', 'all')
                    when 'odd' then g.number %% 2 = 1 when 'even' then g.number %% 2 = 0 else true end
    ) as n
     where n.number <= s.numbers and not exists (
        select from scheduling_appointment a
         where a.session_id = s.id and a.number = n.number and a.state = any(%(holds)s)
           and (a.held_until is null or a.held_until > %(now)s) and a.id is distinct from %(moving)s)"""


def search(
    *, service_id: UUID, now: datetime, since: datetime | None = None, until: datetime | None = None,
    practitioner_id: UUID | None = None, location_ids: Sequence[UUID] | None = None, weekdays: Sequence[int] = (),
    parts: Sequence[str] = (), is_first_visit: bool = False, patient_id: UUID | None = None, moving: UUID | None = None,
    session_id: UUID | None = None, pool: str = "BOOKED", sessions: int = 20, per_session: int = 40,
) -> list[Free]:  # fmt: skip
    """Return free places for a service, earliest first.

    Args:
        since, until: the stretch to look at (default: from now for 90 days).
        weekdays: ISO, 1 Monday … 7 Sunday; empty: all.
        parts: MORNING, AFTERNOON, EVENING; empty: all.
        patient_id: leave out what overlaps with this patient's other appointments.
        moving: an appointment whose own place counts as free.
        session_id: look at this session only.
        sessions: how many sessions with room to look for, at most 60.
        per_session: how many places of each.
    """
    since = max(since or now, now)
    sessions = min(sessions, MOST_SESSIONS)
    pools = ["FIRST", "BOOKED"] if pool == "BOOKED" and is_first_visit else [pool]
    found = sql.rows(
        f"""select s.id as session_id, s.starts_at as session_starts_at, s.mode, s.on_date, s.part, s.practitioner_id, w.minutes,
                   p.name as practitioner, s.location_id, l.name as location, f.times, f.numbers, f.left_over
              from scheduling_session s
              join scheduling_service v on v.id = %(service)s
              join records_practitioner p on p.id = s.practitioner_id
              join tenancy_location l on l.id = s.location_id
              cross join lateral (
                select m.minutes, make_interval(mins => m.minutes) as length from (
                    select case when s.mode = 'NUMBERS' then s.slot_minutes
                                when %(first)s then coalesce(v.first_visit_minutes, v.minutes) else v.minutes end::int as minutes
                ) as m) as w
              cross join lateral (
                select array_agg(c.at order by c.at) as times, null::int[] as numbers, count(*)::int as left_over from (
                    select g.at from ({_BUSY}) as b,
                           generate_series(s.starts_at, s.ends_at - w.length, make_interval(mins => s.slot_minutes)) as g(at)
                     where s.mode = 'SLOTS' and g.at >= %(since)s and g.at < %(until)s
                       and (b.taken is null or not tstzrange(g.at, g.at + w.length) && b.taken)
                       and (not exists (select from scheduling_service_equipment n where n.service_id = v.id) or {_EQUIPMENT})
                     order by g.at limit %(per_session)s) as c
                 having count(*) > 0
                union all
                select null, array_agg(c.number order by c.turn), count(*)::int from ({_NUMBERS}) as c
                 where s.mode = 'NUMBERS' and s.ends_at > %(since)s
                   and not exists (select from scheduling_appointment m
                                    where m.session_id = s.id and m.patient_id = %(patient)s and m.state = any(%(holds)s)
                                      and m.id is distinct from %(moving)s)
                   and not exists (select from scheduling_absence b
                                    where b.practitioner_id = s.practitioner_id and b.starts_at <= s.starts_at and b.ends_at >= s.ends_at)
                having count(*) > 0
              ) as f
             where s.state = 'OPEN' and s.starts_at >= %(since)s - interval '12 hours' and s.ends_at > %(since)s
               and s.starts_at < %(until)s
               and (%(session)s::uuid is null or s.id = %(session)s)
               and (%(practitioner)s::uuid is null or s.practitioner_id = %(practitioner)s)
               and (%(locations)s::uuid[] is null or s.location_id = any(%(locations)s))
               and (%(weekdays)s::int[] = '{{}}' or extract(isodow from s.on_date) = any(%(weekdays)s))
               and (%(parts)s::text[] = '{{}}' or s.part = any(%(parts)s))
               and v.is_active and (s.services = '{{}}' or v.id = any(s.services))
               and exists (select from scheduling_service_practitioner sp
                            where sp.service_id = v.id and sp.practitioner_id = coalesce(s.regular_id, s.practitioner_id))
             order by s.starts_at limit %(sessions)s""",
        {
            "service": service_id, "now": now, "since": since, "until": until or since + timedelta(days=90),
            "session": session_id, "practitioner": practitioner_id, "locations": None if location_ids is None else list(location_ids),
            "weekdays": list(weekdays), "parts": list(parts), "first": is_first_visit, "patient": patient_id, "moving": moving,
            "pools": pools, "holds": list(HOLDS), "sessions": sessions, "per_session": per_session,
        },
    )  # fmt: skip
    places = [place for row in found for place in _places(row, since)]
    if len(found) == sessions:
        # a session that begins later than the last one seen may have room before the end of an earlier one
        horizon = max(found[-1]["session_starts_at"], since)
        places = [place for place in places if place.starts_at <= horizon] or places
    return sorted(places, key=lambda place: (place.starts_at, place.practitioner))


def _places(row: dict[str, Any], since: datetime) -> list[Free]:
    common = {name: row[name] for name in (
        "session_id", "minutes", "mode", "on_date", "part", "practitioner_id", "practitioner", "location_id", "location",
    )}  # fmt: skip
    if row["mode"] == "NUMBERS":
        number = row["numbers"][0]
        at = row["session_starts_at"] + timedelta(minutes=row["minutes"] * (number - 1))
        return [Free(starts_at=at, number=number, left=row["left_over"], **common)]
    return [Free(starts_at=at, number=None, left=row["left_over"], **common) for at in row["times"]]


def near(session_id: UUID, service_id: UUID, *, now: datetime, around: datetime | None = None) -> list[Free]:
    """Return a few free places of the same practitioner close to a place that was not to be had."""
    session = sql.row("select practitioner_id, starts_at from scheduling_session where id = %s", [session_id])
    if session is None:
        return []
    wanted = around or session["starts_at"]
    found = search(
        service_id=service_id, now=now, since=max(now, wanted - timedelta(days=2)), until=max(now, wanted) + NEAR,
        practitioner_id=session["practitioner_id"], sessions=6, per_session=12,
    )  # fmt: skip
    closest = sorted(found, key=lambda place: abs(place.starts_at - wanted))[:OFFERED]
    return sorted(closest, key=lambda place: place.starts_at)
