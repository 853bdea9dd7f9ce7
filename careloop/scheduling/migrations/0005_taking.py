"""What is known of a wanted place, and taking it: one statement each, whose plan a connection keeps.

The plans live in functions and not in prepared statements, because the driver forgets those at every rollback, and whoever
comes too late rolls back. Working out the plan of the first costs ten times as much as running it.
"""

from django.db import migrations

WISH = """
create or replace function scheduling_wish(
    wanted_session uuid, wanted_service uuid, wanted_patient uuid, at timestamptz, right_now timestamptz, moving uuid, holding text[]
) returns table (
    id uuid, practitioner_id uuid, location_id uuid, room_id uuid, starts_at timestamptz, ends_at timestamptz, mode text,
    slot_minutes int, numbers int, pools jsonb, state text, name text, minutes int, first_visit_minutes int, is_active boolean,
    is_online boolean, who_may text, notice_minutes int, days_ahead int, change_minutes int, practitioner text, time_zone text,
    is_offered boolean, is_first_visit boolean, is_away boolean, is_taken boolean, is_busy boolean
) language plpgsql stable set plan_cache_mode = force_generic_plan as $body$
#variable_conflict use_column
begin
    return query
    select s.id, s.practitioner_id, s.location_id, s.room_id, s.starts_at, s.ends_at, s.mode::text, s.slot_minutes::int, s.numbers::int,
           s.pools, s.state::text, v.name::text, v.minutes::int, v.first_visit_minutes::int, v.is_active, v.is_online, v.who::text,
           v.notice_minutes::int, v.days_ahead::int, v.change_minutes::int, p.name::text, o.time_zone::text,
           (s.services = '{}' or wanted_service = any(s.services)) and exists (
               select from scheduling_service_practitioner sp
                where sp.service_id = v.id and sp.practitioner_id = coalesce(s.regular_id, s.practitioner_id)),
           not exists (select from records_encounter e where e.patient_id = wanted_patient and not e.entered_in_error)
           and not exists (select from scheduling_appointment a where a.patient_id = wanted_patient and a.state = 'fulfilled'),
           exists (select from scheduling_absence b
                    where b.practitioner_id = s.practitioner_id
                      and case when at is null then b.starts_at <= s.starts_at and b.ends_at >= s.ends_at
                               else b.starts_at < at + make_interval(mins => v.minutes) and b.ends_at > at end),
           exists (select from scheduling_appointment a
                    where a.session_id = s.id and a.number is null and a.state = any(holding)
                      and (a.held_until is null or a.held_until > right_now) and a.id is distinct from moving
                      and a.starts_at < at + make_interval(mins => v.minutes) and a.ends_at > at),
           exists (select from scheduling_appointment a
                    where a.patient_id = wanted_patient and a.state = any(holding) and a.id is distinct from moving
                      and a.starts_at < at + make_interval(mins => v.minutes) and a.ends_at > at)
      from scheduling_session s join records_practitioner p on p.id = s.practitioner_id
      join tenancy_organization o on o.id = s.organization_id
      left join scheduling_service v on v.id = wanted_service
     where s.id = wanted_session;
end
$body$
"""

FREE_EQUIPMENT = """
create or replace function scheduling_free_equipment(
    wanted_service uuid, at_location uuid, begins timestamptz, ends timestamptz, moving uuid, holding text[]
) returns uuid language plpgsql stable set plan_cache_mode = force_generic_plan as $body$
begin
    return (
        select e.resource_id from scheduling_service_equipment e join scheduling_resource r on r.id = e.resource_id
         where e.service_id = wanted_service and r.is_active and r.location_id = at_location and not exists (
            select from scheduling_appointment x
             where x.equipment_id = e.resource_id and x.state = any(holding) and x.id is distinct from moving
               and tstzrange(x.starts_at, x.ends_at) && tstzrange(begins, ends))
         order by r.name limit 1);
end
$body$
"""

# a deadlock is answered here by another try: a savepoint of the application would cost every booking two round trips
TAKE = """
create or replace function scheduling_take(
    wanted_session uuid, wanted_service uuid, wanted_patient uuid, begins timestamptz, ends timestamptz, given_number int, given_pool text,
    given_state text, held timestamptz, is_first boolean, given_source text, given_note text, given_key text,
    right_now timestamptz, holding text[]
) returns setof scheduling_appointment language plpgsql set plan_cache_mode = force_generic_plan as $body$
declare
    chosen uuid;
    tries int := 0;
begin
    if exists (select from scheduling_service_equipment n where n.service_id = wanted_service) then
        select scheduling_free_equipment(wanted_service, s.location_id, begins, ends, null, holding) into chosen
          from scheduling_session s where s.id = wanted_session;
        if chosen is null then
            return;
        end if;
    end if;
    loop
        begin
            return query
            insert into scheduling_appointment (patient_id, session_id, service_id, practitioner_id, location_id, room_id,
                    equipment_id, starts_at, ends_at, number, pool, state, held_until, is_first_visit, source, note, key,
                    arrived_at, created_at, changed_at)
            select wanted_patient, s.id, wanted_service, s.practitioner_id, s.location_id, s.room_id, chosen, begins, ends, given_number,
                   given_pool, given_state, held, is_first, given_source, given_note, given_key,
                   case when given_state in ('arrived', 'checked-in') then right_now end, right_now, right_now
              from scheduling_session s where s.id = wanted_session and s.state = 'OPEN' for share of s
            on conflict do nothing returning *;
            return;
        exception when deadlock_detected then
            tries := tries + 1;
            if tries = 5 then
                raise;
            end if;
        end;
    end loop;
end
$body$
"""


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0004_held_for_a_visitor")]

    operations = [
        migrations.RunSQL(
            WISH, "drop function scheduling_wish(uuid, uuid, uuid, timestamptz, timestamptz, uuid, text[])"
        ),
        migrations.RunSQL(
            FREE_EQUIPMENT,
            "drop function scheduling_free_equipment(uuid, uuid, timestamptz, timestamptz, uuid, text[])",
        ),
        migrations.RunSQL(
            TAKE,
            "drop function scheduling_take(uuid, uuid, uuid, timestamptz, timestamptz, int, text, text, timestamptz, boolean,"
            " text, text, text, timestamptz, text[])",
        ),
    ]
