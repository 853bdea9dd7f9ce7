"""The page of a person's data: who may open it, what it offers, and that each step asks why."""

from datetime import timedelta

import orjson
import pytest
from django.utils import timezone

from careloop.audit.models import AuditEvent
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.patients.tests.make import patient
from careloop.records.services import record_encounter
from careloop.scheduling.tests import make
from careloop.tenancy.context import run_before_commit


@pytest.fixture
def officer(client_for):
    return client_for("privacy_officer")


def actions():
    run_before_commit()
    return list(AuditEvent.objects.order_by("number").values_list("action", "reason"))


def visited(who, days_ago):
    at = timezone.now() - timedelta(days=days_ago)
    record_encounter(patient_id=who, encounter_id=uuid7(), started_at=at, now=at, by=None)


def test_only_privacy_officers_and_owners_may(client_for):
    who = patient()
    for role, status in (
        ("front_desk", 403),
        ("nurse", 403),
        ("marketing", 403),
        ("owner", 200),
        ("privacy_officer", 200),
    ):
        assert client_for(role).get(f"/privacy/{who}/").status_code == status
    assert "/privacy/" not in client_for("front_desk").get(f"/patients/{who}/consent/").content.decode()
    assert f"/privacy/{who}/" in client_for("privacy_officer").get(f"/patients/{who}/consent/").content.decode()


def test_the_file_holds_everything_and_needs_a_reason(officer):
    who = patient(phone="0912345678")
    url = f"/privacy/{who}/give-out/"

    assert officer.post(url, {"reason": ""}).status_code == 422
    answer = officer.post(url, {"reason": "書面申請"})

    given = orjson.loads(answer.content)
    assert answer["Content-Disposition"].startswith("attachment")
    assert given["patients"]["contact_points"][0]["value"] == "+886912345678"
    assert ("patient.given_out", "書面申請") in actions()


def test_restricting_says_which_visits_stay_booked(officer):
    who, where = patient(), make.clinic()
    held = make.session(where, starts_at=timezone.now().replace(microsecond=0) + timedelta(days=3))
    dialog = officer.get(f"/privacy/{who}/restrict/").content.decode()
    assert "stay booked" not in dialog

    booked = make.book(where, held, who, now=timezone.now())
    dialog = officer.get(f"/privacy/{who}/restrict/").content.decode()

    assert "The visits to come stay booked" in dialog
    assert f"{timezone.localtime(booked.starts_at):%Y-%m-%d %H:%M}" in dialog


def test_restricting_and_lifting(officer):
    who = patient()

    answer = officer.post(f"/privacy/{who}/restrict/", {"reason": "電話要求"})
    assert (answer.status_code, answer["Location"]) == (303, f"/privacy/{who}/")
    assert "This record is restricted" in officer.get(f"/privacy/{who}/").content.decode()
    assert "restricted</span></h1>" in officer.get(f"/patients/{who}/").content.decode()

    officer.post(f"/privacy/{who}/lift/", {"reason": "撤回"})
    assert Patient.objects.get(id=who).restriction == ""
    assert [one for one in actions() if "restrict" in one[0]] == [
        ("patient.restricted", "電話要求"),
        ("patient.restriction_lifted", "撤回"),
    ]


def test_a_restricted_record_cannot_be_opened_in_the_form(client_for, officer):
    who = patient()
    officer.post(f"/privacy/{who}/restrict/", {"reason": "a"})
    desk = client_for("front_desk")
    version = Patient.objects.get(id=who).version

    answer = desk.post(f"/patients/{who}/edit/", {"name": "王小明", "active": "on", "version": version})

    assert "Lift the restriction first" in answer.content.decode()
    assert not Patient.objects.get(id=who).active


def test_what_must_be_kept_names_the_day_and_is_not_erased(officer):
    who = patient()
    visited(who, 10)
    until = (timezone.now() - timedelta(days=10)).year + 7

    page = officer.get(f"/privacy/{who}/").content.decode()
    refused = officer.post(f"/privacy/{who}/erase/", {"reason": "a", "name": "王小明"})

    assert f"until {until}-" in page
    assert f"/privacy/{who}/erase/" not in page
    assert refused.status_code == 409
    assert Patient.objects.get(id=who).name == "王小明"


def test_erasing_asks_for_the_name_and_a_second_click_changes_nothing(officer):
    who = patient(chart_number="A-1")
    url = f"/privacy/{who}/erase/"

    assert officer.post(url, {"reason": "a", "name": "王大明"}).status_code == 422
    assert Patient.objects.get(id=who).name == "王小明"
    assert officer.post(url, {"reason": "書面申請", "name": "王小明"}).status_code == 303
    again = officer.post(url, {"reason": "b", "name": Patient.objects.get(id=who).name})

    assert again.status_code == 422
    assert "This record was erased" in again.content.decode()
    assert [one for one in actions() if one[0] == "patient.erased"] == [("patient.erased", "書面申請")]
    page = officer.get(f"/patients/{who}/").content.decode()
    assert "erased</span></h1>" in page
    assert "王小明" not in page


def test_an_erased_record_offers_nothing_to_change(client_for):
    who = patient()
    owner = client_for("owner")
    owner.post(f"/privacy/{who}/erase/", {"reason": "a", "name": "王小明"})

    page = owner.get(f"/patients/{who}/").content.decode()

    assert f"/patients/{who}/edit/" not in page
    assert "This record was erased" in owner.get(f"/privacy/{who}/").content.decode()
