"""Around the queue: the patient's own check-in, whose rules hold, what others do, learning, screens, privacy."""

from datetime import timedelta

import pytest

from careloop.kernel import sql
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.waitingroom import displays, errors, handlers, privacy, selectors, services
from careloop.waitingroom.models import Display, Ticket
from careloop.waitingroom.tests.make import (
    MINUTE,
    START,
    booked,
    here,
    labels,
    numbers,
    rules,
    see,
    state,
    told,
    walk_in,
)

# -- the patient's own check-in ----------------------------------------------------------------------------------


def test_self_check_in_opens_before_the_session_and_closes_before_its_end(organization):
    rules(self_check_in="OPEN", opens_minutes=30, closes_minutes=10)
    where, held = numbers()
    made = booked(where, held)

    with pytest.raises(errors.NotYetOpen) as refusal:
        services.check_in(appointment_id=made.pk, how="PHONE", now=START - 31 * MINUTE, by=None)
    assert refusal.value.details == {"opens": "08:30"}
    with pytest.raises(errors.CheckInClosed):
        services.check_in(appointment_id=made.pk, how="PHONE", now=held.ends_at - 9 * MINUTE, by=None)

    assert services.check_in(appointment_id=made.pk, how="PHONE", now=START - 30 * MINUTE, by=None)["how"] == "PHONE"


def test_self_check_in_asks_for_the_code_at_the_clinic_or_sends_to_the_desk(organization):
    where, held = numbers()
    made = booked(where, held)

    with pytest.raises(errors.CodeNeeded):
        services.check_in(appointment_id=made.pk, how="PHONE", now=START, by=None)
    rules(self_check_in="OFF")
    with pytest.raises(errors.OnlyAtTheDesk):
        services.check_in(appointment_id=made.pk, how="QR", now=START, by=None, has_code=True)
    rules(self_check_in="CODE")
    assert services.check_in(appointment_id=made.pk, how="QR", now=START, by=None, has_code=True)["state"] == "WAITING"


# -- soon their turn ---------------------------------------------------------------------------------------------


def test_who_is_near_is_told_once_and_not_before_the_first_call(organization):
    rules(near=1)
    where, held = numbers()
    tickets = [here(where, held, name) for name in "甲乙丙丁"]
    assert [told(one, "queue.turn_near") for one in tickets] == [[], [], [], []]

    see(held), see(held)

    near = told(tickets[3], "queue.turn_near")
    assert [one["ahead"] for one in near] == [1]
    assert near[0]["minutes_high"] > near[0]["minutes_low"]
    assert len(told(tickets[2], "queue.turn_near")) == 1
    see(held), see(held)
    assert len(told(tickets[3], "queue.turn_near")) == 1


def test_who_checks_in_into_a_short_queue_sees_it_and_is_not_told(organization):
    where, held = numbers()
    here(where, held, "甲")
    see(held)

    late = here(where, held, "乙")
    see(held) if walk_in(where, held) else None

    assert told(late, "queue.turn_near") == []


# -- whose rules -------------------------------------------------------------------------------------------------


def test_the_sessions_own_rules_before_the_practitioners_before_the_clinics(organization):
    from careloop.waitingroom.queues import lock

    where, held = numbers()
    for given, near in (({}, 4), ({"practitioner_id": where.physician.pk}, 5), ({"session_id": held.pk}, 6)):
        scope = {"practitioner_id": None, "session_id": None} | given
        services.set_rules(**scope, values={"near": near}, now=START)
        assert lock(held.pk, now=START).rules.near == near
    services.set_rules(practitioner_id=None, session_id=held.pk, values=None, now=START)
    assert lock(held.pk, now=START).rules.near == 5


def test_two_booked_one_walk_in_in_turn(organization):
    rules(order="RATIO", booked_in_turn=2, walk_ins_in_turn=1)
    where, held = numbers()
    for name in "甲乙丙丁":
        here(where, held, name)
    walk_in(where, held, "戊"), walk_in(where, held, "己")

    assert labels(held) == ["1", "3", "2", "5", "7", "4"]
    assert [see(held)["label"] for _ in range(6)] == ["1", "3", "2", "5", "7", "4"]


def test_booked_patients_at_their_time_and_walk_ins_between(organization):
    where, held = numbers()
    walk_in(where, held, "戊", now=START)
    booked_one, booked_three = here(where, held, "甲"), here(where, held, "乙")

    assert labels(held, now=START) == ["1", "2", "3"]  # number 3 is expected at 9:10
    assert labels(held, now=START + 10 * MINUTE) == ["1", "3", "2"]
    assert (booked_one["label"], booked_three["label"]) == ("1", "3")


