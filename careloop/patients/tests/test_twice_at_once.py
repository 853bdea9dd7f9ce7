"""A double click arrives as two requests at the same moment: one row is made, and neither is an error."""

from datetime import timedelta

from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients import services
from careloop.patients.tests import make
from careloop.tenancy.context import in_organization
from careloop.tenancy.tests.at_once import CLICKS, clicked


def test_a_registration_sent_twice_at_once_makes_one_patient(committed_organization, now):
    key = uuid7()

    answers = clicked(
        committed_organization,
        lambda: services.register(details={"name": "王小明"}, idempotency_key=key, now=now, by=None),
    )

    assert sorted(str(getattr(one, "is_new", one)) for one in answers) == ["False"] * (CLICKS - 1) + ["True"]
    with in_organization(committed_organization.id):
        assert sql.value("select count(*) from patients_patient where name = '王小明'") == 1


def test_a_note_sent_twice_at_once_is_kept_once(committed_organization, now):
    key = uuid7()
    with in_organization(committed_organization.id):
        patient_id = make.patient(now=now - timedelta(days=1))

    answers = clicked(
        committed_organization,
        lambda: services.add_health_note(
            patient_id=patient_id, note_id=key, kind="HABIT", text="檳榔", now=now, by=None
        ),
    )  # fmt: skip

    assert {str(getattr(one, "id", one)) for one in answers} == {str(key)}
