from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0005_jobdone")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="embed_origins",
            field=models.CharField(
                blank=True, default="", help_text="Websites that may show the booking page in a frame.", max_length=1000
            ),
        ),
    ]
