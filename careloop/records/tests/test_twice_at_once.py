"""A visit whose button is pressed twice is there once, and no press is an error."""

from datetime import timedelta

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.tests import make
from careloop.records import services
from careloop.tenancy.context import in_organization
from careloop.tenancy.tests.at_once import CLICKS, clicked


def test_a_visit_sent_twice_at_once_is_kept_once(committed_organization, now):
    key = uuid7()
    with in_organization(committed_organization.id):
        patient_id = make.patient(now=now - timedelta(days=1))

    answers = clicked(
        committed_organization,
        lambda: services.record_encounter(patient_id=patient_id, encounter_id=key, started_at=now, now=now, by=None).id,
    )

    assert answers == [key] * CLICKS
    with in_organization(committed_organization.id):
        assert sql.value("select count(*) from events_event where kind = 'encounter.recorded'") == 1
