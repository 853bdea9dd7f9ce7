"""The first page starts from the day, for each role its own."""

from datetime import timedelta

import pytest
from django.utils import timezone

from careloop.accounts.models import Membership
from careloop.followups import services
from careloop.journeys.tests.support import person
from careloop.kernel import sql
from careloop.patients.models import Patient
from careloop.tenancy import context
from careloop.tenancy.models import Location


@pytest.fixture
def task(organization):
    now = timezone.now()
    return services.create(patient_id=person("王小明"), title="打電話問候", priority=1, due_at=now, now=now, by=None)


def test_the_nurse_sees_what_is_urgent_first(task, client_for):
    page = client_for("nurse").get("/").content.decode()

    assert "1 urgent follow-up waits" in page
    assert "打電話問候" in page
    assert "王小明" in page
    assert "Unread answers" in page


def test_marketing_sees_no_follow_ups_and_it_no_patients(task, client_for):
    marketing, it = client_for("marketing").get("/").content.decode(), client_for("it").get("/").content.decode()

    assert "打電話問候" not in marketing
    assert "王小明" not in marketing
    assert "Birthdays today" not in it
    assert "王小明" not in it


def test_numbers_lead_to_their_lists(task, client_for):
    today = timezone.now().astimezone(timezone.get_fixed_timezone(480)).date()
    sql.execute(
        "update facts_patient set stage = 2, birth_mmdd = %s, supply_ends_on = %s, refills_left = 1, registered_on = %s",
        [today.month * 100 + today.day, today + timedelta(days=3), today],
    )
    client = client_for("nurse")

    for what in ("birthdays", "refills", "new"):
        assert f"/today/{what}/" in client.get("/").content.decode()
        assert "王小明" in client.get(f"/today/{what}/").content.decode()
    assert client.get("/today/nonsense/").status_code == 404
    assert client_for("it").get("/today/new/").status_code == 403


def test_a_new_clinic_is_shown_the_first_steps(organization, client_for):
    page = client_for("owner").get("/").content.decode()

    assert "The first steps" in page


def test_a_member_limited_to_other_locations_has_nothing_of_theirs_to_do(task, client_for):
    branch = Location.objects.create(name="板橋分院")
    limited = client_for("nurse")
    Membership.objects.get(user=limited.user).location_limits.create(location=branch)

    assert "打電話問候" not in limited.get("/").content.decode()
    Patient.objects.filter(pk=task.patient_id).update(home_location=branch)
    assert "打電話問候" in limited.get("/").content.decode()


def test_a_stranger_sees_only_their_own_day(task, other_organization, client_for):
    token = context.enter(other_organization.id)
    context.set_organization(other_organization.id)
    try:
        client = client_for("owner")
    finally:
        context.leave(token)

    assert "打電話問候" not in client.get("/").content.decode()
    assert "王小明" not in client.get("/today/new/").content.decode()


def test_nobody_sees_it_without_signing_in(organization, client):
    assert client.get("/").status_code == 302


def test_the_page_costs_a_fixed_number_of_statements(task, client_for, django_assert_max_num_queries):
    now = timezone.now()
    for _n in range(10):
        services.create(patient_id=task.patient_id, title="再打", due_at=now, now=now, by=None)
    client = client_for("nurse")
    client.get("/")

    with django_assert_max_num_queries(20):
        client.get("/")
