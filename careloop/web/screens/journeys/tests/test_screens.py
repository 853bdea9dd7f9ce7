"""The journeys' screens: from the library to a running journey and one patient's way."""

from datetime import timedelta

import pytest
from django.utils import timezone

from careloop.accounts.models import Membership
from careloop.journeys import library
from careloop.journeys.models import Enrollment, Journey
from careloop.journeys.tests.support import definition, enroll, open_line, person, run_all_due, started
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy import context
from careloop.tenancy.models import Location

STEPS = (
    {"kind": "message", "template": "recall"},
    {"kind": "wait_reply", "days": 3, "silence": "next"},
    {"kind": "follow_up", "title": "打電話"},
)


@pytest.fixture
def clinic(organization):
    open_line()
    return organization


@pytest.fixture
def journey(clinic):
    made = started(*STEPS, name="逾期召回", now=timezone.now())
    enroll(made, person("王小明"), now=timezone.now())
    run_all_due(made, timezone.now() + timedelta(minutes=1))
    return made


def test_from_the_library_to_a_running_journey(clinic, client_for):
    person("王小明")
    client = client_for("nurse")
    assert "Make a draft of it" in client.get("/journeys/library/").content.decode()
    form = {"key": str(uuid7())}

    for _click in range(2):
        answer = client.post("/journeys/library/lapsed/", form)
    draft = Journey.objects.get()
    page = client.get(answer["Location"]).content.decode()
    assert "Send the message" in page
    assert "Wait up to 7 days for an answer." in page
    before = client.get(f"/journeys/{draft.pk}/start/").content.decode()
    assert "Enter now" in before
    client.post(f"/journeys/{draft.pk}/start/", {"version": draft.version})

    draft.refresh_from_db()
    assert draft.state == "ACTIVE"
    assert "running" in client.get("/journeys/").content.decode()


def test_a_path_is_built_step_by_step_without_scripts(clinic, client_for):
    client = client_for("nurse")
    client.post("/journeys/new/", {"key": str(uuid7()), "name": "我的旅程", "description": ""})
    draft = Journey.objects.get()
    about = {
        "version": draft.version, "name": "我的旅程", "trigger": "event", "event": "procedure.recorded", "codes": "92014C, 92*", "days": "0",
        "date": "birthday", "hold_out_percent": "10", "goal_event": "encounter.recorded", "goal_days": "30", "exit_on_goal": "on",
    }  # fmt: skip
    assert client.post(f"/journeys/{draft.pk}/edit/", about).status_code == 303

    def add(kind, after="", **values):
        draft.refresh_from_db()
        url = f"/journeys/{draft.pk}/steps/new/?kind={kind}&after={after}"
        assert client.get(url).status_code == 200
        answer = client.post(url, {"version": draft.version, **values})
        assert answer.status_code == 303, answer.content.decode()

    add("follow_up", title="打電話", task="CALL", priority="2", due_days="1", script="")
    add("wait", days="1", hours="0", until="10:00")
    add("message", after="s2", template="recall", if_not_sent="s1")
    add("wait_reply", after="s3", days="3", hours="", answer_DONE="end", other="end", silence="next")
    add("branch", after="s4", by="visited", yes="end", no="next")
    add("exit", after="s1")
    draft.refresh_from_db()
    kinds = [step["kind"] for step in draft.definition["steps"]]
    assert kinds == ["wait", "message", "wait_reply", "branch", "follow_up", "exit"]
    assert draft.definition["trigger"] == {
        "kind": "event",
        "event": "procedure.recorded",
        "where": {"code": ["92014C", "92*"]},
    }

    client.post(f"/journeys/{draft.pk}/steps/s2/move/", {"version": draft.version, "direction": "down"})
    draft.refresh_from_db()
    assert [step["id"] for step in draft.definition["steps"]][:2] == ["s3", "s2"]
    client.post(f"/journeys/{draft.pk}/steps/s1/remove/", {"version": draft.version})
    draft.refresh_from_db()
    assert draft.definition["steps"][0]["if_not_sent"] == "next", "ways to a removed step go on with the next"
    assert client.get(f"/journeys/{draft.pk}/steps/s3/").status_code == 200
    client.post(f"/journeys/{draft.pk}/steps/s2/", {"version": draft.version, "days": "2", "hours": "0", "until": ""})
    draft.refresh_from_db()
    assert draft.definition["steps"][1] == {"id": "s2", "kind": "wait", "days": 2, "hours": 0}


