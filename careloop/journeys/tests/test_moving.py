"""What happens to patients on a journey."""

from datetime import date, timedelta

import pytest

from careloop.followups import selectors as followups
from careloop.journeys import handlers, moving, rules, services
from careloop.journeys.errors import NotInDemo
from careloop.journeys.models import Enrollment, EnrollmentStep
from careloop.journeys.tests.support import (
    CALL,
    MESSAGE,
    NOW,
    WAIT_3_DAYS,
    enroll,
    event,
    history,
    messages,
    only,
    person,
    run_all_due,
    segment,
    started,
)
from careloop.kernel import sql
from careloop.patients import services as patients
from careloop.segments.services import refresh_segment

DAY = timedelta(days=1)


def test_silence_leads_from_message_to_reminder_to_call(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS, {**MESSAGE, "template": "recall-second"}, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)

    run_all_due(journey)
    assert [row["state"] for row in messages()] == ["planned"]
    assert only(journey).step == "s2"
    run_all_due(journey, NOW + 2 * DAY)
    assert only(journey).step == "s2", "it still waits"
    run_all_due(journey, NOW + 3 * DAY)
    run_all_due(journey, NOW + 6 * DAY)

    assert history(only(journey)) == [
        ("s1", "sent", ""), ("s2", "silent", ""), ("s3", "sent", ""), ("s4", "silent", ""), ("s5", "tasked", ""),
    ]  # fmt: skip
    assert (only(journey).state, only(journey).exit_reason) == ("DONE", "finished")
    [task] = followups.of_patient(who)
    assert (task["title"], task["origin"]) == ("打電話", "journey")


