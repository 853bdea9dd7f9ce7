"""Let an import count only the columns that its own statements look things up by; autovacuum counts the rest soon after.

Counting all forty columns of the patients, the pieces of their names among them, took longer than it saved.
"""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

BODY = """
declare
    grown text;
    keys text;
begin
    foreach grown in array tables loop
        if grown !~ '^(records|patients|imports)_[a-z_]+$' then
            raise exception 'not a table an import writes: %', grown;
        end if;
        select string_agg(quote_ident(attname), ', ') into keys from pg_attribute
         where attrelid = to_regclass('public.' || grown) and attnum > 0 and not attisdropped
           and attname in ('id', 'organization_id', 'patient_id', 'source', 'external_id', 'chart_number', 'natural_key', 'batch_id',
                           'record_id', 'kind', 'system', 'value_index');
        execute format('analyze %I (%s)', grown, keys);
    end loop;
end
"""


class Migration(migrations.Migration):
    dependencies = [("imports", "0002_statistics")]

    operations = [
        DefinerFunction(
            "imports_analyze",
            arguments="tables text[]", returns="void", body=BODY, language="plpgsql", volatility="volatile", owner="",
            why="counts a table again after an import has filled it, which only its owner may; reads and returns no row",
        ),
    ]  # fmt: skip
