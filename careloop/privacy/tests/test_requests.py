"""What a person may ask of their data: everything given out, use restricted, erased, each with its reason."""

from datetime import timedelta

import pytest
from django.db import connection

from careloop.audit.models import AuditEvent
from careloop.events.models import Event
from careloop.followups import services as followups
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients import errors, privacy, restricting, sealing, services
from careloop.patients.models import Patient
from careloop.patients.tests.make import patient
from careloop.privacy import services as requests
from careloop.privacy.errors import MustBeKept
from careloop.privacy.keepers import keepers
from careloop.privacy.selectors import standing
from careloop.records.services import record_encounter
from careloop.scheduling.tests import make
from careloop.tenancy.context import run_before_commit
from careloop.tenancy.models import Organization


def visited(patient_id, at, **more):
    return record_encounter(
        patient_id=patient_id, encounter_id=uuid7(), started_at=at, department="家醫科", reason="高血壓", now=at, by=None, **more
    )  # fmt: skip


def last_audit(action):
    run_before_commit()
    return AuditEvent.objects.filter(action=action).order_by("-number").first()


def kinds(patient_id):
    return list(Event.objects.filter(patient_id=patient_id).order_by("id").values_list("kind", flat=True))


# -- giving out ---------------------------------------------------------------------------------------------------


def test_everything_is_given_out_by_slice_and_the_reason_is_kept(organization, now):
    who = patient(phone="0912345678", address="臺北市大安區和平東路一段278號")
    visited(who, now)

    given = requests.give_out(patient_id=who, reason="書面申請", now=now)

    assert {name for name, _keeper in keepers()} <= set(given)
    assert given["clinic"] == organization.name
    assert given["patients"]["contact_points"][0]["value"] == "+886912345678"
    assert given["records"]["encounter"][0]["department"] == "家醫科"
    assert "encounter.recorded" in [one["kind"] for one in given["events"]["events"]]
    assert last_audit("patient.given_out").reason == "書面申請"


# -- restricting --------------------------------------------------------------------------------------------------


def test_a_restricted_record_is_closed_and_nobody_opens_it_by_the_way(organization, now):
    who = patient()

    assert restricting.restrict(patient_id=who, reason="電話要求", now=now)
    assert not restricting.restrict(patient_id=who, reason="again", now=now)

    with pytest.raises(errors.RecordRestricted):
        services.update(patient_id=who, changes={"active": True}, version=None, now=now, by=None)
    services.update(patient_id=who, changes={"occupation": "教師"}, version=None, now=now, by=None)
    sql.execute(
        "update patients_patient set active = true, city = '臺北市' where id = %s", [who]
    )  # as an import's set does
    kept = Patient.objects.get(id=who)
    assert (kept.active, kept.restriction, kept.city) == (False, "RESTRICTED", "臺北市")
    assert kinds(who)[-3:] == ["patient.restricted", "patient.updated", "patient.updated"]
    assert last_audit("patient.restricted").reason == "電話要求"


def test_lifting_goes_back_to_what_was_before(organization, now):
    who = patient()
    services.update(
        patient_id=who, version=Patient.objects.get(pk=who).version, changes={"active": False}, now=now, by=None
    )

    restricting.restrict(patient_id=who, reason="a", now=now)
    restricting.lift(patient_id=who, reason="b", now=now)

    assert not Patient.objects.get(pk=who).active


def test_a_restriction_is_lifted_with_a_reason(organization, now):
    who = patient()
    restricting.restrict(patient_id=who, reason="a", now=now)

    assert restricting.lift(patient_id=who, reason="書面撤回", now=now)
    assert not restricting.lift(patient_id=who, reason="again", now=now)

    assert Patient.objects.get(id=who).active
    assert last_audit("patient.restriction_lifted").reason == "書面撤回"


# -- erasing ------------------------------------------------------------------------------------------------------


