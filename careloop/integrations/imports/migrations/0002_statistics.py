"""Let an import tell the planner that a table has grown."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

BODY = """
declare
    grown text;
begin
    foreach grown in array tables loop
        if grown !~ '^(records|patients|imports)_[a-z_]+$' then
            raise exception 'not a table an import writes: %', grown;
        end if;
        execute format('analyze %I', grown);
    end loop;
end
"""


class Migration(migrations.Migration):
    dependencies = [("imports", "0001_initial")]

    operations = [
        DefinerFunction(
            "imports_analyze",
            arguments="tables text[]", returns="void", body=BODY, language="plpgsql", volatility="volatile", owner="",
            why="counts a table again after an import has filled it, which only its owner may; reads and returns no row",
        ),
    ]  # fmt: skip
