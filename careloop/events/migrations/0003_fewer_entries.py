"""One index entry less for every event: the order of commits is the primary key, and a patient's events are found without the organization.

A patient's id is unique in the world, so the organization before it only made each comparison longer.
"""

from django.db import migrations

FORWARD = """
alter table events_event drop constraint events_event_pkey;
drop index events_by_commit;
alter table events_event add constraint events_event_pkey primary key (organization_id, xid, id, recorded_at);
drop index events_by_patient;
create index events_by_patient on events_event (patient_id, occurred_at desc, id desc);
"""

BACK = """
drop index events_by_patient;
create index events_by_patient on events_event (organization_id, patient_id, occurred_at desc, id desc);
alter table events_event drop constraint events_event_pkey;
alter table events_event add constraint events_event_pkey primary key (id, recorded_at);
create index events_by_commit on events_event (organization_id, xid, id);
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0002_event_table")]

    operations = [migrations.RunSQL(FORWARD, BACK)]
