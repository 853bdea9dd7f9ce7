from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reminders", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="remindersettings",
            name="turn_near",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="So many numbers before as the rules of the queue say, to whoever is waiting and can be reached.",
                verbose_name="“Come back” when it is soon the patient’s turn",
            ),
        ),
        migrations.AddField(
            model_name="remindersettings",
            name="number_link",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Who checks in on the phone sees the number there.",
                verbose_name="Link to the live number when the desk checks somebody in",
            ),
        ),
    ]
