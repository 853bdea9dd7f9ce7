"""A follow-up is opened once, worked on by one, and closed for good."""

from datetime import timedelta
from uuid import uuid4

import pytest

from careloop.events.registry import Published
from careloop.followups import errors, privacy, selectors, services
from careloop.followups.handlers import open_for
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.patients.tests.make import patient


def open_one(now, **more):
    return services.create(
        **{
            "patient_id": more.pop("patient_id", None) or patient(),
            "title": "打電話關心",
            "due_at": now,
            "now": now,
            "by": None,
            **more,
        }
    )


def kinds_told(patient_id):
    return [
        row["kind"]
        for row in sql.rows(
            "select kind from events_event where patient_id = %s and starts_with(kind, 'follow_up') order by id",
            [patient_id],
        )
    ]


def test_the_same_origin_opens_one_follow_up(organization, now):
    first = open_one(now, origin="message", origin_id="m1")

    again = open_one(now, patient_id=first.patient_id, origin="message", origin_id="m1")

    assert again.pk == first.pk
    assert kinds_told(first.patient_id) == ["follow_up.created"]


def test_staff_may_open_several_for_one_patient(organization, now):
    one = open_one(now)
    other = open_one(now, patient_id=one.patient_id)

    assert one.pk != other.pk


def test_a_follow_up_needs_a_title_and_an_owner_who_works_here(organization, now):
    with pytest.raises(errors.TitleMissing):
        open_one(now, title="　")
    with pytest.raises(errors.NotAMember):
        open_one(now, owner_id=uuid4())


def test_closing_twice_with_the_same_click_changes_nothing(organization, now, member_of):
    nurse = member_of("nurse")
    task = open_one(now)

    closed = services.close(follow_up_id=task.pk, outcome="REACHED", version=1, now=now, by=nurse.pk, note="約下週")
    again = services.close(follow_up_id=task.pk, outcome="REACHED", version=1, now=now, by=nurse.pk)

    assert (closed.state, again.version, again.outcome_note) == ("DONE", 2, "約下週")
    assert kinds_told(task.patient_id) == ["follow_up.created", "follow_up.done"]


def test_a_closed_follow_up_is_never_changed_again(organization, now, member_of):
    task = open_one(now)
    services.close(follow_up_id=task.pk, outcome="REACHED", version=1, now=now, by=None)

    for attempt in (
        lambda: services.close(follow_up_id=task.pk, outcome="DECLINED", version=2, now=now, by=None),
        lambda: services.snooze(follow_up_id=task.pk, until=now + timedelta(days=1), version=2, now=now, by=None),
    ):
        with pytest.raises(errors.AlreadyClosed):
            attempt()
    assert services.assign(follow_up_ids=[task.pk], owner_id=member_of("nurse").pk, now=now, by=None) == 0


def test_who_saw_an_older_version_is_told(organization, now):
    task = open_one(now)
    services.snooze(follow_up_id=task.pk, until=now + timedelta(hours=2), version=1, now=now, by=None)

    with pytest.raises(errors.ChangedMeanwhile):
        services.close(follow_up_id=task.pk, outcome="REACHED", version=1, now=now, by=None)


def test_an_attempt_without_an_answer_comes_back_and_is_counted(organization, now):
    task = open_one(now)

    put_off = services.snooze(
        follow_up_id=task.pk,
        until=now + timedelta(days=2),
        version=1,
        now=now,
        by=None,
        outcome="NO_ANSWER",
        note="沒人接",
    )

    assert (put_off.state, put_off.attempts, put_off.outcome) == ("OPEN", 1, "NO_ANSWER")
    counts = selectors.counts(now=now, tonight=now + timedelta(hours=12), me=None)
    assert (counts.due, counts.later) == (0, 1)


def test_nothing_is_put_off_into_the_past(organization, now):
    with pytest.raises(errors.UntilInPast):
        services.snooze(follow_up_id=open_one(now).pk, until=now, version=1, now=now, by=None)


def test_many_change_hands_at_once(organization, now, member_of):
    nurse = member_of("nurse")
    tasks = [open_one(now) for _ in range(3)]

    assert services.assign(follow_up_ids=[task.pk for task in tasks], owner_id=nurse.pk, now=now, by=nurse.pk) == 3
    assert selectors.counts(now=now, tonight=now, me=nurse.pk).mine == 3


def test_cancelled_follow_ups_say_why_and_stay(organization, now):
    task = open_one(now)

    assert services.cancel(follow_up_ids=[task.pk], reason="goal", now=now, by=None) == 1
    assert services.cancel(follow_up_ids=[task.pk], reason="goal", now=now, by=None) == 0
    assert FollowUp.objects.get(pk=task.pk).state == "CANCELLED"


def said(patient_id, answer, now, *, message_id=None, historical=False):
    payload = {"message_id": message_id or str(uuid4()), "answer": answer, "channel": "line"}
    return Published(1, "message.received", patient_id, now, now, "line", None, historical, payload)


def test_please_call_me_opens_a_call_and_an_emergency_an_urgent_one(organization, now):
    person = patient()
    batch = [
        said(person, "CALL_ME", now),
        said(person, "EMERGENCY", now),
        said(person, "YES", now),
        said(person, "", now),
    ]

    assert open_for(batch, now=now) == 2
    assert open_for(batch, now=now) == 0

    opened = {row["priority"]: row for row in selectors.of_patient(person)}
    assert set(opened) == {1, 2}
    assert "119" in opened[1]["script"]
    assert opened[1]["title"] == "可能是緊急狀況：請立刻致電"


def test_what_was_said_long_ago_opens_nothing(organization, now):
    person = patient()

    assert (
        open_for(
            [
                said(person, "CALL_ME", now - timedelta(days=30)),
                said(person, "CALL_ME", now, historical=True),
            ],
            now=now,
        )
        == 0
    )


def test_a_patient_can_have_their_follow_ups_exported_and_emptied(organization, now):
    task = open_one(now, script="問傷口")

    assert privacy.export(task.patient_id)["follow_ups"][0]["script"] == "問傷口"
    privacy.erase(task.patient_id)
    assert FollowUp.objects.get(pk=task.pk).title == "—"
