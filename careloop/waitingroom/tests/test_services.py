"""The day of a queue: coming, being called, not being there, tests, another physician, going home."""

import pytest
from django.db import IntegrityError, transaction

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling import services as scheduling
from careloop.scheduling.models import Appointment, Resource
from careloop.scheduling.tests.make import book, clinic, offers, practitioner, session
from careloop.waitingroom import errors, services
from careloop.waitingroom.models import Call, Ticket
from careloop.waitingroom.tests.make import MINUTE, START, booked, call, here, labels, numbers, rules, see, state, told


def test_a_patient_checks_in_is_called_seen_and_the_appointment_fulfilled(organization):
    where, held = numbers()
    ticket = here(where, held)

    called = call(held, room=where.room.pk, now=START + MINUTE)
    services.start(ticket_id=called["id"], now=START + 2 * MINUTE, by=None)
    done = services.finish(ticket_id=called["id"], now=START + 8 * MINUTE, by=None)

    assert (called["id"], called["label"], done["state"]) == (ticket["id"], "1", "DONE")
    assert Appointment.objects.get(pk=done["appointment_id"]).state == "fulfilled"
    assert told(ticket) == ["queue.checked_in", "queue.called", "queue.started", "queue.finished"]
    assert told(ticket, "queue.started")[0]["waited_minutes"] == 2
    assert told(ticket, "queue.finished")[0]["minutes"] == 6


def test_every_change_is_in_the_audit_chain(organization):
    from careloop.audit.services import write_notes

    where, held = numbers()
    see(held) if here(where, held) else None
    write_notes()

    assert {row["action"] for row in sql.rows("select action from audit_event where action like 'queue.%%'")} == {
        "queue.checked_in", "queue.called", "queue.started", "queue.finished",
    }  # fmt: skip


def test_checking_in_twice_is_once(organization):
    where, held = numbers()
    ticket = here(where, held)

    again = services.check_in(appointment_id=ticket["appointment_id"], how="QR", now=START + MINUTE, by=None)

    assert (again["id"], again["how"]) == (ticket["id"], "DESK")
    assert told(ticket) == ["queue.checked_in"]


def test_who_called_off_cannot_check_in(organization):
    where, held = numbers()
    made = booked(where, held)
    scheduling.cancel(appointment_id=made.pk, reason="patient", now=START, by=None)

    with pytest.raises(errors.NotBooked):
        services.check_in(appointment_id=made.pk, how="DESK", now=START, by=None)


def test_a_walk_in_gets_a_number_of_the_walk_ins_and_a_double_click_one_only(organization):
    where, held = numbers()
    who = patient()
    given = {"session_id": held.pk, "patient_id": who, "service_id": where.service.pk, "now": START, "by": None}

    first = services.check_in_walk_in(**given, key="one click")
    second = services.check_in_walk_in(**given, key="one click")

    assert (first["label"], first["is_walk_in"], second["id"]) == ("2", True, first["id"])


def test_in_a_session_by_time_the_time_is_the_number(organization):
    where = clinic()
    held = session(where)
    made = book(where, held, patient(), at=START + 30 * MINUTE)

    ticket = services.check_in(appointment_id=made.pk, how="DESK", now=START, by=None)

    assert ticket["label"] == "9:30"


def test_nobody_waits(organization):
    where, held = numbers()
    booked(where, held)

    with pytest.raises(errors.NobodyWaits):
        call(held)


def test_one_patient_a_room_and_two_rooms_of_one_session_call_different_numbers(organization):
    where, held = numbers()
    second = Resource.objects.create(kind="ROOM", name="2 診", location=where.location)
    here(where, held, "甲"), here(where, held, "乙"), here(where, held, "丙")

    first = call(held, room=where.room.pk)
    other = call(held, room=second.pk)

    assert (first["label"], other["label"]) == ("1", "3")
    with pytest.raises(errors.RoomBusy) as refusal:
        call(held, room=second.pk)
    assert refusal.value.details == {"label": "3"}


