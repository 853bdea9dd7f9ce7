"""The doors of the waiting room: a token leads to its organization."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("waitingroom", "0001_initial")]

    operations = [
        DefinerFunction(
            "waitingroom_find_ticket",
            arguments="wanted bytea", returns="uuid",
            body="select organization_id from waitingroom_ticket where token_hash = wanted",
            why="the link to a number carries a 256-bit token and no organization; answers with its id only",
        ),
        DefinerFunction(
            "waitingroom_find_display",
            arguments="wanted bytea", returns="uuid",
            body="select organization_id from waitingroom_display where token_hash = wanted and revoked_at is null",
            why="the link of a screen carries a 256-bit token and no organization; answers with its id only",
        ),
    ]  # fmt: skip