def test_an_unfinished_journey_says_what_is_missing(clinic, client_for):
    client = client_for("nurse")
    client.post("/journeys/new/", {"key": str(uuid7()), "name": "空的", "description": ""})
    draft = Journey.objects.get()

    page = client.get(f"/journeys/{draft.pk}/").content.decode()

    assert "add the first one" in page
    assert client.get(f"/journeys/{draft.pk}/start/").status_code == 422
    assert client.post(f"/journeys/{draft.pk}/start/", {"version": draft.version}).status_code == 422


def test_two_people_cannot_overwrite_each_other(journey, client_for):
    answer = client_for("nurse").post(f"/journeys/{journey.pk}/steps/s3/remove/", {"version": journey.version - 1})

    assert answer.status_code == 409
    assert len(Journey.objects.get(pk=journey.pk).definition["steps"]) == 3


def test_every_page_of_a_running_journey_opens(journey, client_for):
    client = client_for("nurse")
    enrollment = Enrollment.objects.get()

    assert "1 here now" in client.get(f"/journeys/{journey.pk}/").content.decode()
    results = client.get(f"/journeys/{journey.pk}/results/").content.decode()
    assert "Nobody is held out" in results
    assert "王小明" in client.get(f"/journeys/{journey.pk}/patients/").content.decode()
    assert "王小明" not in client.get(f"/journeys/{journey.pk}/patients/?show=goal").content.decode()
    page = client.get(f"/journeys/enrollments/{enrollment.pk}/").content.decode()
    assert "Message planned" in page
    assert "Wait up to 3 days" in page
    assert "逾期召回" in client.get(f"/patients/{enrollment.patient_id}/journeys/").content.decode()
    assert "逾期召回" in client.get(f"/patients/{enrollment.patient_id}/").content.decode()


def test_pausing_going_on_and_ending(journey, client_for):
    client = client_for("nurse")

    client.post(f"/journeys/{journey.pk}/pause/")
    assert Journey.objects.get(pk=journey.pk).state == "PAUSED"
    client.post(f"/journeys/{journey.pk}/resume/")
    assert "On the way" in client.get(f"/journeys/{journey.pk}/end/").content.decode()
    client.post(f"/journeys/{journey.pk}/end/")

    assert Journey.objects.get(pk=journey.pk).state == "ENDED"
    assert Enrollment.objects.get().exit_reason == "journey_ended"
    assert client.get(f"/journeys/{journey.pk}/").status_code == 200
    assert client.post(f"/journeys/{journey.pk}/pause/").status_code == 409


def test_changes_are_put_into_use_by_hand(journey, client_for):
    client = client_for("nurse")
    client.post(f"/journeys/{journey.pk}/steps/s3/remove/", {"version": journey.version})
    journey.refresh_from_db()

    assert "differs from the one in use" in client.get(f"/journeys/{journey.pk}/").content.decode()
    assert client.get(f"/journeys/{journey.pk}/use/").status_code == 200
    client.post(f"/journeys/{journey.pk}/use/", {"version": journey.version})

    journey.refresh_from_db()
    assert (journey.has_changes, journey.current.number) == (False, 2)


