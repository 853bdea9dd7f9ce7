"""The follow-ups' screens: happy walks, refusals, strangers."""

import pytest

from careloop.accounts.models import Membership
from careloop.followups import selectors, services
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.patients.tests import make
from careloop.tenancy import context
from careloop.tenancy.models import Location


@pytest.fixture
def task(organization, now):
    person = make.patient("王小明", phone="0912345678")
    return services.create(patient_id=person, title="打電話問候", script="先自我介紹", due_at=now, now=now, by=None)


def test_the_front_desk_works_a_follow_up_from_the_list(task, client_for):
    client = client_for("front_desk")

    listed = client.get("/follow-ups/")
    assert "打電話問候" in listed.content.decode()
    page = client.get(f"/follow-ups/{task.pk}/").content.decode()
    assert "先自我介紹" in page
    assert "09**-***-678" in page
    assert "0912345678" not in page
    answer = client.post(f"/follow-ups/{task.pk}/", {"version": 1, "outcome": "REACHED", "note": "約週五", "again": ""})

    assert answer.status_code == 303
    task.refresh_from_db()
    assert (task.state, task.outcome, task.closed_by_id) == ("DONE", "REACHED", client.user.pk)
    assert "打電話問候" in client.get("/follow-ups/?when=done").content.decode()
    assert "約週五" in client.get(f"/follow-ups/{task.pk}/").content.decode()


def test_nobody_answered_so_it_comes_back(task, client_for):
    client = client_for("nurse")

    client.post(f"/follow-ups/{task.pk}/", {"version": 1, "outcome": "NO_ANSWER", "note": "", "again": "tomorrow"})

    task.refresh_from_db()
    assert (task.state, task.attempts) == ("OPEN", 1)
    assert "打電話問候" in client.get("/follow-ups/?when=later").content.decode()


def test_trying_again_is_for_those_not_reached(task, client_for):
    answer = client_for("nurse").post(
        f"/follow-ups/{task.pk}/", {"version": 1, "outcome": "REACHED", "again": "tomorrow"}
    )

    assert answer.status_code == 422
    assert "not reached" in answer.content.decode()


def test_somebody_else_was_faster_and_the_page_says_so(task, client_for, now):
    services.close(follow_up_id=task.pk, outcome="DECLINED", version=1, now=now, by=None)

    answer = client_for("nurse").post(f"/follow-ups/{task.pk}/", {"version": 1, "outcome": "REACHED", "again": ""})

    assert answer.status_code == 422
    assert "closed already" in answer.content.decode()


def test_ticked_follow_ups_are_given_to_somebody(task, client_for):
    client = client_for("nurse")

    answer = client.post("/follow-ups/assign/", {"follow_up": [str(task.pk)], "to": "me"})

    assert answer.status_code == 303
    assert FollowUp.objects.get(pk=task.pk).owner_id == client.user.pk
    assert "打電話問候" in client.get("/follow-ups/?owner=me").content.decode()
    assert "打電話問候" not in client.get("/follow-ups/?owner=nobody").content.decode()


def test_putting_off_and_double_clicking(task, client_for):
    client = client_for("nurse")
    for _click in range(2):
        assert client.post(f"/follow-ups/{task.pk}/snooze/", {"version": 1, "until": "tomorrow"}).status_code == 303

    assert FollowUp.objects.get(pk=task.pk).version == 2


def test_staff_open_one_and_a_double_click_opens_one(organization, client_for):
    person = make.patient()
    client = client_for("front_desk")
    assert client.get(f"/follow-ups/new/?patient={person}").status_code == 200
    form = {
        "patient": str(person),
        "key": uuid7().hex,
        "title": "寄收據",
        "kind": "OTHER",
        "priority": "2",
        "due": "now",
    }

    for _click in range(2):
        assert client.post("/follow-ups/new/", form).status_code == 303

    assert [row["title"] for row in selectors.of_patient(person)] == ["寄收據"]


def test_the_patients_page_shows_what_is_open(task, client_for):
    client = client_for("nurse")

    assert "打電話問候" in client.get(f"/patients/{task.patient_id}/").content.decode()
    assert "打電話問候" in client.get(f"/patients/{task.patient_id}/tasks/").content.decode()


def test_who_may_not_see_follow_ups_is_refused(task, client_for):
    for role in ("marketing", "it", "privacy_officer"):
        assert client_for(role).get("/follow-ups/").status_code == 403
        assert client_for(role).post(f"/follow-ups/{task.pk}/", {}).status_code == 403


def test_a_stranger_sees_nothing(task, other_organization, client_for):
    with_task = task.pk
    token = context.enter(other_organization.id)
    context.set_organization(other_organization.id)
    try:
        client = client_for("owner")
    finally:
        context.leave(token)
    assert client.get(f"/follow-ups/{with_task}/").status_code == 404
    assert client.post(f"/follow-ups/{with_task}/snooze/", {"version": 1, "until": "3d"}).status_code == 404
    assert "打電話問候" not in client.get("/follow-ups/").content.decode()


def test_a_member_limited_to_other_locations_sees_none_and_changes_none(task, client_for):
    branch = Location.objects.create(name="板橋分院")
    limited = client_for("nurse")
    Membership.objects.get(user=limited.user).location_limits.create(location=branch)

    assert "打電話問候" not in limited.get("/follow-ups/").content.decode()
    assert limited.get(f"/follow-ups/{task.pk}/").status_code == 404
    assert limited.get(f"/follow-ups/new/?patient={task.patient_id}").status_code == 404
    limited.post("/follow-ups/assign/", {"follow_up": [str(task.pk)], "to": "me"})
    assert FollowUp.objects.get(pk=task.pk).owner_id is None
    Patient.objects.filter(pk=task.patient_id).update(home_location=branch)
    assert "打電話問候" in limited.get("/follow-ups/").content.decode()
    assert limited.get(f"/follow-ups/{task.pk}/").status_code == 200


def test_the_list_costs_a_fixed_number_of_statements(task, client_for, now, django_assert_max_num_queries):
    for _n in range(20):
        services.create(patient_id=task.patient_id, title="再打一次", due_at=now, now=now, by=None)
    client = client_for("nurse")
    client.get("/follow-ups/")

    with django_assert_max_num_queries(20):
        client.get("/follow-ups/")


def test_every_look_leaves_a_note(task, client_for):
    client = client_for("nurse")
    client.get("/follow-ups/")
    client.get(f"/follow-ups/{task.pk}/")

    actions = {row["action"] for row in sql.rows("select action from audit_event")}
    assert {"follow_ups.listed", "follow_up.viewed"} <= actions


def test_the_patients_page_does_not_say_that_nothing_is_due_while_a_follow_up_is_open(task, client_for, now):
    # so that the record itself asks for nothing
    Patient.objects.filter(pk=task.patient_id).update(active=False)
    client = client_for("front_desk")
    url = f"/patients/{task.patient_id}/"
    page = client.get(url).content.decode()
    assert 'id="next-follow-ups"' in page
    assert "Nothing is due." not in page

    services.cancel(follow_up_ids=[task.pk], reason="staff", now=now, by=None)

    page = client.get(url).content.decode()
    assert 'id="next-follow-ups"' not in page
    assert "Nothing is due." in page