def test_within_the_time_the_law_asks_for_nothing_is_erased(organization, now):
    who = patient()
    visited(who, now - timedelta(days=400))

    with pytest.raises(MustBeKept) as refused:
        requests.erase(patient_id=who, reason="書面申請", now=now)

    assert "2032-02-09" in str(refused.value)
    assert "醫療法第70條" in str(refused.value)
    assert Patient.objects.get(id=who).name == "王小明"


def test_the_day_after_the_last_day_it_may_be(organization, now):
    who = patient()
    visited(who, now - timedelta(days=400))
    until = standing(who, now=now).keep_until

    on_the_day = now.replace(year=until.year, month=until.month, day=until.day)
    assert standing(who, now=on_the_day).keep_until == until
    assert standing(who, now=on_the_day + timedelta(days=1)).keep_until is None


def test_what_is_erased_is_gone_in_every_slice(organization, now):
    Organization.objects.update(legal_profile="INTL")
    who = patient(
        phone="0912345678", national_id="A123456789", chart_number="A-77", address="臺北市大安區和平東路一段278號"
    )
    visited(who, now)

    requests.erase(patient_id=who, reason="書面申請", now=now)

    given = requests.give_out(patient_id=who, reason="look", now=now)
    assert [name for name, rows in given["records"].items() if rows] == []
    assert given["patients"]["patient"]["name"] == privacy.ERASED_NAME
    assert sealing.load_keys([who]) == {}
    words = [one["payload"] for one in given["events"]["events"] if one["kind"] == "encounter.recorded"]
    assert [(one["department"], one["display"]) for one in words] == [("", "")]
    assert last_audit("patient.erased").reason == "書面申請"
    assert kinds(who)[-2:] == ["patient.erased", "patient.updated"]


def test_what_was_planned_ends_with_it(organization, now):
    Organization.objects.update(legal_profile="INTL")
    where, who = make.clinic(), patient()
    coming = make.book(where, make.session(where, starts_at=later()), who, at=later())
    followups.create(patient_id=who, title="回電給王小明", due_at=now, now=now, by=None)

    requests.erase(patient_id=who, reason="a", now=now)

    coming.refresh_from_db()
    assert coming.state == "cancelled"
    assert list(FollowUp.objects.values_list("state", "title", "outcome_note")) == [("CANCELLED", "—", "")]


def later():
    from django.utils import timezone

    return timezone.now().replace(hour=1, minute=0, second=0, microsecond=0) + timedelta(days=2)


def test_an_emptied_record_takes_nothing_in_and_is_not_erased_twice(organization, now):
    who = patient()
    requests.erase(patient_id=who, reason="a", now=now)

    with pytest.raises(errors.RecordErased):
        requests.erase(patient_id=who, reason="b", now=now)
    with pytest.raises(errors.RecordErased):
        services.update(patient_id=who, changes={"name": "王小明"}, version=None, now=now, by=None)
    with pytest.raises(errors.RecordErased):
        services.add_contact_point(patient_id=who, system="phone", text="0912345678", now=now, by=None)
    with pytest.raises(errors.RecordErased):
        restricting.lift(patient_id=who, reason="c", now=now)


def test_the_application_may_still_change_no_event(organization, now):
    """The function that empties words is the one way, and it empties words only."""
    who = patient()
    visited(who, now)
    before = Event.objects.filter(patient_id=who).values_list("id", "kind", "occurred_at", "recorded_at", "xid")
    before = list(before.order_by("id"))

    sql.value("select events_forget(%s)", [who])

    assert (
        list(
            Event.objects.filter(patient_id=who)
            .values_list("id", "kind", "occurred_at", "recorded_at", "xid")
            .order_by("id")
        )
        == before
    )
    with connection.cursor() as cursor:
        cursor.execute("select has_table_privilege(current_user, 'events_event', 'update')")
        assert cursor.fetchone() == (False,)


def test_another_clinics_patient_is_nobody_here(organization, other_organization, now):
    from tests.support import inside

    with inside(other_organization):
        theirs = patient()
    with pytest.raises(errors.UnknownPatient):
        requests.give_out(patient_id=theirs, reason="a", now=now)
    with pytest.raises(errors.UnknownPatient):
        requests.erase(patient_id=theirs, reason="a", now=now)
