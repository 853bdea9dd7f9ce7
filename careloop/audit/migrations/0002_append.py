"""The only way into the audit chain."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

CANONICAL = """
create or replace function audit_canonical(e audit_event) returns text language sql immutable as $body$
    select jsonb_build_array(
        e.number, to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), e.action, e.actor_kind,
        e.actor_id, e.actor_name, e.via, e.address, to_jsonb(e.patients), e.target_kind, e.target_id, e.reason, e.details
    )::text
$body$
"""

APPEND = """
declare
    org uuid := nullif(current_setting('careloop.organization', true), '')::uuid;
    head audit_head%rowtype;
    entry jsonb;
    fresh audit_event%rowtype;
begin
    if org is null then
        raise exception 'audit_append needs an organization';
    end if;
    insert into audit_head (organization_id, day, number, hash, recorded_at)
    values (org, null, 0, ''::bytea, now()) on conflict do nothing;
    -- the head row is the chain's lock: whoever holds it gives out the next numbers
    select * into head from audit_head where organization_id = org and day is null for update;
    if head.number > 0 and head.recorded_at::date < now()::date then
        insert into audit_head (organization_id, day, number, hash, recorded_at)
        values (org, head.recorded_at::date, head.number, head.hash, head.recorded_at) on conflict do nothing;
    end if;
    for entry in select jsonb_array_elements(entries) loop
        fresh := null;
        fresh.id := nextval(pg_get_serial_sequence('audit_event', 'id'));
        fresh.organization_id := org;
        fresh.number := head.number + 1;
        fresh.recorded_at := (entry ->> 'recorded_at')::timestamptz;
        fresh.action := entry ->> 'action';
        fresh.actor_kind := entry ->> 'actor_kind';
        fresh.actor_id := (entry ->> 'actor_id')::uuid;
        fresh.actor_name := coalesce(entry ->> 'actor_name', '');
        fresh.via := coalesce(entry ->> 'via', '');
        fresh.address := coalesce(entry ->> 'address', '');
        fresh.patients := array(select jsonb_array_elements_text(entry -> 'patients')::uuid);
        fresh.target_kind := coalesce(entry ->> 'target_kind', '');
        fresh.target_id := coalesce(entry ->> 'target_id', '');
        fresh.reason := coalesce(entry ->> 'reason', '');
        fresh.details := coalesce(entry -> 'details', '{}'::jsonb);
        fresh.previous := head.hash;
        fresh.hash := sha256(head.hash || convert_to(audit_canonical(fresh), 'UTF8'));
        insert into audit_event select fresh.*;
        insert into audit_patient (organization_id, patient_id, number)
        select org, patient, fresh.number from unnest(fresh.patients) as patient;
        head.number := fresh.number;
        head.hash := fresh.hash;
    end loop;
    update audit_head set number = head.number, hash = head.hash, recorded_at = now()
     where organization_id = org and day is null;
    return head.number;
end
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(CANONICAL, "drop function audit_canonical(audit_event)"),
        DefinerFunction(
            "audit_append",
            arguments="entries jsonb", returns="bigint", body=APPEND, language="plpgsql", volatility="volatile",
            owner="", why="appends to the running organization's audit chain, which the application may not write itself",
        ),
    ]  # fmt: skip
