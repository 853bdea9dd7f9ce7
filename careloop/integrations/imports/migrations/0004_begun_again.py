"""Note when an import was begun again from its first chunk."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imports", "0003_statistics_of_keys")]

    operations = [
        migrations.AddField("importbatch", "begun_again_at", models.DateTimeField(null=True)),
    ]
