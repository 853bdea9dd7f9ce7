"""Free places: what is shown as free can be booked, and what can be booked is shown."""

import random
from datetime import timedelta

import pytest

from careloop.patients.tests.make import patient
from careloop.scheduling import availability, errors, rules, services, sessions
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, equipment, offers, practitioner, session

HALF, DAY = timedelta(minutes=30), timedelta(days=1)


def times(found):
    return [place.starts_at for place in found]


def test_free_times_are_those_nobody_has(organization):
    where = clinic()
    held = session(where)
    book(where, held, patient(), at=MORNING + HALF)

    found = availability.search(service_id=where.service.pk, now=NOW)

    assert times(found) == [MORNING + HALF * turn for turn in (0, 2, 3, 4, 5)]
    assert (found[0].practitioner, found[0].location, found[0].minutes) == ("林怡君", where.location.name, 30)


def test_a_long_service_needs_room_in_one_piece(organization):
    where = clinic(minutes=60)
    held = session(where)
    short = clinic()
    offers(short.service, where.physician)
    book(short, held, patient(), at=MORNING + 2 * HALF)

    assert times(availability.search(service_id=where.service.pk, now=NOW)) == [
        MORNING,
        MORNING + 3 * HALF,
        MORNING + 4 * HALF,
    ]


def test_past_places_leave_and_places_of_closed_sessions_are_not_free(organization):
    where = clinic()
    held = session(where)
    sessions.add_absence(
        practitioner_id=where.physician.pk,
        starts_at=MORNING + HALF,
        ends_at=MORNING + 2 * HALF,
        kind="LEAVE",
        now=NOW,
        by=None,
    )

    assert times(availability.search(service_id=where.service.pk, now=MORNING + timedelta(minutes=10))) == [
        MORNING + HALF * turn for turn in (2, 3, 4, 5)
    ]
    sessions.close_session(session_id=held.pk, reason="", now=NOW, by=None)
    assert availability.search(service_id=where.service.pk, now=NOW) == []


def test_weekday_part_place_and_practitioner_narrow_the_search(organization):
    where = clinic()
    colleague = practitioner("王醫師")
    offers(where.service, colleague)
    morning = session(where)
    evening = session(where, starts_at=MORNING + timedelta(hours=9), part="EVENING")
    session(where, starts_at=MORNING + DAY, practitioner=colleague, room=None)

    def sessions_of(**more):
        return {place.session_id for place in availability.search(service_id=where.service.pk, now=NOW, **more)}

    assert sessions_of(parts=["EVENING"], weekdays=[2]) == {evening.pk}
    assert sessions_of(weekdays=[2]) == {morning.pk, evening.pk}
    assert sessions_of(practitioner_id=where.physician.pk, parts=["MORNING"]) == {morning.pk}
    assert sessions_of(location_ids=[]) == set()
    assert sessions_of(until=MORNING + timedelta(hours=4)) == {morning.pk}


def test_places_while_the_patient_is_elsewhere_are_left_out(organization):
    where, other = clinic(), clinic()
    who = patient()
    session(where)
    book(other, session(other), who)

    found = availability.search(service_id=where.service.pk, now=NOW, patient_id=who)

    assert MORNING not in times(found)
    assert MORNING in times(availability.search(service_id=where.service.pk, now=NOW))


def test_without_equipment_there_is_no_place(organization):
    where = clinic()
    machine = equipment(where)
    held = session(where)
    book(where, held, patient(), at=MORNING)
    colleague = practitioner("王醫師")
    offers(where.service, colleague)
    session(where, practitioner=colleague, room=None)

    assert (
        times(availability.search(service_id=where.service.pk, now=NOW, practitioner_id=colleague.pk))[0]
        == MORNING + HALF
    )
    machine.is_active = False
    machine.save()
    assert availability.search(service_id=where.service.pk, now=NOW) == []


def test_by_number_the_next_number_and_its_time_are_shown(organization):
    where = clinic()
    pools = [{"pool": "BOOKED", "first": 1, "last": 9, "parity": "odd"}, {"pool": "FIRST", "first": 10, "last": 10}]
    held = session(where, mode="NUMBERS", numbers=10, pools=pools)

    returning = availability.search(service_id=where.service.pk, now=NOW)[0]
    new = availability.search(service_id=where.service.pk, now=NOW, is_first_visit=True)[0]

    assert (returning.number, returning.left, returning.starts_at) == (1, 5, MORNING)
    assert (new.number, new.left) == (10, 6)
    assert book(where, held, patient()).number == 10


@pytest.mark.parametrize("seed", range(12))
def test_numbers_shown_are_the_numbers_given(organization, seed):
    """The statement and the pure rule agree on which number comes next, for any pools."""
    chance = random.Random(seed)
    numbers = chance.randint(3, 15)
    pools, start = [], 1
    while start <= numbers and chance.random() < 0.9:
        last = chance.randint(start, numbers)
        pools.append({
            "pool": chance.choice(["BOOKED", "WALK_IN", "FIRST", "RESERVED"]), "first": start, "last": last,
            "parity": chance.choice(["odd", "even", "all"]),
        })  # fmt: skip
        start = last + 1
    where = clinic()
    held = session(where, mode="NUMBERS", numbers=numbers, pools=pools)
    first = chance.random() < 0.5

    found = availability.search(service_id=where.service.pk, now=NOW, is_first_visit=first)

    expected = rules.numbers_for("FIRST" if first else "BOOKED", pools=pools, numbers=numbers)
    assert [(one.number, one.left) for one in found] == ([(expected[0], len(expected))] if expected else [])
    assert held.numbers == numbers


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_shown_as_free_can_be_booked_and_nothing_else(organization, seed):
    """A morning filled at random by services of different lengths."""
    chance = random.Random(seed)
    where = clinic(minutes=30)
    long = clinic(minutes=chance.choice([45, 60, 90]))
    offers(long.service, where.physician)
    held = session(where, slot_minutes=15)
    for turn in range(8):
        try:
            book(
                chance.choice([where, long]),
                held,
                patient(f"病人{turn}"),
                at=MORNING + timedelta(minutes=15 * chance.randint(0, 11)),
            )
        except (errors.PlaceTaken, errors.OutsideSession):
            continue

    shown = set(times(availability.search(service_id=where.service.pk, now=NOW)))

    bookable = set()
    for turn in range(12):
        at = MORNING + timedelta(minutes=15 * turn)
        try:
            made = book(where, held, patient(f"試{turn}"), at=at)
        except (errors.PlaceTaken, errors.OutsideSession):
            continue
        bookable.add(at)
        services.cancel(appointment_id=made.pk, reason="clinic", now=NOW, by=None)
    assert shown == bookable


def test_the_earliest_place_comes_first_across_practitioners(organization):
    where = clinic()
    colleague = practitioner("王醫師")
    offers(where.service, colleague)
    full = session(where)
    for turn in range(5):
        book(where, full, patient(f"病人{turn}"), at=MORNING + HALF * turn)
    session(where, practitioner=colleague, room=None, starts_at=MORNING + timedelta(minutes=15))

    found = availability.search(service_id=where.service.pk, now=NOW)

    assert times(found) == sorted(times(found))
    assert found[0].practitioner == "王醫師"
