"""Random histories of a small schedule: one person's after another against a simple model, and many people's at once."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.patients.tests.make import patient
from careloop.scheduling import errors, places, services, sessions
from careloop.scheduling.models import HOLDS, Appointment, Session
from careloop.scheduling.places import Place
from careloop.scheduling.tests.make import MORNING, NOW, Clinic, clinic, offers, practitioner, session
from careloop.scheduling.tests.test_contention import Outcome, many_patients, rush
from careloop.tenancy.context import in_organization

HALF = timedelta(minutes=30)
PEOPLE, NUMBERS = 4, 3
TURNS = st.integers(0, 3)
WHO = st.integers(0, PEOPLE - 1)


class Over(Exception):
    """A history has come to its end."""


def test_a_random_history_agrees_with_a_simple_model(committed_organization: Any):
    """Two hours by time and three numbers, four people; the model is a dictionary."""

    class History(RuleBasedStateMachine):
        @initialize()
        def open_the_clinic(self) -> None:
            self.scope = in_organization(committed_organization.id)
            self.scope.__enter__()
            self.where = clinic()
            self.by_time = session(self.where, hours=2)
            # in the evening, so that a number never overlaps with a time
            self.by_number = session(
                self.where, starts_at=MORNING + timedelta(hours=9), mode="NUMBERS", numbers=NUMBERS
            )
            self.people = [patient(f"病人{turn}") for turn in range(PEOPLE)]
            self.taken: dict[datetime | int, tuple[UUID, int]] = {}  # place → appointment, person
            self.held: dict[UUID, datetime] = {}
            self.gone: set[UUID] = set()
            self.now = NOW
            self.closed = False

        def teardown(self) -> None:
            if hasattr(self, "scope"):
                self.scope.__exit__(Over, Over(), None)  # rolled back: each history has the clinic to itself

        def may_have(self, at: datetime, who: int, *, moving: UUID | None = None) -> str:
            self._forget_old_holds_for(at)
            others = {place: one for place, one in self.taken.items() if one[0] != moving}
            if self.closed:
                return errors.SessionClosed.code
            if any(place == at and person == who for place, (_id, person) in others.items()):
                return errors.PatientBusy.code
            return errors.PlaceTaken.code if at in others else ""

        def _forget_old_holds_for(self, at: datetime) -> None:
            """A hold that ran out gives way when somebody asks; until then its owner can still have it."""
            if at not in self.taken:
                return
            mine = self.taken[at][0]
            if mine in self.held and self.held[mine] <= self.now and not self.closed:
                # asking in this session frees every old hold in it
                for place, (one, _person) in list(self.taken.items()):
                    if isinstance(place, datetime) and one in self.held and self.held[one] <= self.now:
                        del self.taken[place]
                        del self.held[one]
                        self.gone.add(one)

        @rule(turn=TURNS, who=WHO, holding=st.booleans())
        def book_a_time(self, turn: int, who: int, holding: bool) -> None:
            at = MORNING + HALF * turn
            expected = self.may_have(at, who)
            more = {"state": "pending", "held_until": self.now + services.HOLD} if holding else {}
            try:
                made = self._book(Place(self.by_time.pk, at), who, **more)
            except DomainError as refused:
                said = refused.code
            else:
                said = ""
                self.taken[at] = (made.pk, who)
                if holding:
                    self.held[made.pk] = self.now + services.HOLD
            assert said == expected

        @rule(who=WHO)
        def book_a_number(self, who: int) -> None:
            mine = any(isinstance(place, int) and person == who for place, (_id, person) in self.taken.items())
            free = [number for number in range(1, NUMBERS + 1) if number not in self.taken]
            try:
                made = self._book(Place(self.by_number.pk), who)
            except errors.PatientBusy:
                assert mine
            except errors.SessionFull:
                assert not free
            else:
                assert (made.number, mine) == (free[0], False)
                self.taken[made.number] = (made.pk, who)

        @rule(turn=TURNS, index=st.integers(0, 9))
        def move(self, turn: int, index: int) -> None:
            chosen = self._one_of(index)
            if chosen is None:
                return
            place, (appointment, who) = chosen
            at = MORNING + HALF * turn
            expected = "held" if appointment in self.held else self.may_have(at, who, moving=appointment)
            try:
                services.move(
                    appointment_id=appointment, place=Place(self.by_time.pk, at), now=self.now, by=None,
                    version=Appointment.objects.get(pk=appointment).version,
                )  # fmt: skip
            except DomainError:
                assert expected
                return
            assert expected == ""
            del self.taken[place]
            self.taken[at] = (appointment, who)

        @rule(index=st.integers(0, 9))
        def cancel(self, index: int) -> None:
            chosen = self._one_of(index)
            if chosen is None:
                return
            place, (appointment, _who) = chosen
            services.cancel(appointment_id=appointment, reason="patient", now=self.now, by=None)
            del self.taken[place]
            self.held.pop(appointment, None)
            self.gone.add(appointment)

        @rule(index=st.integers(0, 9))
        def keep(self, index: int) -> None:
            waiting = sorted(self.held, key=str)
            if not waiting:
                return
            chosen = waiting[index % len(waiting)]
            assert services.keep(appointment_id=chosen, now=self.now, by=None).state == "booked"
            del self.held[chosen]

        @rule(minutes=st.sampled_from([5, 16]))
        def time_passes(self, minutes: int) -> None:
            self.now += timedelta(minutes=minutes)

        @rule()
        def the_clock_frees_old_holds(self) -> None:
            old = [one for one, until in self.held.items() if until <= self.now]
            assert places.release_holds(now=self.now) == len(old)
            self.taken = {place: one for place, one in self.taken.items() if one[0] not in old}
            for one in old:
                del self.held[one]
                self.gone.add(one)

        @rule()
        def close_the_morning(self) -> None:
            mornings = [place for place in self.taken if isinstance(place, datetime)]
            count = sessions.close_session(session_id=self.by_time.pk, reason="", now=self.now, by=None)
            assert count == (0 if self.closed else len(mornings))
            for place in mornings:
                appointment, _who = self.taken.pop(place)
                self.held.pop(appointment, None)
                self.gone.add(appointment)
            self.closed = True

        @rule()
        def open_it_again(self) -> None:
            sessions.reopen_session(session_id=self.by_time.pk, now=self.now, by=None)
            self.closed = False

        @invariant()
        def the_table_is_the_model(self) -> None:
            if not hasattr(self, "where"):
                return
            found = {
                (one.number if one.number is not None else one.starts_at): (one.pk, self.people.index(one.patient_id))
                for one in Appointment.objects.filter(session__in=[self.by_time, self.by_number], state__in=HOLDS)
            }
            assert found == self.taken
            assert not Appointment.objects.filter(pk__in=self.gone).exclude(state="cancelled").exists()

        def _book(self, place: Place, who: int, **more: Any) -> Appointment:
            return services.book(
                patient_id=self.people[who], service_id=self.where.service.pk, place=place, source="desk", key="", now=self.now,
                by=None, **more,
            )  # fmt: skip

        def _one_of(self, index: int) -> tuple[datetime | int, tuple[UUID, int]] | None:
            there = sorted(self.taken.items(), key=lambda item: str(item[0]))
            return there[index % len(there)] if there else None

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        History,
        settings=settings(max_examples=20, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )


# -- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_concurrent_random_histories_keep_every_rule(committed_organization: Any):
    """Four processes book, move, cancel, confirm, close and substitute at random in the same few sessions."""
    with in_organization(committed_organization.id):
        where = clinic()
        colleague = practitioner("王醫師")
        offers(where.service, colleague)
        open_ones = [
            session(where), session(where, practitioner=colleague, room=None, starts_at=MORNING + timedelta(days=1)),
            session(where, mode="NUMBERS", numbers=8, starts_at=MORNING + timedelta(hours=9)),
        ]  # fmt: skip
        people = many_patients(12)

    found = rush(
        committed_organization.id,
        [
            [
                one_move(random.Random(1000 * process + turn), where, open_ones, people, colleague.pk)
                for turn in range(150)
            ]
            for process in range(4)
        ],
    )

    assert sum(found.values()) == 600
    assert found["booked", 0] > 20
    assert found["moved", 0] > 5
    with in_organization(committed_organization.id):
        assert broken_rules() == []
        assert lives_that_the_log_tells_otherwise() == []


def one_move(
    chance: random.Random, where: Clinic, open_ones: list[Session], people: list[UUID], colleague: UUID
) -> Callable[[], Outcome]:
    def place() -> Place:
        held = chance.choice(open_ones)
        return Place(held.pk, held.starts_at + HALF * chance.randint(0, 5) if held.mode == "SLOTS" else None)

    def act() -> Outcome:
        what = chance.choices(["book", "move", "cancel", "confirm", "close", "substitute"], [10, 6, 5, 3, 0.3, 0.3])[0]
        try:
            if what == "book":
                services.book(patient_id=chance.choice(people), service_id=where.service.pk, place=place(), source="desk", key="",
                              now=NOW, by=None)  # fmt: skip
                return "booked", 0
            if what == "close":
                held = chance.choice(open_ones)
                sessions.close_session(session_id=held.pk, reason="", now=NOW, by=None)
                sessions.reopen_session(session_id=held.pk, now=NOW, by=None)
                return "closed", 0
            if what == "substitute":
                sessions.substitute(
                    session_id=open_ones[0].pk,
                    practitioner_id=chance.choice([colleague, where.physician.pk]),
                    now=NOW,
                    by=None,
                )
                return "substituted", 0
            seen = sql.row(
                "select id, version from scheduling_appointment where state = 'booked' order by random() limit 1"
            )
            if seen is None:
                return "nothing", 0
            if what == "move":
                services.move(appointment_id=seen["id"], place=place(), version=seen["version"], now=NOW, by=None)
                return "moved", 0
            doing = services.cancel if what == "cancel" else services.confirm
            doing(appointment_id=seen["id"], now=NOW, by=None, **({"reason": "patient"} if what == "cancel" else {}))  # type: ignore[operator]
            return what, 0
        except DomainError as refused:
            return refused.code, 0

    return act


def broken_rules() -> list[Any]:
    """Two in one place, as plain SQL sees it, without trusting any constraint."""
    return sql.rows(
        """select a.id, b.id as other from scheduling_appointment a join scheduling_appointment b on a.id < b.id
            where a.state = any(%(holds)s) and b.state = any(%(holds)s) and (
                  (a.session_id = b.session_id and a.number = b.number)
               or (a.starts_at < b.ends_at and b.starts_at < a.ends_at and (
                      a.patient_id = b.patient_id
                   or (a.number is null and b.number is null and (a.practitioner_id = b.practitioner_id or a.room_id = b.room_id)))))""",
        {"holds": list(HOLDS)},
    )


def lives_that_the_log_tells_otherwise() -> list[Any]:
    """Appointments whose last event says something else than their row."""
    return sql.rows(
        """select a.id, a.state, a.starts_at, e.kind, e.payload from scheduling_appointment a
             cross join lateral (select kind, payload from events_event
                                  where payload ->> 'appointment_id' = a.id::text and kind <> 'appointment.confirmed'
                                  order by id desc limit 1) e
            where (a.state = 'cancelled') <> (e.kind = 'appointment.cancelled')
               or (e.payload ->> 'starts_at')::timestamptz <> a.starts_at or (e.payload ->> 'sequence')::int <> a.sequence"""
    )
