"""A visit whose button is pressed twice is there once, and no press is an error."""

import threading
from datetime import timedelta

from django.db import connection, transaction

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.tests import make
from careloop.records import services
from careloop.tenancy.context import in_organization

CLICKS = 4


def test_a_visit_sent_twice_at_once_is_kept_once(committed_organization, now):
    with in_organization(committed_organization.id):
        patient_id = make.patient(now=now - timedelta(days=1))
    key, together, answers = uuid7(), threading.Barrier(CLICKS), []

    def click() -> None:
        try:
            with transaction.atomic(), in_organization(committed_organization.id):
                together.wait(10)
                answers.append(
                    services.record_encounter(patient_id=patient_id, encounter_id=key, started_at=now, now=now, by=None).id
                )  # fmt: skip
        except Exception as error:
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _click in range(CLICKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert answers == [key] * CLICKS
    with in_organization(committed_organization.id):
        assert sql.value("select count(*) from events_event where kind = 'encounter.recorded'") == 1
