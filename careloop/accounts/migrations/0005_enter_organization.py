"""Entering brings the organization's own row along: every page names it, and asking for it was a statement more."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

ENTER = """
declare
    chosen accounts_membership%rowtype;
begin
    select m.* into chosen from accounts_membership m
     where m.user_id = signed_in and m.is_active
     order by coalesce(m.organization_id::text = wanted, false) desc, m.created_at
     limit 1;
    if not found then
        return;
    end if;
    perform set_config('careloop.organization', chosen.organization_id::text, true);
    return query select chosen.id, chosen.organization_id, chosen.role, chosen.title, chosen.created_at,
        (select array_agg(l.location_id) from accounts_membership_location l
          where l.membership_id = chosen.id and l.organization_id = chosen.organization_id),
        (select count(*)::int from accounts_membership other where other.user_id = signed_in and other.is_active),
        (select row_to_json(o) from tenancy_organization o where o.id = chosen.organization_id);
end
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_enter_locations"), ("tenancy", "0004_data_location")]

    operations = [
        # what it returns changes, which "create or replace" cannot do
        migrations.RunSQL("drop function accounts_enter(uuid, text)", migrations.RunSQL.noop),
        DefinerFunction(
            "accounts_enter",
            arguments="signed_in uuid, wanted text",
            returns="table (id uuid, organization_id uuid, role varchar, title varchar, created_at timestamptz, "
                    "locations uuid[], workplaces int, organization json)",
            body=ENTER, language="plpgsql", volatility="volatile",
            why="finds which organization a signed-in user works in, before any is set",
        ),
    ]  # fmt: skip