# -- what others do ----------------------------------------------------------------------------------------------


def events_of(kind):
    from careloop.events.models import Event
    from careloop.events.registry import Published

    return [
        Published(row["id"], row["kind"], row["patient_id"], row["occurred_at"], row["recorded_at"], row["source"], None, False, row["payload"])
        for row in Event.objects.filter(kind=kind).values()
    ]  # fmt: skip


def test_an_appointment_called_off_leaves_the_queue(organization):
    where, held = numbers()
    ticket = here(where, held)
    scheduling.cancel(appointment_id=ticket["appointment_id"], reason="patient", now=START, by=None)

    (told,) = events_of("appointment.cancelled")
    handlers.follow_appointments([told])

    assert state(ticket) == "LEFT"


def test_a_link_given_out_ahead_follows_the_appointment_to_its_new_number(organization):
    where, held = numbers()
    made = booked(where, held)
    ticket_id, url = services.pass_for(appointment_id=made.pk, now=START)
    assert services.pass_for(appointment_id=made.pk, now=START) == (ticket_id, url)
    _where, later = numbers(where, starts_at=START + timedelta(hours=4))
    booked(where, later)
    from careloop.scheduling.places import Place

    scheduling.move(appointment_id=made.pk, place=Place(later.pk), version=made.version, now=START, by=None)

    ticket = services.check_in(appointment_id=made.pk, how="DESK", now=START, by=None)

    assert (ticket["id"], ticket["session_id"], ticket["label"]) == (ticket_id, later.pk, "3")


def test_hours_after_the_end_nobody_stands_in_the_queue(organization):
    where, held = numbers()
    waiting, inside_ = here(where, held, "甲"), here(where, held, "乙")
    services.call(ticket_id=inside_["id"], room_id=None, now=START, by=None)
    services.start(ticket_id=inside_["id"], now=START, by=None)

    assert handlers.clear_ended(organization.id, now=held.ends_at) == 0
    handlers.clear_ended(organization.id, now=held.ends_at + timedelta(hours=4))

    assert (state(waiting), state(inside_)) == ("LEFT", "DONE")


def test_who_never_came_is_noted_and_the_link_ends(organization):
    where, held = numbers()
    made = booked(where, held)
    ticket_id, _url = services.pass_for(appointment_id=made.pk, now=START)
    sessions.finish(session_id=held.pk, now=held.ends_at, by=None)

    handlers.follow_appointments(events_of("appointment.noshow"))

    assert Ticket.objects.get(pk=ticket_id).state == "LEFT"
    assert sql.value("select count(*) from events_event where kind = 'queue.left'") == 0


# -- learning, screens, privacy ----------------------------------------------------------------------------------


def test_times_are_learned_from_the_practitioners_last_consultations(organization):
    from django.utils import timezone

    where, held = numbers()
    assert selectors.times_of([where.physician.pk]) == {}
    now = timezone.now()
    for minutes in (4, 6, 8):
        here(where, held, "甲", now=now)
        see(held, now=now - 30 * MINUTE, minutes=minutes)
    here(where, held, "忘", now=now)
    see(held, now=now - timedelta(hours=5), minutes=200)

    found = selectors.times_of([where.physician.pk])

    assert {kind: sorted(minutes) for kind, minutes in found.items()} == {(where.physician.pk, True): [4.0, 6.0, 8.0]}


def test_a_screens_link_is_kept_as_a_hash_and_can_be_ended(organization):
    where, _held = numbers()
    made, url = displays.make(values={"name": "候診區", "location_id": where.location.pk}, now=START, by=None)
    token = url.rstrip("/").rsplit("/", 1)[1]

    assert token not in str(Display.objects.values_list("token_hash", flat=True)[0])
    assert [one["name"] for one in displays.listed(locations=None)] == ["候診區"]
    displays.revoke(display_id=made.pk, now=START, by=None)
    assert displays.listed(locations=None) == []


def test_what_a_patient_gets_and_what_is_erased(organization):
    where, held = numbers()
    ticket = here(where, held)
    before = bytes(Ticket.objects.get(pk=ticket["id"]).token_hash)

    assert privacy.export(ticket["patient_id"])["queue"][0]["number"] == "1"
    privacy.erase(ticket["patient_id"])

    assert bytes(Ticket.objects.get(pk=ticket["id"]).token_hash) != before
