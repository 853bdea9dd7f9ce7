from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0007_offers")]

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
                    ("code", "one-time code"),
                    ("queue", "waiting room"),
                ],
                db_default="staff",
                default="staff",
                max_length=20,
            ),
        ),
    ]
