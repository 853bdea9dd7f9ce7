"""Whatever the path and whatever happens on it: nobody is stuck, nothing happens twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.journeys import handlers, services
from careloop.journeys.definition import Known, problems_of
from careloop.journeys.models import Enrollment, Journey
from careloop.journeys.tests.support import NOW, enroll, event, open_line, person, run_all_due
from careloop.kernel import sql

ANSWERS = ["YES", "NO", "DONE", "STOP", "CALL_ME", ""]
CONDITIONS: list[dict[str, Any]] = [
    {"kind": "visited"},
    {"kind": "answer", "answers": ["YES"]},
    {"kind": "rule", "rule": {"all": []}},
]


@st.composite
def paths(draw: Any) -> list[dict[str, Any]]:
    """A path of any steps whose ways lead down."""
    count = draw(st.integers(1, 7))
    steps = []
    for number in range(1, count + 1):
        below = ["next", "end", *(f"s{later}" for later in range(number + 1, count + 1))]
        way = st.sampled_from(below)
        kind = draw(st.sampled_from(["message", "wait", "wait_reply", "branch", "follow_up", "exit"]))
        step: dict[str, Any] = {"id": f"s{number}", "kind": kind}
        if kind == "message":
            step |= {"template": "recall", "if_not_sent": draw(way)}
        elif kind == "wait":
            step |= {
                "days": draw(st.integers(0, 9)),
                "hours": draw(st.integers(1, 9)),
                "until": draw(st.sampled_from(["", "10:00"])),
            }
        elif kind == "wait_reply":
            answers = {code: draw(way) for code in draw(st.sets(st.sampled_from(["YES", "NO", "DONE"])))}
            step |= {"days": draw(st.integers(1, 9)), "answers": answers, "other": draw(way), "silence": draw(way)}
        elif kind == "branch":
            step |= {"if": draw(st.sampled_from(CONDITIONS)), "yes": draw(way), "no": draw(way)}
        elif kind == "follow_up":
            step |= {"title": "打電話"}
        steps.append(step)
    return steps


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["days", "answer", "sent", "blocked", "visit", "refuse", "pause", "resume", "again", "replay"]),
        st.integers(0, 2), st.integers(0, 6),
    ),
    max_size=12,
)  # fmt: skip


@pytest.fixture
def people(organization: Any) -> list[Any]:
    open_line()
    return [person("一"), person("二", line="U" + "2" * 32), person("三", line="")]


@settings(max_examples=40)
@given(steps=paths(), happenings=HAPPENINGS, held_out=st.sampled_from([0, 0, 50]))
def test_nobody_is_stuck_and_nothing_happens_twice(
    people: list[Any], steps: Any, happenings: Any, held_out: int
) -> None:
    with transaction.atomic():
        _play(people, steps, happenings, held_out)
        transaction.set_rollback(True)


def _play(people: list[Any], steps: list[dict[str, Any]], happenings: Any, held_out: int) -> None:
    definition = {
        "trigger": {"kind": "event", "event": "patient.registered"}, "hold_out_percent": held_out, "again_after_days": 20,
        "steps": steps,
    }  # fmt: skip
    assert problems_of(definition, known=Known()) == []
    journey = services.create_journey(name="旅程", definition=definition, now=NOW, by=None)
    services.start(journey_id=journey.pk, version=1, now=NOW, by=None)
    journey = Journey.objects.get(pk=journey.pk)
    enroll(journey, *people)
    now, past = NOW, []
    for what, who, number in happenings:
        run_all_due(journey, now)
        now += timedelta(minutes=1)
        if what == "days":
            now += timedelta(days=number)
        elif what == "pause":
            services.pause(journey_id=journey.pk, now=now, by=None)
        elif what == "resume":
            services.resume(journey_id=journey.pk, now=now, by=None)
        elif what == "again":
            enroll(journey, people[who], now=now)
        elif what == "replay":
            handlers.take(past, now=now)
        else:
            past += _happens(journey, people[who], what, number, now)
    services.resume(journey_id=journey.pk, now=now, by=None)
    for _week in range(30):
        run_all_due(journey, now)
        now += timedelta(days=7)

    _check(journey)


def _happens(journey: Journey, patient_id: Any, what: str, number: int, now: Any) -> list[Any]:
    last = Enrollment.objects.filter(journey=journey, patient_id=patient_id).order_by("-round").first()
    message = sql.value(
        "select id from messaging_message where patient_id = %s order by planned_at desc, key desc limit 1",
        [patient_id],
    )
    about = {"origin": "journey", "origin_id": str(last.pk), "message_id": str(message)} if last and message else {}
    events = {
        "answer": lambda: event("message.received", patient_id, now, answer=ANSWERS[number % 6], **about),
        "sent": lambda: event("message.sent", patient_id, now, **about),
        "blocked": lambda: event("message.blocked", patient_id, now, **about),
        "visit": lambda: event("encounter.recorded", patient_id, now),
        "refuse": lambda: event("consent.withdrawn", patient_id, now, purpose="CARE", channel="any"),
    }
    one = events[what]()
    handlers.take([one], now=now)
    return [one]


def _check(journey: Journey) -> None:
    found = sql.rows(
        """select e.id, e.patient_id, e.state, e.exit_reason, e.held_out, e.moves,
                  (select count(*) from journeys_enrollment_step s where s.enrollment_id = e.id) as steps,
                  (select coalesce(max(s.number), 0) from journeys_enrollment_step s where s.enrollment_id = e.id) as last,
                  (select count(*) from messaging_message m where m.origin = 'journey' and m.origin_id = e.id::text) as messages,
                  (select count(*) from journeys_enrollment_step s where s.enrollment_id = e.id and s.message_id is not null) as kept,
                  (select count(*) from followups_follow_up f where f.origin = 'journey' and split_part(f.origin_id, ':', 1) = e.id::text) as tasks,
                  (select count(*) from journeys_enrollment_step s where s.enrollment_id = e.id and s.follow_up_id is not null) as tasked
             from journeys_enrollment e where e.journey_id = %s""",
        [journey.pk],
    )
    for one in found:
        assert one["state"] in ("DONE", "LEFT"), "nobody is stuck"
        assert one["exit_reason"], "everybody's end has a reason"
        effects, kept = (one["messages"], one["tasks"]), (one["kept"], one["tasked"])
        assert effects == kept, "every effect is in the history, once"
        if one["held_out"]:
            assert (one["moves"], one["messages"], one["tasks"]) == (0, 0, 0), "who is held out gets nothing"
        else:
            assert one["moves"] == one["steps"] == one["last"], "the history has every move, once, without a gap"
    exits = sql.rows(
        """select payload ->> 'enrollment_id' as id, count(*) as n from events_event
            where kind = 'journey.exited' and payload ->> 'journey_id' = %s group by 1""",
        [str(journey.pk)],
    )
    assert {row["n"] for row in exits} <= {1}
    assert len(exits) == len(found), "everybody left exactly once"
