"""A telephone is found by its last three digits in the index that finds it whole: the hash begins with that of the three digits.

An index of their own was one more entry a telephone in no order, and a hash that was kept twice.
"""

from django.db import migrations

FORWARD = """
drop index contact_point_by_last3;
drop index contact_point_by_value;
update patients_contact_point set value_index = substr(last3_index, 1, 6) || substr(value_index, 1, 10) where last3_index is not null;
alter table patients_contact_point drop column last3_index;
create index contact_point_by_value on patients_contact_point (value_index);
"""


class Migration(migrations.Migration):
    dependencies = [("patients", "0007_restriction")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                # the owner sees every organization's rows while the wall is down; `security.apply` looks at it at the end
                migrations.RunSQL("alter table patients_contact_point no force row level security"),
                migrations.RunSQL(FORWARD),
                migrations.RunSQL("alter table patients_contact_point force row level security"),
            ],
            state_operations=[
                migrations.RemoveIndex(model_name="contactpoint", name="contact_point_by_last3"),
                migrations.RemoveField(model_name="contactpoint", name="last3_index"),
            ],
        )
    ]
