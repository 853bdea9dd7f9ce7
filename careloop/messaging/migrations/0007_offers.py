"""A message may speak of a place that is offered (`proposed`), not only of a visit that is booked or called off."""

from django.db import migrations, models

NAME = "message_bound_to_visit"


class Migration(migrations.Migration):
    dependencies = [("messaging", "0006_code_origin")]

    operations = [
        migrations.RemoveConstraint(model_name="message", name=NAME),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(appointment_id__isnull=True, appointment_sequence__isnull=True, appointment_state="")
                | models.Q(
                    appointment_id__isnull=False, appointment_sequence__isnull=False,
                    appointment_state__in=["booked", "cancelled", "proposed"],
                ),
                name=NAME,
            ),
        ),
    ]  # fmt: skip
