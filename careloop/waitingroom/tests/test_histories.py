"""Random days of a queue against a simple model: no ticket is lost, nobody is called twice at once, one patient a room."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from careloop.kernel import sql
from careloop.scheduling.models import Resource
from careloop.scheduling.tests.make import clinic, offers, practitioner
from careloop.waitingroom import errors, services
from careloop.waitingroom.models import Call, Ticket
from careloop.waitingroom.queues import lock, order_of
from careloop.waitingroom.tests.make import START, booked, numbers, rules, walk_in

MINUTE = timedelta(minutes=1)
AHEAD = {"WAITING", "MISSED"}


class Day(RuleBasedStateMachine):
    """What staff do in any order; `known` is the model: ticket → the state it must have."""

    def __init__(self):
        super().__init__()
        self.now = START
        self.known = {}
        self.calls = 0
        self.block = transaction.atomic()
        self.block.__enter__()

    @initialize(
        order=st.sampled_from(["BOOKED_FIRST", "RATIO", "NUMBER"]),
        missed=st.sampled_from(["AFTER_N", "END_OF_LIST", "RECHECKIN_REQUIRED"]),
        after=st.integers(1, 3), times=st.integers(1, 3), near=st.integers(1, 3),
    )  # fmt: skip
    def opens(self, order, missed, after, times, near):
        rules(order=order, missed=missed, missed_after=after, missed_times=times, near=near)
        self.where = clinic()
        other = practitioner("陳建志")
        offers(self.where.service, other)
        self.sessions = [numbers(self.where)[1], numbers(self.where, practitioner=other, room=None)[1]]
        self.rooms = [
            self.where.room.pk,
            Resource.objects.create(kind="ROOM", name="2 診", location=self.where.location).pk,
            None,
        ]

    def teardown(self):
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    # -- what staff do

    @rule(session=st.integers(0, 1), is_walk_in=st.booleans())
    def comes(self, session, is_walk_in):
        if len(self.known) >= 14:
            return
        if is_walk_in:
            ticket = walk_in(self.where, self.sessions[session], now=self.now)
        else:
            made = booked(self.where, self.sessions[session])
            ticket = services.check_in(appointment_id=made.pk, how="DESK", now=self.now, by=None)
        self.known[ticket["id"]] = "WAITING"

    @rule(session=st.integers(0, 1), room=st.integers(0, 2))
    def next(self, session, room):
        held, room_id = self.sessions[session], self.rooms[room]
        expected = order_of(lock(held.pk, now=self.now), now=self.now)
        try:
            called = services.call_next(session_id=held.pk, room_id=room_id, now=self.now, by=None)
        except errors.NobodyWaits:
            assert expected == []
        except errors.RoomBusy:
            in_front = Ticket.objects.filter(state__in=("CALLED", "IN_ROOM"))
            assert (in_front.filter(room_id=room_id) if room_id else in_front.filter(room=None, session=held)).exists()
        else:
            assert self.known[called["id"]] in AHEAD
            assert called["id"] == expected[0].id
            self.known[called["id"]] = "CALLED"
            self.calls += 1

    def pick(self, data_index, *states):
        able = sorted(one for one, state in self.known.items() if state in states)
        return able[data_index % len(able)] if able else None

    def does(self, index, service, before, after, **more):
        """One service on one ticket in one of these states: it must work. On any other one it is refused and changes nothing."""
        ticket = self.pick(index, *before)
        if ticket is not None:
            service(ticket_id=ticket, now=self.now, by=None, **more)
            self.known[ticket] = after
        other = self.pick(index, *(set(self.known.values()) - set(before) - {after}))
        if other is not None:
            with pytest.raises(errors.NotNow):
                service(ticket_id=other, now=self.now, by=None, **more)

    @rule(index=st.integers(0, 50))
    def nobody_came(self, index):
        self.does(index, services.skip, ["CALLED"], "MISSED")

    @rule(index=st.integers(0, 50))
    def comes_in(self, index):
        self.does(index, services.start, ["CALLED"], "IN_ROOM")

    @rule(index=st.integers(0, 50))
    def is_seen(self, index):
        self.does(index, services.finish, ["CALLED", "IN_ROOM"], "DONE")

    @rule(index=st.integers(0, 50))
    def goes_to_tests(self, index):
        self.does(index, services.hold, ["WAITING", "MISSED", "CALLED", "IN_ROOM"], "HELD", held_for="抽血")

    @rule(index=st.integers(0, 50))
    def is_back_from_tests(self, index):
        ticket = self.pick(index, "HELD")
        if ticket:
            services.resume(ticket_id=ticket, now=self.now, by=None)
            self.known[ticket] = "WAITING"

    @rule(index=st.integers(0, 50), priority=st.integers(0, 2))
    def goes_first(self, index, priority):
        ticket = self.pick(index, "WAITING", "MISSED", "HELD")
        if ticket:
            services.prioritise(ticket_id=ticket, priority=priority, now=self.now, by=None)

    @rule(index=st.integers(0, 50), place=st.sampled_from(["next", "turn", "end"]))
    def goes_to_the_other_one(self, index, place):
        ticket = self.pick(index, "WAITING", "MISSED", "HELD", "CALLED", "IN_ROOM")
        if ticket:
            there = next(one.pk for one in self.sessions if one.pk != Ticket.objects.get(pk=ticket).session_id)
            services.transfer(ticket_id=ticket, session_id=there, place=place, now=self.now, by=None)
            self.known[ticket] = "WAITING"

    @rule(index=st.integers(0, 50))
    def goes_home(self, index):
        self.does(index, services.leave, ["WAITING", "MISSED", "HELD", "CALLED", "IN_ROOM"], "LEFT")

    @rule(index=st.integers(0, 50))
    def checks_in_again(self, index):
        ticket = self.pick(index, "MISSED", "LEFT", "HELD", "WAITING", "CALLED")
        if ticket:
            was = self.known[ticket]
            appointment = Ticket.objects.get(pk=ticket).appointment_id
            services.check_in(appointment_id=appointment, how="DESK", now=self.now, by=None)
            self.known[ticket] = was if was == "CALLED" else "WAITING"

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes):
        self.now += minutes * MINUTE

    # -- what is always true

    @precondition(lambda self: hasattr(self, "sessions"))
    @invariant()
    def nobody_is_lost_and_each_is_where_the_model_says(self):
        assert dict(Ticket.objects.values_list("pk", "state")) == self.known

    @precondition(lambda self: hasattr(self, "sessions"))
    @invariant()
    def one_patient_a_room_and_one_number_a_person(self):
        front = list(Ticket.objects.filter(state__in=("CALLED", "IN_ROOM")).values_list("room_id", "session_id"))
        places = [room or session for room, session in front]
        assert len(places) == len(set(places))
        shown = list(Ticket.objects.exclude(state__in=("LEFT", "EXPECTED")).values_list("session_id", "label"))
        assert len(shown) == len(set(shown))

    @precondition(lambda self: hasattr(self, "sessions"))
    @invariant()
    def a_turn_is_one_call_and_all_are_kept(self):
        assert Call.objects.filter(kind="FIRST").count() == self.calls
        assert sql.value("select coalesce(sum(turn), 0) from waitingroom_queue") == self.calls

    @precondition(lambda self: hasattr(self, "sessions"))
    @invariant()
    def nobody_is_told_twice_for_one_check_in(self):
        assert not sql.rows(
            """select 1 from events_event where kind = 'queue.turn_near'
                group by payload->>'ticket_id' having count(*) > (
                    select count(*) from events_event c where c.kind in ('queue.checked_in', 'queue.resumed', 'queue.transferred')
                       and c.payload->>'ticket_id' = min(events_event.payload->>'ticket_id'))"""
        )


@pytest.mark.slow
def test_random_days_keep_every_promise(organization):
    run_state_machine_as_test(
        Day,
        settings=settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )
