"""Finding the organization of a calendar link."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("icalendar", "0001_initial")]

    operations = [
        DefinerFunction(
            "icalendar_find_link",
            arguments="wanted bytea", returns="uuid",
            body="select organization_id from icalendar_link where token_hash = wanted and revoked_at is null",
            why="a calendar program carries a 256-bit token and no organization; answers with its id only",
        ),
    ]  # fmt: skip
