"""Appending to the log by a function, whose plan a connection keeps: working it out costs more than a single event does."""

from django.db import migrations

APPEND = """
create or replace function events_append(
    entries jsonb, learnt_at timestamptz, by_kind text, by_id uuid, given_source text, given_batch uuid, is_historical boolean
) returns bigint language plpgsql as $body$
declare
    added bigint;
begin
    with given as (
        select * from jsonb_to_recordset(entries) as g(kind text, patient_id uuid, occurred_at timestamptz, payload jsonb, key text)
    ), fresh as (
        insert into events_key (key) select distinct g.key from given g where g.key is not null
        on conflict do nothing returning events_key.key
    )
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, batch_id, historical, payload)
    select distinct on (coalesce(g.key, gen_random_uuid()::text))
           g.kind, g.patient_id, g.occurred_at, learnt_at, by_kind, by_id, given_source, given_batch, is_historical, g.payload
      from given g where g.key is null or g.key in (select f.key from fresh f);
    get diagnostics added = row_count;
    return added;
end
$body$
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0003_fewer_entries")]

    operations = [
        migrations.RunSQL(APPEND, "drop function events_append(jsonb, timestamptz, text, uuid, text, uuid, boolean)")
    ]
