"""The order of a queue and the honesty of an estimate, without a database."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.waitingroom.rules import (
    Rules,
    Standing,
    Times,
    consultation_times,
    estimated_wait,
    in_order,
    is_callable,
    next_in_round,
    quantile,
)

NINE = datetime(2026, 3, 17, 9)
MINUTE = timedelta(minutes=1)


def one(number, *, walk_in=False, state="WAITING", since=0, planned=None, **more):
    at = NINE + (number * 5 if planned is None else planned) * MINUTE
    return Standing(number, state, number, walk_in, at, NINE + since * MINUTE, **more)


def numbers(tickets, rules=None, *, turn=10, place=0, now=NINE):
    return [
        ticket.number
        for ticket in in_order(tickets, rules or Rules(order="NUMBER"), turn=turn, place_in_round=place, now=now)
    ]


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ([one(3), one(1), one(2)], [1, 2, 3]),
        ([one(1), one(2, priority=1), one(3, priority=2)], [3, 2, 1]),
        ([one(1), one(2, state="HELD"), one(3, state="CALLED"), one(4, state="IN_ROOM")], [1]),
        ([one(1, state="MISSED", missed_count=1, due_turn=12), one(2), one(3), one(4)], [2, 3, 1, 4]),
        ([one(1, state="MISSED", missed_count=1, due_turn=30), one(2)], [2, 1]),
        ([one(1, due_turn=10), one(2, due_turn=10, since=1), one(3)], [1, 2, 3]),
        ([one(1, rejoined_at=NINE), one(2), one(3, rejoined_at=NINE - MINUTE)], [2, 3, 1]),
        ([one(1, due_turn=10), one(2, priority=1), one(3)], [2, 1, 3]),
        ([one(1, is_transferred=True, since=2), one(9), one(2, is_transferred=True, since=1)], [9, 2, 1]),
    ],
)
def test_who_is_called_when(given_, wanted):
    assert numbers(given_) == wanted


@pytest.mark.parametrize(("place", "wanted"), [(0, [1, 3, 2, 5, 4]), (1, [1, 2, 3, 5, 4]), (2, [2, 1, 3, 4, 5])])
def test_a_round_goes_on_where_it_stood(place, wanted):
    rule = Rules(order="RATIO", booked_in_turn=2, walk_ins_in_turn=1)
    tickets = [one(1), one(3), one(5), one(2, walk_in=True), one(4, walk_in=True, since=1)]

    assert numbers(tickets, rule, place=place) == wanted


def test_booked_patients_at_their_time_walk_ins_in_between():
    rule = Rules(order="BOOKED_FIRST")
    tickets = [one(1, planned=0), one(3, planned=10), one(2, walk_in=True), one(4, walk_in=True, since=5)]

    assert numbers(tickets, rule, now=NINE) == [1, 2, 4, 3]
    assert numbers(tickets, rule, now=NINE + 10 * MINUTE) == [1, 3, 2, 4]


tickets_strategy = st.lists(
    st.builds(
        one,
        st.integers(1, 60),
        walk_in=st.booleans(),
        state=st.sampled_from(["WAITING", "MISSED", "HELD", "CALLED", "IN_ROOM"]),
        since=st.integers(0, 120),
        priority=st.sampled_from([0, 0, 0, 1, 2]),
        due_turn=st.none() | st.integers(0, 40),
        rejoined_at=st.none() | st.just(NINE),
        missed_count=st.integers(0, 3),
        is_transferred=st.booleans(),
    ),
    max_size=25,
    unique_by=lambda ticket: ticket.number,
)
rules_strategy = st.builds(
    Rules,
    order=st.sampled_from(["BOOKED_FIRST", "RATIO", "NUMBER"]),
    booked_in_turn=st.integers(1, 4),
    walk_ins_in_turn=st.integers(1, 4),
    missed=st.sampled_from(["AFTER_N", "END_OF_LIST", "RECHECKIN_REQUIRED"]),
    missed_times=st.integers(1, 3),
)


@given(tickets_strategy, rules_strategy, st.integers(0, 40), st.integers(0, 120))
def test_everybody_who_may_be_called_stands_in_the_order_once_and_priority_first(tickets, rule, turn, minutes):
    place = turn % (rule.booked_in_turn + rule.walk_ins_in_turn)
    found = in_order(tickets, rule, turn=turn, place_in_round=place, now=NINE + minutes * MINUTE)

    assert sorted(ticket.number for ticket in found) == sorted(
        ticket.number for ticket in tickets if is_callable(ticket, rule)
    )
    priorities = [ticket.priority for ticket in found]
    assert priorities == sorted(priorities, reverse=True)


@given(rules_strategy, st.lists(st.booleans(), max_size=30))
def test_the_place_in_a_round_stays_within_it(rule, kinds):
    place = 0
    for is_walk_in in kinds:
        place = next_in_round(place, is_walk_in=is_walk_in, rules=rule)
        assert 0 <= place < rule.booked_in_turn + rule.walk_ins_in_turn


@given(tickets_strategy)
def test_a_returning_one_waits_at_most_as_many_calls_as_the_rule_says(tickets):
    """Whoever stands in the way: two returning at the same turn, priority, an empty queue."""
    found = in_order(tickets, Rules(order="NUMBER", missed_times=9), turn=10, place_in_round=0, now=NINE)
    ahead = sum(1 for ticket in found if ticket.priority)
    returning = sorted(ticket.due_turn for ticket in found if ticket.due_turn is not None and not ticket.rejoined_at)
    for place, ticket in enumerate(found):
        if ticket.due_turn is not None and not ticket.rejoined_at and not ticket.priority:
            before = sum(1 for due in returning if due <= ticket.due_turn)
            assert place <= ahead + max(0, ticket.due_turn - 10) + before


# -- estimates ---------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(1, 60), min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_lies_within_the_values(values, share):
    assert min(values) - 1e-9 <= quantile(values, share) <= max(values) + 1e-9


def test_little_data_falls_back_to_the_plan_and_says_so():
    assert consultation_times([12, 14, 9], planned=5) == Times(2.0, 5.0, 9.0)
    mixed = consultation_times([12], of_all=[4, 5, 6, 7, 8, 9, 10, 12], planned=5)
    assert (mixed.is_learned, mixed.middle) == (True, 7.5)


def test_a_first_visit_ahead_makes_the_wait_longer():
    first, again = Times(10, 15, 25, 60), Times(3, 5, 9, 60)

    assert estimated_wait([first, again]).high > estimated_wait([again, again]).high


def test_two_rooms_halve_it():
    five = [Times(4, 6, 10, 60)] * 10

    assert estimated_wait(five, rooms=2).high <= estimated_wait(five).high // 2 + 5


def test_a_consultation_that_outlasts_its_plan_does_not_make_the_wait_negative():
    times = Times(3, 5, 9, 60)

    assert estimated_wait([], current=[(times, 40)]).high >= 5


@pytest.mark.parametrize("ahead", [1, 3, 8, 15])
def test_the_range_is_honest(ahead):
    """Skewed consultations (log-normal, as clinics have them): about eight in ten waits end within the range."""
    dice = random.Random(ahead)

    def consultation():
        return min(90.0, dice.lognormvariate(1.7, 0.6))

    hits, trials = 0, 1500
    for _ in range(trials):
        times = consultation_times([consultation() for _ in range(60)], planned=5)
        wait = estimated_wait([times] * ahead)
        hits += wait.low <= sum(consultation() for _ in range(ahead)) <= wait.high

    assert 0.75 <= hits / trials <= 0.99
