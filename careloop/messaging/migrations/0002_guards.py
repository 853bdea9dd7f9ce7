"""Published texts stay as they are; doors that are found before an organization is known."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

KEEP_PUBLISHED = """
create function messaging_keep_published() returns trigger language plpgsql as $f$
begin
    if old.published_at is not null and (
        new.texts, new.variables, new.required, new.number, new.template_id, new.published_at
    ) is distinct from (old.texts, old.variables, old.required, old.number, old.template_id, old.published_at) then
        raise exception 'a published version of a message template is never changed' using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger messaging_keep_published before update on messaging_template_version
    for each row execute function messaging_keep_published();
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]

    operations = [
        migrations.RunSQL(
            KEEP_PUBLISHED,
            "drop trigger messaging_keep_published on messaging_template_version; drop function messaging_keep_published()",
        ),
        DefinerFunction(
            "messaging_find_account",
            arguments="wanted uuid", returns="uuid",
            body="select organization_id from messaging_channel_account where id = wanted and enabled",
            why="a webhook names its channel, not its organization; answers with the organization's id only",
        ),
        DefinerFunction(
            "messaging_find_link",
            arguments="wanted bytea", returns="uuid",
            body="select organization_id from messaging_answer_link where token_hash = wanted",
            why="a link in a message carries a 256-bit token and no organization; answers with its id only",
        ),
    ]  # fmt: skip
