"""The day's numbers and what reaching out brought."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from careloop.followups import services as followups
from careloop.insights import selectors
from careloop.journeys import handlers
from careloop.journeys import selectors as journeys
from careloop.journeys.rules import TOO_FEW, difference, share
from careloop.journeys.tests.support import NOW, enroll, event, open_line, person, run_all_due, started
from careloop.kernel import sql
from careloop.records import services as records

TAIPEI = ZoneInfo("Asia/Taipei")
TONIGHT = NOW.replace(hour=15, minute=59)
DAY = timedelta(days=1)


def the_day():
    return selectors.today(now=NOW, tonight=TONIGHT, day=date(2026, 3, 16))


def test_an_empty_clinic_has_nothing_to_do(organization):
    numbers = the_day()

    assert (numbers.urgent, numbers.follow_ups.due, numbers.unanswered, numbers.failed, numbers.birthdays) == (
        0,
        0,
        0,
        0,
        0,
    )


def test_the_day_counts_what_waits(organization):
    open_line()
    born_today = person(birth_date=date(1980, 3, 16))
    sql.execute(
        "update facts_patient set stage = 2, registered_on = '2026-03-14', supply_ends_on = '2026-03-20', refills_left = 2"
    )
    followups.create(patient_id=born_today, title="急", priority=1, due_at=NOW, now=NOW, by=None)
    followups.create(patient_id=born_today, title="明天", due_at=NOW + DAY, now=NOW, by=None)

    numbers = the_day()

    assert (numbers.urgent, numbers.follow_ups.due, numbers.follow_ups.later) == (1, 1, 1)
    assert (numbers.birthdays, numbers.refills, numbers.new_patients) == (1, 1, 1)
    for what in selectors.LISTS:
        assert [row["id"] for row in selectors.patients_of(what, day=date(2026, 3, 16))] == [born_today]


def test_a_member_limited_to_other_locations_sees_none_of_them(organization):
    person(birth_date=date(1980, 3, 16))
    sql.execute("update facts_patient set stage = 2")

    limited = selectors.today(now=NOW, tonight=TONIGHT, day=date(2026, 3, 16), locations=[organization.id])

    assert limited.birthdays == 0


def test_from_the_message_to_the_visit(organization):
    open_line()
    journey = started({"kind": "message", "template": "recall"})
    who, silent = person(), person("陳怡君", line="U" + "2" * 32)
    enroll(journey, who, silent)
    run_all_due(journey)
    sql.execute("update messaging_message set state = 'accepted', accepted_at = %s", [NOW])
    sql.execute("update messaging_message set answered_at = %s where patient_id = %s", [NOW, who])
    sql.execute(
        """insert into records_encounter (patient_id, status, started_at, recorded_at) values (%s, 'finished', %s, %s)""",
        [who, NOW + DAY, NOW + DAY],
    )

    reach = selectors.reach(since=NOW - DAY, until=NOW + DAY)

    assert (reach.planned, reach.sent, reach.answered, reach.patients, reach.visited) == (2, 2, 1, 2, 1)
    weeks = selectors.by_week(since=NOW - 14 * DAY, until=NOW + DAY, zone=TAIPEI)
    assert [(row["sent"], row["answered"]) for row in weeks][-1] == (2, 1)
    assert len(weeks) == 3
    assert selectors.by_template(since=NOW - DAY, until=NOW + DAY)[0]["answered"] == 1


def test_messages_that_were_not_sent_say_why(organization):
    open_line()
    journey = started({"kind": "message", "template": "recall"})
    enroll(journey, person(line=""))
    run_all_due(journey)

    assert selectors.not_sent_reasons(since=NOW - DAY, until=NOW + 2 * DAY) == [{"reason": "no_contact", "n": 1}]


def test_a_journey_is_compared_with_doing_nothing(organization):
    journey = started({"kind": "wait", "days": 3}, hold_out_percent=50)
    people = [person(f"病友{n}", line=f"U{n:032d}") for n in range(16)]
    enroll(journey, *people)
    held = [row["patient_id"] for row in sql.rows("select patient_id from journeys_enrollment where held_out")]
    treated = [one for one in people if one not in held]
    handlers.take([event("encounter.recorded", one, NOW + DAY) for one in treated], now=NOW + DAY)

    results = journeys.results(now=NOW + DAY, journey_id=journey.pk)

    assert (results.entered, results.goals, results.held_out, results.held_out_goals) == (
        len(treated),
        len(treated),
        len(held),
        0,
    )
    assert results.effect.value == 1.0
    assert results.effect.verdict == "too_few", "under thirty in a group nobody says that it works"
    [(named, same)] = journeys.by_journey(now=NOW + DAY)
    assert (named["name"], same.goals) == ("旅程", results.goals)


def test_a_verdict_needs_thirty_in_each_group():
    assert difference(share(20, TOO_FEW), share(2, TOO_FEW)).verdict == "better"
    assert difference(share(2, TOO_FEW), share(20, TOO_FEW)).verdict == "worse"
    assert difference(share(10, TOO_FEW), share(9, TOO_FEW)).verdict == "unclear"
    assert difference(share(20, TOO_FEW - 1), share(2, 99)).verdict == "too_few"


def test_records_know_the_states_that_are_no_visit():
    assert records is not None
    from careloop.facts.services import NO_VISIT

    assert set(selectors.NO_VISIT) == set(NO_VISIT)
