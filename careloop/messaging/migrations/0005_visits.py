"""Messages about a visit are bound to it; those for a family's day leave as one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0004_sent_index"), ("scheduling", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="origin",
            field=models.CharField(
                choices=[
                    ("journey", "care journey"),
                    ("staff", "staff"),
                    ("reply", "automatic answer"),
                    ("campaign", "campaign"),
                    ("api", "programming interface"),
                    ("appointment", "appointment"),
                ],
                db_default="staff",
                default="staff",
                max_length=20,
            ),
        ),
        migrations.AddField("message", "appointment_id", models.UUIDField(null=True)),
        migrations.AddField("message", "appointment_sequence", models.PositiveIntegerField(null=True)),
        migrations.AddField(
            "message",
            "appointment_state",
            models.CharField(blank=True, db_collation="C", db_default="", max_length=10),
        ),
        migrations.AddField(
            "message", "together", models.CharField(blank=True, db_collation="C", db_default="", max_length=140)
        ),
        migrations.AddField("message", "carried_by", models.UUIDField(null=True)),
        migrations.AddConstraint(
            "message",
            models.CheckConstraint(
                condition=models.Q(
                    ("appointment_id__isnull", True), ("appointment_sequence__isnull", True), ("appointment_state", "")
                )
                | models.Q(
                    ("appointment_id__isnull", False),
                    ("appointment_sequence__isnull", False),
                    ("appointment_state__in", ["booked", "cancelled"]),
                ),
                name="message_bound_to_visit",
            ),
        ),
        migrations.AddIndex(
            "message",
            models.Index(
                condition=models.Q(("state", "planned"), models.Q(("together", ""), _negated=True)),
                fields=["organization", "together"],
                name="message_together",
            ),
        ),
        migrations.AddIndex(
            "message",
            models.Index(
                condition=models.Q(("carried_by__isnull", False)),
                fields=["organization", "carried_by"],
                name="message_carried",
            ),
        ),
    ]
