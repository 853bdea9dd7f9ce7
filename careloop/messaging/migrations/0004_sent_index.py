"""The index for what an account has sent holds only what was sent: planning and claiming no longer write it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_unknown_index")]

    operations = [
        migrations.RemoveIndex(model_name="message", name="message_by_account_sent"),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("accepted_at__isnull", False)),
                fields=["organization", "account", "accepted_at"],
                name="message_by_account_sent",
            ),
        ),
    ]
