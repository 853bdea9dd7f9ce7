"""Finding the organization of a token."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

ENTER = """
declare
    found_token api_token%rowtype;
begin
    select t.* into found_token from api_token t
     where t.token_hash = hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > at);
    if not found then
        return;
    end if;
    perform set_config('careloop.organization', found_token.organization_id::text, true);
    return query select found_token.id, found_token.organization_id, found_token.name, found_token.scopes::text[], found_token.last_used_on;
end
"""


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [
        DefinerFunction(
            "api_enter",
            arguments="hash bytea, at timestamptz",
            returns="table (id uuid, organization_id uuid, name varchar, scopes text[], last_used_on date)",
            body=ENTER, language="plpgsql", volatility="volatile",
            why="finds which organization an API token belongs to, before any is set",
        ),
    ]  # fmt: skip
