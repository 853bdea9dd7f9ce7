"""The audit log on the screen: filters, pages, what it hides, and that reading it is itself recorded."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from careloop.audit import services
from careloop.audit.models import AuditEvent
from careloop.audit.services import Actor
from careloop.patients.models import Patient
from careloop.patients.services import register
from careloop.tenancy.context import run_before_commit
from tests.support import close


@pytest.fixture
def patient(organization, now):
    made = register(details={"name": "王小明", "chart_number": "A-0042"}, idempotency_key=uuid4(), now=now, by=None)
    return Patient.objects.get(pk=made.patient_id)


def record(action, **more):
    """Note an action and write it, as the end of a request does."""
    services.record(action, **more)
    run_before_commit()


def page(client, **filters):
    answer = client.get("/audit/", filters)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_entry_is_a_sentence_with_the_patients_name(client_for, patient):
    record(
        "patient.revealed", patients=[patient.id], reason="asked by phone", actor=Actor("staff", uuid4(), "陳護理師")
    )

    shown = page(client_for("owner"))

    for words in ("陳護理師", "revealed a masked value", "王小明", "asked by phone"):
        assert words in shown


def test_reading_the_log_is_recorded(client_for):
    client = client_for("privacy_officer")
    page(client, reason="x")

    newest = AuditEvent.objects.order_by("-number").first()
    assert (newest.action, newest.actor_id) == ("audit.viewed", client.user.pk)
    assert newest.details["filters"] == ["reason"]


@pytest.mark.parametrize("address", ["/audit/", "/audit/log.csv"])
def test_the_last_day_there_is_can_be_asked_for(client_for, address):
    answer = client_for("owner").get(address, {"until": "9999-12-31"})

    assert answer.status_code == 200
    close(answer)


def test_filters_by_person_kind_group_period_and_reason(client_for, member_of, now):
    nurse = member_of("nurse", name="林護理師")
    record("signin.failed", actor=Actor("visitor", None, "某人"), reason="")
    record("patient.updated", actor=Actor("staff", nurse.pk, "林護理師"), reason="typing mistake 100%")
    record("keys.rotated", actor=Actor("command", None, "root"), now=now - timedelta(days=400))
    client = client_for("owner")

    def seen(**filters):
        text = page(client, **filters)
        return [name for name in ("signin.failed", "patient.updated", "keys.rotated") if f"<dd>{name}</dd>" in text]

    assert seen() == ["signin.failed", "patient.updated", "keys.rotated"]
    assert seen(who=str(nurse.pk)) == ["patient.updated"]
    assert seen(who="kind:visitor") == ["signin.failed"]
    assert seen(group="access") == ["signin.failed"]
    assert seen(since=(now - timedelta(days=2)).date().isoformat()) == ["signin.failed", "patient.updated"]
    assert seen(until=(now - timedelta(days=399)).date().isoformat()) == ["keys.rotated"]
    assert seen(reason="100%") == ["patient.updated"]
    assert seen(reason="TYPING") == ["patient.updated"]
    assert seen(who="not a person") == seen()


def test_one_patient_is_found_by_name_and_by_the_link_of_their_page(client_for, patient):
    record("patient.viewed", patients=[patient.id])
    record("patient.viewed", patients=[uuid4()])
    client = client_for("owner")

    assert page(client, patient="王小").count("<dd>patient.viewed</dd>") == 1
    assert page(client, patient=str(patient.id)).count("<dd>patient.viewed</dd>") == 1
    assert "No patient was found" in page(client, patient="無此人")


def test_who_may_not_see_patients_reads_the_log_without_their_names(client_for, patient):
    record("patient.viewed", patients=[patient.id])

    shown = page(client_for("it"), patient="王小明")

    assert "王小明" not in shown.replace('value="王小明"', "")
    assert "1 patient" in shown


def test_pages_go_back_to_the_first_entry(client_for):
    for _number in range(120):
        record("tag.created")
    client = client_for("owner")
    found = []
    address = "/audit/"
    while address:
        answer = client.get(address)
        found += [one["number"] for one in answer.context["entries"]]
        address = "/audit/" + answer.context["page"].next_url if answer.context["page"].next else ""

    assert found[-1] == 1
    assert sorted(set(found)) == sorted(found)
    assert len(found) >= 120


def test_the_download_is_recorded_and_carries_no_formula(client_for):
    record("patient.updated", reason="=HYPERLINK(1)")

    answer = client_for("owner").get("/audit/log.csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    close(answer)

    assert "'=HYPERLINK(1)" in text
    assert AuditEvent.objects.order_by("-number").first().action == "audit.exported"


def test_checking_the_chain_says_that_it_is_whole(client_for):
    record("tag.created")
    client = client_for("owner")

    answer = client.post("/audit/verify/", follow=True)

    assert "The chain is whole" in answer.content.decode()
    assert client.get("/audit/verify/").status_code == 405


@pytest.mark.parametrize("role", ["front_desk", "nurse", "marketing", "physician"])
def test_others_may_not_read_it(client_for, role):
    assert client_for(role).get("/audit/").status_code == 403
    assert client_for(role).get("/audit/log.csv").status_code == 403


def test_the_patients_page_tells_who_has_seen_it(client_for, patient):
    from careloop.patients import panels

    record("patient.revealed", patients=[patient.id], actor=Actor("staff", uuid4(), "陳護理師"), now=timezone.now())
    run_before_commit()
    client = client_for("owner")

    answer = client.get(f"/patients/{patient.id}/access/")

    assert panels.panel("access", client_member(client)) is not None
    assert answer.status_code == 200
    assert "陳護理師" in answer.content.decode()


def client_member(client):
    from careloop.accounts.models import Membership

    return Membership.objects.get(user=client.user)