def test_one_patient_is_taken_out_with_a_reason(journey, client_for):
    enrollment = Enrollment.objects.get()
    client = client_for("nurse")

    assert client.get(f"/journeys/enrollments/{enrollment.pk}/remove/").status_code == 200
    client.post(f"/journeys/enrollments/{enrollment.pk}/remove/", {"reason": "家屬要求"})

    assert Enrollment.objects.get().exit_reason == "staff"
    assert "was taken out by staff" in client.get(f"/journeys/enrollments/{enrollment.pk}/").content.decode()


def test_time_is_skipped_in_the_demo_clinic_only(journey, client_for):
    client = client_for("nurse")
    enrollment = Enrollment.objects.get()
    assert client.post(f"/journeys/{journey.pk}/skip/").status_code == 403
    assert "Skip the wait" not in client.get(f"/journeys/enrollments/{enrollment.pk}/").content.decode()

    sql.execute("update tenancy_organization set is_demo = true")
    sql.execute("update messaging_message set state = 'accepted', accepted_at = planned_at")
    assert "Skip the wait" in client.get(f"/journeys/enrollments/{enrollment.pk}/").content.decode()
    assert client.post(f"/journeys/enrollments/{enrollment.pk}/skip/").status_code == 303
    assert Enrollment.objects.get().due_at <= timezone.now()
    assert sql.value("select count(*) from audit_event where action = 'journey.time_skipped'") == 1


def test_who_may_only_look_cannot_change(journey, client_for):
    physician_like = client_for("privacy_officer")
    assert physician_like.get("/journeys/").status_code == 403
    it = client_for("it")
    assert it.post(f"/journeys/{journey.pk}/end/").status_code == 403
    assert Journey.objects.get(pk=journey.pk).state == "ACTIVE"


def test_a_member_limited_to_other_locations_sees_nobody_on_the_way(journey, client_for):
    branch = Location.objects.create(name="板橋分院")
    limited = client_for("nurse")
    Membership.objects.get(user=limited.user).location_limits.create(location=branch)
    enrollment = Enrollment.objects.get()

    assert "王小明" not in limited.get(f"/journeys/{journey.pk}/patients/").content.decode()
    assert limited.get(f"/journeys/enrollments/{enrollment.pk}/").status_code == 404
    Patient.objects.filter(pk=enrollment.patient_id).update(home_location=branch)
    assert "王小明" in limited.get(f"/journeys/{journey.pk}/patients/").content.decode()
    assert limited.get(f"/journeys/enrollments/{enrollment.pk}/").status_code == 200


def test_a_stranger_finds_nothing(journey, other_organization, client_for):
    enrollment = Enrollment.objects.get().pk
    token = context.enter(other_organization.id)
    context.set_organization(other_organization.id)
    try:
        client = client_for("owner")
    finally:
        context.leave(token)

    for address in ("", "results/", "patients/", "edit/", "start/", "end/", "steps/s1/", "steps/new/?kind=wait"):
        assert client.get(f"/journeys/{journey.pk}/{address}").status_code == 404, address
    assert client.get(f"/journeys/enrollments/{enrollment}/").status_code == 404
    assert client.post(f"/journeys/{journey.pk}/pause/").status_code == 404
    assert "逾期召回" not in client.get("/journeys/").content.decode()


def test_pages_cost_a_fixed_number_of_statements(journey, client_for, django_assert_max_num_queries):
    enroll(journey, *[person(f"病友{n}", line=f"U{n:032d}") for n in range(20)])
    client = client_for("nurse")
    client.get("/journeys/")

    for address in ("/journeys/", f"/journeys/{journey.pk}/", f"/journeys/{journey.pk}/patients/"):
        with django_assert_max_num_queries(22):
            client.get(address)


def test_the_library_speaks_the_readers_language(clinic, client_for):
    assert "逾期關懷召回" in client_for("nurse", language="zh-hant").get("/journeys/library/").content.decode()
    assert definition(*STEPS)["steps"][0]["id"] == "s1"
    assert set(library.ready_on(timezone.now().date())) >= {
        "recall",
        "birthday",
        "post-procedure",
        "welcome",
        "lapsed",
        "refill",
    }
