"""Two columns in which nearly nothing stands give up their foreign keys, which fired for every row of an import to find that out."""

import django.db.models.deletion
from django.db import migrations, models

from careloop.patients.belonging import FUNCTIONS, PointsTo


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0008_endings_in_the_hash"),
        ("tenancy", "0006_embed_origins"),
    ]

    operations = [
        migrations.AlterField(
            model_name="patient",
            name="home_location",
            field=models.ForeignKey(
                blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL,
                related_name="+", to="tenancy.location",
            ),
        ),
        migrations.AlterField(
            model_name="patient",
            name="merged_into",
            field=models.ForeignKey(
                blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT,
                related_name="merged_from", to="patients.patient",
            ),
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        PointsTo("patients_patient", "home_location_id", "tenancy_location"),
        PointsTo("patients_patient", "merged_into_id", "patients_patient"),
    ]  # fmt: skip
