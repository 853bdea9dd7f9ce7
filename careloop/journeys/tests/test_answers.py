"""What patients answer, and whether they came: early, late, in any order, however the reader cuts its batches."""

from datetime import timedelta

from careloop.followups import selectors as followups
from careloop.journeys import handlers
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
    started,
)
from careloop.kernel import sql

DAY = timedelta(days=1)


def answered(who, journey, *answers, at=NOW, **more):
    """What the patient said, in one batch, a minute apart."""
    own = str(only(journey).pk)
    handlers.take(
        [
            event(
                "message.received", who, at + timedelta(minutes=n), origin="journey", origin_id=own, answer=one, **more
            )
            for n, one in enumerate(answers)
        ],
        now=at,
    )


def test_an_answer_that_comes_before_its_wait_is_not_silence(clinic):
    journey = started(MESSAGE, {"kind": "wait", "days": 1}, {**WAIT_3_DAYS, "answers": {"DONE": "end"}}, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    answered(who, journey, "DONE")
    assert run_all_due(journey) == 0, "the pause is a pause"
    run_all_due(journey, NOW + DAY)

    assert history(only(journey))[1:] == [("s2", "waited", ""), ("s3", "answered", "DONE")]
    assert only(journey).state == "DONE"
    assert followups.of_patient(who) == []


def test_an_answer_to_the_message_before_is_none_to_the_next(clinic):
    journey = started(MESSAGE, {"kind": "wait", "days": 1}, MESSAGE, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    answered(who, journey, "DONE")
    run_all_due(journey, NOW + DAY)

    assert (only(journey).step, only(journey).new_answer) == ("s4", "")


def test_thanks_after_an_answer_do_not_take_it_back(clinic):
    journey = started(MESSAGE, {**WAIT_3_DAYS, "answers": {"DONE": "end"}, "other": "s3"}, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    answered(who, journey, "DONE", "")
    run_all_due(journey)

    assert history(only(journey))[-1] == ("s2", "answered", "DONE")
    assert only(journey).answer == "DONE"


def test_thanks_in_the_next_batch_do_not_take_an_answer_back_either(clinic):
    journey = started(MESSAGE, {**WAIT_3_DAYS, "answers": {"DONE": "end"}, "other": "s3"}, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)
    [asked] = messages()
    sql.execute("update messaging_message set answer = 'DONE' where id = %s", [asked["id"]])

    answered(who, journey, "DONE", in_reply_to=str(asked["id"]))
    answered(who, journey, "", in_reply_to=str(asked["id"]))
    run_all_due(journey)

    assert history(only(journey))[-1] == ("s2", "answered", "DONE")
    assert only(journey).answer == "DONE"


def test_stop_ends_the_path_whatever_is_said_after_it(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)

    answered(who, journey, "STOP", "")

    assert only(journey).exit_reason == "opt_out"


def test_a_message_stopped_before_the_wait_for_its_answer_leads_where_the_step_says(clinic):
    pause = {"kind": "wait", "days": 1}
    journey = started({**MESSAGE, "if_not_sent": "s4"}, pause, {**WAIT_3_DAYS, "silence": "end"}, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)
    [planned] = messages()

    blocked = event(
        "message.blocked", who, NOW, origin="journey", origin_id=str(only(journey).pk), message_id=str(planned["id"])
    )
    handlers.take([blocked], now=NOW)
    run_all_due(journey, NOW + DAY)

    assert history(only(journey))[1:] == [("s2", "waited", ""), ("s3", "not_sent", ""), ("s4", "tasked", "")]


def test_a_visit_that_was_booked_cancelled_or_missed_is_no_visit_until_it_took_place(clinic):
    journey = started(MESSAGE, WAIT_3_DAYS, CALL)
    who = person()
    enroll(journey, who)
    run_all_due(journey)
    later = NOW + DAY
    for status in ("planned", "cancelled", "noshow", "entered-in-error"):
        visit = sql.value(
            "insert into records_encounter (patient_id, status, started_at, recorded_at) values (%s, %s, %s, %s) returning id",
            [who, status, later, NOW],
        )
        handlers.take([event("encounter.recorded", who, later, historical=True, record_id=str(visit))], now=NOW)

    assert (only(journey).visited_at, only(journey).goal_at, only(journey).state) == (None, None, "ACTIVE")

    sql.execute("update records_encounter set status = 'finished' where id = %s", [visit])
    handlers.take([event("record.updated", who, later, historical=True, record="encounter", count=1)], now=later)

    assert (only(journey).visited_at, only(journey).goal_at, only(journey).exit_reason) == (later, later, "goal")
