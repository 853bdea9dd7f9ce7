"""Finding the organization of someone who has just signed in."""

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
    return query select chosen.id, chosen.organization_id, chosen.role, chosen.title, chosen.created_at;
end
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        DefinerFunction(
            "accounts_enter",
            arguments="signed_in uuid, wanted text",
            returns="table (id uuid, organization_id uuid, role varchar, title varchar, created_at timestamptz)",
            body=ENTER, language="plpgsql", volatility="volatile",
            why="finds which organization a signed-in user works in, before any is set",
        ),
        DefinerFunction(
            "accounts_organizations",
            arguments="signed_in uuid",
            returns="table (organization_id uuid, name varchar, role varchar)",
            body="""select o.id, o.name, m.role from accounts_membership m join tenancy_organization o
                    on o.id = m.organization_id where m.user_id = signed_in and m.is_active order by o.name""",
            why="lists the organizations a signed-in user may switch to",
        ),
    ]  # fmt: skip
