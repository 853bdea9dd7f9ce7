"""The patients of an import's chunk are found by one entry: their ids were drawn as one set.

An entry in a table and an index for each of a hundred thousand patients said no more than from which to which.
"""

import django.db.models.deletion
import django.db.models.fields.composite
from django.db import migrations, models

import careloop.tenancy.models
from careloop.tenancy.security import DefinerFunction

APPEND = """
declare
    org uuid := nullif(current_setting('careloop.organization', true), '')::uuid;
    head audit_head%rowtype;
    entry jsonb;
    fresh audit_event%rowtype;
    first uuid;
    last uuid;
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
        first := null;
        if cardinality(fresh.patients) >= 500 then
            first := (select patient from unnest(fresh.patients) as patient order by patient limit 1);
            last := (select patient from unnest(fresh.patients) as patient order by patient desc limit 1);
        end if;
        if left(first::text, 23) = left(last::text, 23) then
            -- drawn as one set (an import's new patients): one entry finds them all
            insert into audit_span (organization_id, first_patient, last_patient, number) values (org, first, last, fresh.number);
        else
            insert into audit_patient (organization_id, patient_id, number)
            select org, patient, fresh.number from unnest(fresh.patients) as patient;
        end if;
        head.number := fresh.number;
        head.hash := fresh.hash;
    end loop;
    update audit_head set number = head.number, hash = head.hash, recorded_at = now()
     where organization_id = org and day is null;
    return head.number;
end
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_one_entry_a_patient"), ("tenancy", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AuditSpan",
            fields=[
                (
                    "pk",
                    django.db.models.fields.composite.CompositePrimaryKey(
                        "first_patient", "number", "organization_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("first_patient", models.UUIDField()),
                ("last_patient", models.UUIDField()),
                ("number", models.BigIntegerField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_default=careloop.tenancy.models.CurrentOrganization(), db_index=False, editable=False,
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.organization",
                    ),
                ),
            ],
            options={"db_table": "audit_span"},
        ),
        DefinerFunction(
            "audit_append",
            arguments="entries jsonb", returns="bigint", body=APPEND, language="plpgsql", volatility="volatile",
            owner="", why="appends to the running organization's audit chain, which the application may not write itself",
        ),
    ]  # fmt: skip
