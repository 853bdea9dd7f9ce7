"""Shorter index entries of contact points and identifiers, and the patients of a statement looked up in one walk."""

from django.db import migrations, models

from careloop.patients.belonging import FUNCTIONS


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0005_any_key"),
        ("tenancy", "0005_jobdone"),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name="contactpoint",
            name="contact_point_once",
        ),
        migrations.RemoveConstraint(
            model_name="identifier",
            name="identifier_once",
        ),
        migrations.RemoveIndex(
            model_name="contactpoint",
            name="contact_point_by_value",
        ),
        migrations.RemoveIndex(
            model_name="contactpoint",
            name="contact_point_by_last3",
        ),
        migrations.RemoveIndex(
            model_name="identifier",
            name="identifier_by_value",
        ),
        migrations.AddIndex(
            model_name="contactpoint",
            index=models.Index(fields=["value_index"], name="contact_point_by_value"),
        ),
        migrations.AddIndex(
            model_name="contactpoint",
            index=models.Index(
                condition=models.Q(("last3_index__isnull", False)),
                fields=["last3_index"],
                name="contact_point_by_last3",
            ),
        ),
        migrations.AddIndex(
            model_name="identifier",
            index=models.Index(fields=["value_index"], name="identifier_by_value"),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.UniqueConstraint(
                fields=("patient", "system", "value_index", "organization"), name="contact_point_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="identifier",
            constraint=models.UniqueConstraint(
                fields=("patient", "kind", "system", "value_index", "organization"), name="identifier_once"
            ),
        ),
    ]