def test_a_room_of_another_clinic_is_no_room_here(organization):
    where, held = numbers()
    here(where, held)

    with pytest.raises(errors.UnknownRoom):
        call(held, room=clinic().room.pk)


def test_the_database_itself_keeps_a_room_for_one(organization):
    where, held = numbers()
    here(where, held, "甲"), here(where, held, "乙")
    call(held, room=where.room.pk)

    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.filter(label="3").update(state="CALLED", room=where.room, called_at=START)


def test_called_again_is_heard_again_and_kept_in_the_history(organization):
    where, held = numbers()
    here(where, held)
    called = call(held)

    services.recall(ticket_id=called["id"], now=START + MINUTE, by=None)

    assert list(Call.objects.values_list("kind", "label").order_by("id")) == [("FIRST", "1"), ("AGAIN", "1")]
    with pytest.raises(Exception, match="permission denied"), transaction.atomic():
        Call.objects.update(label="9")


def test_a_missed_call_comes_back_after_so_many(organization):
    rules(missed="AFTER_N", missed_after=2)
    where, held = numbers()
    for name in "甲乙丙丁":
        here(where, held, name)
    missed = call(held)

    services.skip(ticket_id=missed["id"], now=START, by=None)

    assert labels(held) == ["3", "5", "1", "7"]
    assert told(missed, "queue.missed")[0]["must_check_in"] is False
    assert [see(held)["label"] for _ in range(3)] == ["3", "5", "1"]


def test_a_missed_call_goes_to_the_end_of_the_list(organization):
    rules(missed="END_OF_LIST")
    where, held = numbers()
    for name in "甲乙丙":
        here(where, held, name)

    services.skip(ticket_id=call(held)["id"], now=START, by=None)
    here(where, held, "丁")

    assert labels(held) == ["3", "5", "7", "1"]


def test_who_missed_the_call_must_check_in_again_where_that_is_the_rule(organization):
    rules(missed="RECHECKIN_REQUIRED", missed_after=1)
    where, held = numbers()
    for name in "甲乙丙":
        here(where, held, name)
    missed = call(held)
    services.skip(ticket_id=missed["id"], now=START, by=None)

    assert labels(held) == ["3", "5"]
    back = services.check_in(appointment_id=missed["appointment_id"], how="DESK", now=START + MINUTE, by=None)

    assert back["state"] == "WAITING"
    assert labels(held) == ["3", "1", "5"]


def test_nobody_is_called_in_vain_for_ever(organization):
    rules(missed="AFTER_N", missed_after=1, missed_times=2)
    where, held = numbers()
    missed = here(where, held)
    for _ in range(2):
        services.skip(ticket_id=call(held)["id"], now=START, by=None)

    with pytest.raises(errors.NobodyWaits):
        call(held)
    assert (state(missed), told(missed, "queue.missed")[-1]["must_check_in"]) == ("MISSED", True)


def test_a_missed_one_who_turns_up_can_be_called_at_once(organization):
    where, held = numbers()
    here(where, held, "甲"), here(where, held, "乙")
    missed = call(held)
    services.skip(ticket_id=missed["id"], now=START, by=None)

    called = services.call(ticket_id=missed["id"], room_id=where.room.pk, now=START, by=None)

    assert (called["state"], Call.objects.count()) == ("CALLED", 2)


def test_sent_to_tests_and_back_first_in_line(organization):
    where, held = numbers()
    for name in "甲乙丙":
        here(where, held, name)
    called = call(held, room=where.room.pk)
    services.hold(ticket_id=called["id"], held_for="X 光", now=START, by=None)

    see(held)  # the room is free again
    assert labels(held) == ["5"]
    services.resume(ticket_id=called["id"], now=START, by=None)

    assert labels(held) == ["1", "5"]


