"""The patients of an entry are stored as they are: trying to press ids together took longer than writing them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_spans")]

    operations = [
        migrations.RunSQL(
            "alter table audit_event alter column patients set storage external",
            "alter table audit_event alter column patients set storage extended",
        )
    ]
