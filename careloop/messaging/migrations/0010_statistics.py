"""Let planning have the outbox counted again once it has grown to four times what the planner knows of."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

BODY = """
begin
    if added < 3 * (select reltuples from pg_class where oid = 'public.messaging_message'::regclass) then
        return;
    end if;
    begin
        -- whoever holds this lock is counting or cleaning the table already; waiting for it could tie two planners up
        lock table messaging_message in share update exclusive mode nowait;
    exception when lock_not_available then
        return;
    end;
    analyze messaging_message (id, organization_id, patient_id, account_id, state, due_at, lease_id);
end
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0009_membership_origins")]

    operations = [
        DefinerFunction(
            "messaging_count_again",
            arguments="added integer", returns="void", body=BODY, language="plpgsql", volatility="volatile", owner="",
            why="counts the outbox again after planning has filled it, which only its owner may; reads and returns no row",
        ),
    ]  # fmt: skip
