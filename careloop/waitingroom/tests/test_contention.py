"""Many consoles at once, each with a connection of its own, against the real database."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling.models import Resource
from careloop.tenancy.context import in_organization
from careloop.waitingroom import errors, services
from careloop.waitingroom.models import Ticket
from careloop.waitingroom.tests.make import START, booked, here, numbers

CONSOLES = 8


def at_once(organization, *works):
    """Do all of `works` at the same moment and return what each answered or refused."""
    start = Barrier(len(works))

    def run(work):
        try:
            start.wait(timeout=30)
            with in_organization(organization.id):
                return work()
        except errors.DomainError as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.fixture
def queue(committed_organization, django_db_blocker):
    with django_db_blocker.unblock():
        with in_organization(committed_organization.id):
            where, held = numbers()
            rooms = [
                Resource.objects.create(kind="ROOM", name=f"診間 {number}", location=where.location).pk
                for number in range(CONSOLES)
            ]
            tickets = [here(where, held, "王小明") for _ in range(12)]
        yield committed_organization, where, held, rooms, tickets


def test_two_rooms_and_two_consoles_at_once_never_call_the_same_number(queue):
    organization, _where, held, rooms, _tickets = queue

    def calls(room):
        found = []
        for _ in range(3):
            try:
                called = services.call_next(session_id=held.pk, room_id=room, now=START, by=None)
            except errors.NobodyWaits:
                break
            services.finish(ticket_id=called["id"], now=START, by=None)
            found.append(called["label"])
        return found

    answers = at_once(organization, *(lambda room=room: calls(room) for room in rooms))

    called = [label for answer in answers for label in answer]
    assert len(called) == len(set(called)) == 12
    with in_organization(organization.id):
        turns = [row["turn"] for row in sql.rows("select turn from waitingroom_call order by turn")]
        assert turns == list(range(1, 13))
        assert set(Ticket.objects.values_list("state", flat=True)) == {"DONE"}


def test_eight_consoles_of_one_room_call_one_number(queue):
    organization, _where, held, rooms, _tickets = queue

    answers = at_once(
        organization,
        *(
            lambda: services.call_next(session_id=held.pk, room_id=rooms[0], now=START, by=None)
            for _ in range(CONSOLES)
        ),
    )

    winners = [answer for answer in answers if isinstance(answer, dict)]
    assert len(winners) == 1
    assert all(isinstance(answer, errors.RoomBusy) for answer in answers if answer not in winners)


def test_two_sessions_that_share_a_room_cannot_both_call_into_it(queue):
    organization, where, held, rooms, _tickets = queue
    from careloop.scheduling.tests.make import offers, practitioner

    with in_organization(organization.id):
        other = practitioner("陳建志")
        offers(where.service, other)
        _same, theirs = numbers(where, practitioner=other, room=None)
        for _ in range(3):
            here(where, theirs, "李大同")

    for _round in range(3):
        answers = at_once(
            organization,
            *(
                lambda one=one: services.call_next(session_id=one, room_id=rooms[1], now=START, by=None)
                for one in (held.pk, theirs.pk) * 2
            ),
        )
        won = [answer for answer in answers if isinstance(answer, dict)]
        assert len(won) == 1, answers
        with in_organization(organization.id):
            services.finish(ticket_id=won[0]["id"], now=START, by=None)


def test_a_patient_who_checks_in_at_two_places_at_once_has_one_ticket(queue):
    organization, where, held, _rooms, _tickets = queue
    with in_organization(organization.id):
        made = booked(where, held)

    at_once(
        organization,
        *(
            lambda how=how: services.check_in(appointment_id=made.pk, how=how, now=START, by=None, has_code=True)
            for how in ("DESK", "QR", "PHONE", "DESK")
        ),
    )

    with in_organization(organization.id):
        assert Ticket.objects.filter(appointment=made, state="WAITING").count() == 1
        assert sql.value(
            "select count(*) from events_event where kind = 'queue.checked_in' and payload->>'appointment_id' = %s", [str(made.pk)]
        ) == 1  # fmt: skip


def test_a_transfer_and_a_call_at_once_give_the_patient_to_one_of_them(queue):
    organization, where, held, rooms, tickets = queue
    from careloop.scheduling.tests.make import offers, practitioner

    with in_organization(organization.id):
        other = practitioner("陳建志")
        offers(where.service, other)
        _same, theirs = numbers(where, practitioner=other, room=None)

    at_once(
        organization,
        lambda: services.transfer(ticket_id=tickets[0]["id"], session_id=theirs.pk, now=START, by=None),
        lambda: services.call_next(session_id=held.pk, room_id=rooms[0], now=START, by=None),
        lambda: services.call_next(session_id=theirs.pk, room_id=rooms[1], now=START, by=None),
        lambda: services.hold(ticket_id=tickets[0]["id"], held_for="抽血", now=START, by=None),
    )

    with in_organization(organization.id):
        for session in (held, theirs):
            front = Ticket.objects.filter(session=session, state__in=("CALLED", "IN_ROOM"))
            assert front.count() <= 1
        assert Ticket.objects.count() == len(tickets)


def test_walk_ins_from_eight_desks_get_eight_numbers(queue):
    organization, where, held, _rooms, _tickets = queue
    with in_organization(organization.id):
        people = [patient("林小華") for _ in range(CONSOLES)]

    answers = at_once(
        organization,
        *(
            lambda one=one: services.check_in_walk_in(
                session_id=held.pk, patient_id=one, service_id=where.service.pk, key=str(one), now=START, by=None
            )
            for one in people
        ),
    )

    assert sorted(int(answer["label"]) for answer in answers) == [2, 4, 6, 8, 10, 12, 14, 16]
