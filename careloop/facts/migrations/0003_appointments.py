from django.db import migrations, models

# rows of patients with appointments are worked out again by the next daily step
AGAIN = """
update facts_patient f set next_change_on = current_date
 where exists (select from scheduling_appointment a where a.patient_id = f.patient_id)
"""


class Migration(migrations.Migration):
    dependencies = [("facts", "0002_by_self_pay"), ("scheduling", "0001_initial")]

    operations = [
        *(
            migrations.AddField("patientfacts", name, models.DateField(null=True, help_text=words))
            for name, words in (
                ("next_appointment_on", "day of the next visit that is booked, today or later"),
                ("last_no_show_on", ""),
                ("last_kept_on", "day of the last appointment the patient came to"),
                ("last_booked_on", "day on which an appointment was made last"),
            )
        ),
        migrations.AddField("patientfacts", "no_shows_12m", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("patientfacts", "kept_appointments", models.SmallIntegerField(db_default=0, default=0)),
        migrations.RunSQL(AGAIN, migrations.RunSQL.noop),
    ]