def test_an_answer_moves_the_patient_at_once(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    handlers.take(
        [event("message.received", who, NOW, origin="journey", origin_id=str(only(journey).pk), answer="DONE")],
        now=NOW,
    )
    run_all_due(journey)

    enrollment = only(journey)
    assert history(enrollment)[-1] == ("s2", "answered", "DONE")
    assert (enrollment.state, enrollment.answer, enrollment.answered_at) == ("DONE", "DONE", NOW)
    assert followups.of_patient(who) == []


def test_free_words_lead_where_other_answers_lead(clinic):
    journey = started(MESSAGE, {**WAIT_3_DAYS, "other": "s3"}, CALL)
    enroll(journey, person())
    run_all_due(journey)

    handlers.take(
        [
            event(
                "message.received",
                only(journey).patient_id,
                NOW,
                origin="journey",
                origin_id=str(only(journey).pk),
                answer="",
            )
        ],
        now=NOW,
    )
    run_all_due(journey)

    assert history(only(journey))[1] == ("s2", "answered", "TEXT")
    assert history(only(journey))[-1][1] == "tasked"


def test_who_cannot_be_written_to_goes_where_the_step_says_with_the_reason(clinic):
    journey = started({**MESSAGE, "if_not_sent": "s3"}, WAIT_3_DAYS, CALL)
    enroll(journey, person(line=""))

    run_all_due(journey)

    assert history(only(journey)) == [("s1", "not_sent", "no_contact"), ("s3", "tasked", "")]


def test_a_message_stopped_later_ends_the_wait_for_its_answer(clinic):
    journey = started({**MESSAGE, "if_not_sent": "s3"}, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)
    [planned] = messages()

    blocked = event(
        "message.blocked",
        who,
        NOW,
        origin="journey",
        origin_id=str(only(journey).pk),
        message_id=str(planned["id"]),
    )
    handlers.take([blocked], now=NOW)
    run_all_due(journey)

    assert history(only(journey))[1:] == [("s2", "not_sent", ""), ("s3", "tasked", "")]


def test_the_wait_for_an_answer_counts_from_when_the_message_arrived(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    later = NOW + timedelta(hours=11)
    handlers.take([event("message.sent", who, later, origin="journey", origin_id=str(only(journey).pk))], now=later)

    assert only(journey).messaged_at == later
    assert only(journey).due_at == later + 3 * DAY


def test_a_visit_is_the_goal_ends_the_path_and_makes_the_call_needless(clinic):
    journey = started(CALL, {"kind": "wait", "days": 5}, MESSAGE)
    who = person()
    enroll(journey, who)
    run_all_due(journey)
    [task] = followups.of_patient(who)

    handlers.take([event("encounter.recorded", who, NOW + DAY, historical=True)], now=NOW + DAY)

    enrollment = only(journey)
    assert (enrollment.state, enrollment.exit_reason, enrollment.goal_at) == ("DONE", "goal", NOW + DAY)
    assert enrollment.visited_at == NOW + DAY
    assert followups.one(task["id"])["state"] == "CANCELLED"


def test_a_visit_before_entering_or_after_the_time_is_no_goal(clinic):
    journey = started({"kind": "wait", "days": 50}, goal={"event": "encounter.recorded", "days": 30})
    who = person()
    enroll(journey, who)

    handlers.take(
        [event("encounter.recorded", who, NOW - DAY), event("encounter.recorded", who, NOW + 31 * DAY)],
        now=NOW + 31 * DAY,
    )

    assert only(journey).goal_at is None


def test_the_comparison_group_gets_nothing_and_is_measured(clinic):
    journey = started(MESSAGE, CALL, hold_out_percent=50)
    people = [person(f"病友{number}", line=f"U{number:032d}") for number in range(12)]
    enroll(journey, *people)
    run_all_due(journey)

    held = [one for one in people if rules.is_held_out(journey.pk, one, percent=50)]
    assert 0 < len(held) < 12
    assert set(Enrollment.objects.filter(held_out=True).values_list("patient_id", flat=True)) == set(held)
    assert {row["patient_id"] for row in messages()} == set(people) - set(held)
    handlers.take([event("encounter.recorded", held[0], NOW + DAY)], now=NOW + DAY)
    assert only(journey, held[0]).goal_at == NOW + DAY
    run_all_due(journey, NOW + 31 * DAY)
    assert {row.exit_reason for row in Enrollment.objects.filter(held_out=True)} == {"goal", "measured"}


def test_who_is_in_enters_once_and_again_only_after_the_days_agreed(clinic):
    journey = started({"kind": "exit"}, again_after_days=90)
    who = person()

    assert [enroll(journey, who), enroll(journey, who)] == [1, 0]
    run_all_due(journey)
    assert enroll(journey, who, now=NOW + 89 * DAY) == 0
    assert enroll(journey, who, now=NOW + 90 * DAY) == 1
    assert sorted(Enrollment.objects.values_list("round", flat=True)) == [1, 2]


def test_the_dead_the_merged_and_the_closed_do_not_enter_and_leave(clinic):
    journey = started({"kind": "wait", "days": 1}, MESSAGE)
    who = person()
    enroll(journey, who)
    patients.update(patient_id=who, changes={"deceased": True}, version=1, now=NOW, by=None)

    run_all_due(journey, NOW + DAY)

    assert (only(journey).state, only(journey).exit_reason) == ("LEFT", "deceased")
    assert messages() == []
    assert enroll(journey, who, now=NOW + DAY) == 0


def test_branches_decide_by_segment_answer_visit_and_rule(clinic):
    everybody = segment("全部人")
    journey = started(
        {"kind": "branch", "if": {"kind": "segment", "segment": str(everybody.pk)}, "yes": "s3", "no": "end"},
        {"kind": "exit"},
        {"kind": "branch", "if": {"kind": "answer", "answers": ["YES"]}, "yes": "end", "no": "next"},
        {"kind": "branch", "if": {"kind": "visited"}, "yes": "end", "no": "next"},
        {"kind": "branch", "if": {"kind": "rule", "rule": {"all": []}}, "yes": "next", "no": "end"},
        CALL,
    )
    who = person()
    refresh_segment(everybody.pk, now=NOW)
    enroll(journey, who)

    run_all_due(journey)

    assert [what for _step, what, _reason in history(only(journey))] == ["yes", "no", "no", "yes", "tasked"]


def test_tags_come_and_go_and_a_missing_tag_stops_nobody(clinic):
    tag = patients.create_tag(name="關懷中", now=NOW, by=None)
    journey = started({"kind": "tag", "tag": str(tag.pk)}, {"kind": "untag", "tag": str(tag.pk)})
    enroll(journey, person())

    run_all_due(journey)

    assert [what for _step, what, _reason in history(only(journey))] == ["tagged", "untagged"]


def test_a_template_that_was_archived_stops_nobody(clinic):
    journey = started(MESSAGE, CALL)
    sql.execute("update messaging_template set is_archived = true where key = 'recall'")
    enroll(journey, person())

    run_all_due(journey)

    assert history(only(journey))[0][1] == "not_sent"
    assert only(journey).state == "DONE"


def test_stop_ends_the_path_and_cancels_what_is_planned(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    handlers.take(
        [event("message.received", who, NOW, origin="journey", origin_id=str(only(journey).pk), answer="STOP")],
        now=NOW,
    )

    assert only(journey).exit_reason == "opt_out"
    assert [row["state"] for row in messages()] == ["cancelled"]


def test_leaving_the_segment_ends_the_path_when_the_journey_says_so(clinic):
    group = segment("逾期")
    journey = started(
        {"kind": "wait", "days": 9}, trigger={"kind": "segment", "segment": str(group.pk), "existing": False},
        exits={"left_segment": True},
    )  # fmt: skip
    who = person()
    handlers.take([event("segment.entered", who, segment_id=str(group.pk))], now=NOW)
    assert only(journey).entered_because == "segment"

    handlers.take([event("segment.left", who, segment_id=str(group.pk))], now=NOW)

    assert only(journey).exit_reason == "left_segment"


def test_events_start_journeys_but_history_and_old_news_do_not(clinic):
    journey = started(
        {"kind": "wait", "days": 1},
        trigger={"kind": "event", "event": "procedure.recorded", "where": {"code": ["92*"]}},
    )
    one, two, three, four = (person(f"病友{n}", line=f"U{n:032d}") for n in range(4))

    handlers.take(
        [
            event("procedure.recorded", one, code="92014C"),
            event("procedure.recorded", two, code="92014C", historical=True),
            event("procedure.recorded", three, code="A1"),
            event("procedure.recorded", four, NOW - 10 * DAY, code="92014C"),
        ],
        now=NOW,
    )

    assert only(journey).patient_id == one
    assert only(journey).context == {"on": "2026-03-16", "event": 1}


def test_birthdays_start_on_their_day_and_only_once(clinic):
    who = person(birth_date=date(1990, 3, 17))
    journey = started(MESSAGE, trigger={"kind": "date", "date": "birthday", "days": 0})
    assert not Enrollment.objects.exists()

    assert handlers.enroll_by_date(now=NOW + DAY) == 1
    assert handlers.enroll_by_date(now=NOW + DAY) == 0
    assert only(journey).patient_id == who


def test_starting_a_segment_journey_takes_its_members_and_says_so_before(clinic):
    people = [person(f"病友{n}", line=f"U{n:032d}" if n else "") for n in range(3)]
    group = segment("全部人")
    journey = services.create_journey(
        name="召回", now=NOW, by=None,
        definition={
            "trigger": {"kind": "segment", "segment": str(group.pk)}, "hold_out_percent": 0,
            "steps": [{"id": "s1", **MESSAGE}],
        },
    )  # fmt: skip

    outlook = services.preview(journey_id=journey.pk, now=NOW)
    enrolled = services.start(journey_id=journey.pk, version=1, now=NOW, by=None)

    assert outlook.outlook.entering == enrolled == len(people)
    assert outlook.first_message.planned == 2
    assert outlook.first_message.blocked == {"no_contact": 1}
    assert services.start(journey_id=journey.pk, version=1, now=NOW, by=None) == 0


def test_a_paused_journey_stands_still_and_takes_who_came_meanwhile_afterwards(clinic):
    group = segment("全部人")
    journey = started(MESSAGE, trigger={"kind": "segment", "segment": str(group.pk), "existing": False})
    services.pause(journey_id=journey.pk, now=NOW, by=None)
    who = person()
    refresh_segment(group.pk, now=NOW + DAY)
    handlers.take([event("segment.entered", who, NOW + DAY, segment_id=str(group.pk))], now=NOW + DAY)
    assert run_all_due(journey, NOW + DAY) == 0
    assert not Enrollment.objects.exists()

    assert services.resume(journey_id=journey.pk, now=NOW + 2 * DAY, by=None) == 1
    assert run_all_due(journey, NOW + 2 * DAY) == 1


def test_ending_a_journey_takes_everybody_out(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS)
    enroll(journey, person())
    run_all_due(journey)

    assert services.end(journey_id=journey.pk, now=NOW, by=None) == 1
    assert services.end(journey_id=journey.pk, now=NOW, by=None) == 0
    assert only(journey).exit_reason == "journey_ended"
    assert [row["state"] for row in messages()] == ["cancelled"]


def test_changes_are_for_those_who_enter_later(clinic):
    journey = started({"kind": "wait", "days": 1}, MESSAGE)
    early = person()
    enroll(journey, early)
    changed = {**journey.definition, "steps": [{"id": "s9", **CALL}]}
    journey = services.change_journey(
        journey_id=journey.pk, version=journey.version, definition=changed, now=NOW, by=None
    )
    assert journey.has_changes
    services.use_changes(journey_id=journey.pk, version=journey.version, now=NOW, by=None)
    journey.refresh_from_db()
    late = person("晚來的", line="U" + "9" * 32)
    enroll(journey, late)

    run_all_due(journey, NOW + DAY)

    assert [what for _s, what, _r in history(only(journey, early))] == ["waited", "sent"]
    assert [what for _s, what, _r in history(only(journey, late))] == ["tasked"]


def test_no_step_is_carried_out_twice_even_when_asked_to(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS)
    enroll(journey, person())
    run_all_due(journey)
    sql.execute("update journeys_enrollment set step = 's1', step_kind = 'message', due_at = %s", [NOW])

    run_all_due(journey)

    assert len(messages()) == 1
    assert EnrollmentStep.objects.count() == 2


def test_time_can_be_skipped_in_a_demo_clinic_only(clinic):
    journey = started({"kind": "wait", "days": 30}, CALL)
    enroll(journey, person())
    with pytest.raises(NotInDemo):
        services.skip_ahead(now=NOW, by=None)

    sql.execute("update tenancy_organization set is_demo = true")
    assert services.skip_ahead(now=NOW, by=None, journey_id=journey.pk) == 1
    run_all_due(journey)
    assert only(journey).state == "DONE"


def test_thousands_move_with_a_handful_of_statements(clinic, django_assert_max_num_queries):
    journey = started(MESSAGE, WAIT_3_DAYS, CALL)
    enroll(journey, *[person(f"病友{n}", line=f"U{n:032d}") for n in range(30)])

    with django_assert_max_num_queries(14):
        moving.move_journey(journey.pk, now=NOW)


def test_in_the_demo_a_message_that_waits_for_the_morning_goes_first(clinic):
    night = NOW.replace(hour=18)  # two in the morning in Taipei
    journey = started(MESSAGE, WAIT_3_DAYS)
    sql.execute("update tenancy_organization set is_demo = true")
    enroll(journey, person(), now=night)
    run_all_due(journey, night)
    waits_until = only(journey).due_at
    assert sql.value("select due_at from messaging_message") > night

    services.skip_ahead(now=night, by=None, journey_id=journey.pk)

    assert sql.value("select due_at from messaging_message") == night
    assert only(journey).due_at == waits_until, "the wait for the answer begins when the message has gone"
    sql.execute("update messaging_message set state = 'accepted', accepted_at = %s", [night])
    services.skip_ahead(now=night, by=None, journey_id=journey.pk)
    assert only(journey).due_at == night
