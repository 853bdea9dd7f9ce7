"""Records that are kept but no longer used, and emptied ones: closed for everybody, sets of an import and an undo included."""

from django.db import migrations, models

KEEP_CLOSED = """
create function patients_keep_closed() returns trigger language plpgsql as $f$
begin
    new.active := false;
    return new;
end
$f$;
create trigger patients_keep_closed before update on patients_patient
    for each row when (new.active and new.restriction <> '') execute function patients_keep_closed();
"""
UNDO = """
drop trigger patients_keep_closed on patients_patient;
drop function patients_keep_closed();
"""


class Migration(migrations.Migration):
    dependencies = [("patients", "0006_hashes_alone")]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="restriction",
            field=models.CharField(
                blank=True, choices=[("RESTRICTED", "restricted"), ("ERASED", "erased")], db_default="", max_length=12
            ),
        ),
        migrations.RunSQL(KEEP_CLOSED, UNDO),
    ]