def test_urgent_before_first_before_in_turn(organization):
    where, held = numbers()
    _one, two, three = (here(where, held, name) for name in "甲乙丙")

    services.prioritise(ticket_id=two["id"], priority=1, now=START, by=None)
    services.prioritise(ticket_id=three["id"], priority=2, now=START, by=None)
    assert labels(held) == ["5", "3", "1"]

    services.prioritise(ticket_id=three["id"], priority=0, now=START, by=None)
    assert labels(held) == ["3", "1", "5"]


@pytest.mark.parametrize(
    ("place", "order"), [("next", ["T1", "1", "3"]), ("end", ["1", "3", "T1"]), ("turn", ["1", "T1", "3"])]
)
def test_transferred_to_another_practitioner_under_another_number(organization, place, order):
    where, held = numbers()
    other = practitioner("陳建志")
    offers(where.service, other)
    _same, theirs = numbers(where, practitioner=other, room=None)
    moved = here(where, held, "甲")
    here(where, theirs, "乙", now=START), here(where, theirs, "丙", now=START)

    services.transfer(ticket_id=moved["id"], session_id=theirs.pk, place=place, now=START + MINUTE, by=None)

    assert labels(theirs, now=START + MINUTE) == order
    assert labels(held) == []
    assert told(moved, "queue.transferred")[0] | {"session_id": ""} == {
        "ticket_id": str(moved["id"]), "appointment_id": str(moved["appointment_id"]), "session_id": "", "label": "T1",
        "practitioner": "陳建志", "from_session_id": str(held.pk), "before": "1",
    }  # fmt: skip
    services.finish(ticket_id=see(theirs)["id"], now=START, by=None)


def test_a_transfer_stays_within_the_clinics_day(organization):
    where, held = numbers()
    _there, elsewhere = numbers(clinic(), practitioner=practitioner("陳建志"))
    ticket = here(where, held)

    with pytest.raises(errors.OtherClinic):
        services.transfer(ticket_id=ticket["id"], session_id=elsewhere.pk, now=START, by=None)
    with pytest.raises(errors.SameSession):
        services.transfer(ticket_id=ticket["id"], session_id=held.pk, now=START, by=None)


def test_gone_home_and_come_back_stands_at_the_end(organization):
    where, held = numbers()
    gone = here(where, held, "甲")
    services.leave(ticket_id=gone["id"], now=START, by=None)
    here(where, held, "乙")

    services.check_in(appointment_id=gone["appointment_id"], how="DESK", now=START + MINUTE, by=None)

    assert labels(held) == ["3", "1"]
    assert told(gone) == ["queue.checked_in", "queue.left", "queue.checked_in"]


def test_a_second_click_on_finish_and_next_calls_nobody_more(organization):
    where, held = numbers()
    for name in "甲乙丙":
        here(where, held, name)
    first = call(held, room=where.room.pk)

    second = services.finish_and_call_next(ticket_id=first["id"], now=START + MINUTE, by=None)
    again = services.finish_and_call_next(ticket_id=first["id"], now=START + MINUTE, by=None)

    assert (second["label"], again, labels(held)) == ("3", None, ["5"])


def test_the_last_one_is_finished_though_nobody_is_next(organization):
    where, held = numbers()
    here(where, held)
    only = call(held)

    assert services.finish_and_call_next(ticket_id=only["id"], now=START + MINUTE, by=None) is None
    assert state(only) == "DONE"


def test_what_makes_no_sense_is_refused_in_words(organization):
    where, held = numbers()
    ticket = here(where, held)

    for impossible in (services.recall, services.skip, services.start, services.finish, services.resume):
        with pytest.raises(errors.NotNow):
            impossible(ticket_id=ticket["id"], now=START, by=None)


def test_nobody_is_called_in_a_closed_session(organization):
    where, held = numbers()
    here(where, held)
    type(held).objects.filter(pk=held.pk).update(state="CLOSED")

    with pytest.raises(errors.SessionIsClosed):
        call(held)
