"""Emptying what a patient's events say in words, when the patient is erased."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

BODY = """
    update events_event
       set payload = payload || coalesce((select jsonb_object_agg(name, '') from unnest(array[
               'code', 'display', 'department', 'tag', 'given', 'held_for'
           ]) as name where jsonb_typeof(payload -> name) = 'string'), '{}')
     where patient_id = of_patient
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0004_append")]

    operations = [
        DefinerFunction(
            "events_forget", arguments="of_patient uuid", returns="void", body=BODY, volatility="volatile", owner="",
            why="empties the words of an erased patient's events in the running organization; the application may not change events",
        ),
    ]  # fmt: skip
