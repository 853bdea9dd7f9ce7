"""Whether anything was ever sealed here: then a missing key file must be restored, never made anew."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction


class Migration(migrations.Migration):
    dependencies = [("patients", "0004_belonging")]

    operations = [
        DefinerFunction(
            "patients_any_key",
            arguments="",
            returns="boolean",
            body="select exists (select 1 from patients_key)",
            why="tells whether a lost key file would lose sealed data, over all organizations and without saying whose",
        ),
    ]  # fmt: skip
