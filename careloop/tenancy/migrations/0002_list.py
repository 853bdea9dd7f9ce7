"""Listing organizations, for the worker and the command line."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

# UUIDv7 in SQL, for rows made by INSERT … SELECT; PostgreSQL has its own from version 18
NEW_ID = """
do $do$
begin
    if current_setting('server_version_num')::int >= 180000 then
        create or replace function careloop_new_id() returns uuid language sql volatile parallel safe
            as $f$ select uuidv7() $f$;
    else
        create or replace function careloop_new_id() returns uuid language sql volatile parallel safe as $f$
            select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing
                   substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
                   52, 1), 53, 1), 'hex')::uuid $f$;
    end if;
end
$do$
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [
        migrations.RunSQL(NEW_ID, "drop function careloop_new_id()"),
        DefinerFunction(
            "tenancy_list_organizations",
            arguments="", returns="table (id uuid, slug varchar)",
            body="select id, slug from tenancy_organization order by created_at",
            why="tells the worker and the command line which organizations exist; ids and short names only",
        ),
    ]  # fmt: skip
