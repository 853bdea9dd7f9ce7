"""The patients of a statement are counted and looked up without a list of the different ones; names stand in the index without the ids."""

from django.db import migrations, models

from careloop.patients.belonging import FUNCTIONS


class Migration(migrations.Migration):
    dependencies = [("patients", "0009_pointing")]

    operations = [
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="patient", name="patient_by_name"),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(fields=["organization", "name"], name="patient_by_name"),
        ),
    ]
