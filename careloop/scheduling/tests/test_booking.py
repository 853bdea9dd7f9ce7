"""A place belongs to one patient; who is late is told so, and where else there is room."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.records import services as records
from careloop.scheduling import errors, holds, places, privacy, services, sessions
from careloop.scheduling.models import Appointment, Service
from careloop.scheduling.places import Place
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, equipment, offers, practitioner, session

HALF = timedelta(minutes=30)


def was_here(patient_id):
    records.record_encounter(
        patient_id=patient_id,
        encounter_id=uuid4(),
        display="看診",
        started_at=NOW - timedelta(days=400),
        now=NOW,
        by=None,
    )


def told(patient_id):
    return [
        (row["kind"], row["payload"].get("when"))
        for row in sql.rows(
            "select kind, payload from events_event where patient_id = %s and kind like 'appointment%%' order by id",
            [patient_id],
        )
    ]


def test_a_time_is_booked_with_practitioner_room_and_words(organization):
    where = clinic()
    held, who = session(where), patient()

    made = book(where, held, who)

    assert (made.state, made.version, made.sequence, made.number) == ("booked", 1, 0, None)
    assert (made.practitioner_id, made.room_id, made.ends_at - made.starts_at) == (
        where.physician.pk,
        where.room.pk,
        HALF,
    )
    assert told(who) == [("appointment.booked", "2026-03-17 09:00")]


def test_the_second_one_is_refused_and_shown_other_times(organization):
    where = clinic()
    held = session(where)
    book(where, held, patient())

    with pytest.raises(errors.PlaceTaken) as refused:
        book(where, held, patient("陳大文"))

    assert [place.starts_at for place in refused.value.alternatives] == [
        MORNING + HALF,
        MORNING + 2 * HALF,
        MORNING + 3 * HALF,
    ]


def test_the_same_click_books_once(organization):
    where = clinic()
    held, who = session(where), patient()

    assert book(where, held, who, key="form-1").pk == book(where, held, who, key="form-1").pk
    assert len(told(who)) == 1


def test_the_database_itself_refuses_two_in_one_place(organization):
    where = clinic()
    made = book(where, session(where), patient())
    copy = {name: getattr(made, name) for name in (
        "session_id", "service_id", "practitioner_id", "location_id", "starts_at", "ends_at", "source", "created_at", "changed_at",
    )}  # fmt: skip

    with pytest.raises(IntegrityError, match="appointment_practitioner_free"), transaction.atomic():
        Appointment.objects.create(patient_id=patient("陳大文"), state="booked", **copy)


def test_a_patient_is_in_one_place_at_a_time(organization):
    where, other = clinic(), clinic()
    who = patient()
    book(where, session(where), who)

    with pytest.raises(errors.PatientBusy):
        book(other, session(other), who, at=MORNING)


def test_an_appointment_lies_within_its_session(organization):
    where = clinic()
    held = session(where)

    for at in (MORNING - HALF, MORNING + timedelta(hours=2, minutes=45)):
        with pytest.raises(errors.OutsideSession):
            book(where, held, patient(), at=at)


def test_only_what_the_practitioner_offers_can_be_booked(organization):
    where = clinic()
    stranger = practitioner("王醫師")

    with pytest.raises(errors.NotOffered):
        book(where, session(where, practitioner=stranger, room=None), patient())


def test_a_first_visit_takes_longer(organization):
    where = clinic(first_visit_minutes=60)
    held = session(where)
    known = patient("老病人")
    was_here(known)

    new, old = book(where, held, patient()), book(where, held, known, at=MORNING + 2 * HALF)

    assert (new.is_first_visit, new.ends_at - new.starts_at) == (True, 2 * HALF)
    assert (old.is_first_visit, old.ends_at - old.starts_at) == (False, HALF)


def test_the_last_piece_of_equipment_is_used_once(organization):
    where, other = clinic(), clinic()
    machine = equipment(where)
    colleague = practitioner("王醫師")
    offers(where.service, colleague)
    mine, theirs = session(where), session(where, practitioner=colleague, room=None)

    assert book(where, mine, patient()).equipment_id == machine.pk
    with pytest.raises(errors.PlaceTaken):
        book(where, theirs, patient("陳大文"))
    equipment(where, "第二台")
    assert book(where, theirs, patient("陳大文")).equipment_id not in (None, machine.pk)
    assert other.service.pk != where.service.pk


# -- by number -----------------------------------------------------------------------------------------------------


def test_numbers_are_given_in_order_and_once(organization):
    where = clinic()
    held = session(where, mode="NUMBERS", numbers=3)

    given = [book(where, held, patient(f"病人{i}")).number for i in range(3)]

    assert given == [1, 2, 3]
    with pytest.raises(errors.SessionFull):
        book(where, held, patient())


def test_each_pool_has_its_own_numbers(organization):
    where = clinic()
    pools = [
        {"pool": "BOOKED", "first": 1, "last": 5, "parity": "odd"}, {"pool": "WALK_IN", "first": 2, "last": 6, "parity": "even"},
        {"pool": "RESERVED", "first": 7, "last": 7},
    ]  # fmt: skip
    held = session(where, mode="NUMBERS", numbers=7, pools=pools)
    known = [patient(f"病人{i}") for i in range(4)]
    for one in known:
        was_here(one)

    assert [book(where, held, one).number for one in known[:3]] == [1, 3, 5]
    with pytest.raises(errors.SessionFull):
        book(where, held, known[3])
    assert book(where, held, known[3], pool="WALK_IN", source="walk-in", state="arrived").number == 2
    with pytest.raises(errors.NumberOutsidePools):
        book(where, held, patient(), number=7)
    assert book(where, held, patient(), pool="RESERVED").number == 7


def test_a_first_visit_gets_a_number_kept_for_first_visits(organization):
    where = clinic()
    pools = [{"pool": "BOOKED", "first": 1, "last": 4}, {"pool": "FIRST", "first": 5, "last": 5}]
    held = session(where, mode="NUMBERS", numbers=5, pools=pools)

    assert [book(where, held, patient(f"新{i}")).number for i in range(2)] == [5, 1]


def test_an_extra_number_comes_after_the_last(organization):
    where = clinic()
    held = session(where, mode="NUMBERS", numbers=1)
    book(where, held, patient())

    extra = book(where, held, patient("加號"), extra=True)

    assert (extra.number, extra.starts_at) == (2, MORNING + timedelta(minutes=5))


def test_a_freed_number_is_given_again(organization):
    where = clinic()
    held = session(where, mode="NUMBERS", numbers=1)
    first = book(where, held, patient())
    services.cancel(appointment_id=first.pk, reason="patient", now=NOW, by=None)

    assert book(where, held, patient("陳大文")).number == 1


def test_nobody_has_two_numbers_in_one_session(organization):
    where = clinic()
    held, who = session(where, mode="NUMBERS"), patient()
    book(where, held, who)

    with pytest.raises(errors.PatientBusy):
        book(where, held, who)


# -- holding, moving, calling off ----------------------------------------------------------------------------------


def test_a_held_place_is_kept_and_becomes_an_appointment(organization):
    where = clinic()
    held, who = session(where), patient()
    hold = book(where, held, who, state="pending", held_until=NOW + services.HOLD)
    assert told(who) == []

    with pytest.raises(errors.PlaceTaken):
        book(where, held, patient("陳大文"))
    kept = services.keep(appointment_id=hold.pk, now=NOW, by=None, answers='{"allergy": "無"}')

    assert (kept.state, kept.held_until, bytes(kept.answers_sealed)[:1] != b"{") == ("booked", None, True)
    assert told(who) == [(f"appointment.{what}", "2026-03-17 09:00") for what in ("booked", "answered")]


def test_a_hold_that_ran_out_is_anybodys(organization):
    where = clinic()
    held, who = session(where), patient()
    hold = book(where, held, who, state="pending", held_until=NOW + services.HOLD)
    later = NOW + services.HOLD

    book(where, held, patient("陳大文"), now=later)

    with pytest.raises(errors.HoldExpired):
        services.keep(appointment_id=hold.pk, now=later, by=None)


def test_holds_run_out_by_the_clock(organization):
    where = clinic()
    hold = book(where, session(where), patient(), state="pending", held_until=NOW + services.HOLD)

    assert (places.release_holds(now=NOW), places.release_holds(now=NOW + services.HOLD)) == (0, 1)
    assert Appointment.objects.get(pk=hold.pk).cancel_reason == "hold-expired"


def test_moving_changes_time_version_and_sequence_and_frees_the_old_place(organization):
    where = clinic()
    held, who = session(where), patient()
    made = book(where, held, who)
    services.confirm(appointment_id=made.pk, now=NOW, by=None)

    moved = services.move(appointment_id=made.pk, place=Place(held.pk, MORNING + HALF), version=2, now=NOW, by=None)

    assert (moved.starts_at, moved.version, moved.sequence, moved.confirmed_at) == (MORNING + HALF, 3, 1, None)
    assert book(where, held, patient("陳大文")).starts_at == MORNING
    assert told(who)[-1] == ("appointment.moved", "2026-03-17 09:30")


def test_moving_to_a_taken_place_keeps_the_old_one(organization):
    where = clinic()
    held = session(where)
    mine, theirs = book(where, held, patient()), book(where, held, patient("陳大文"), at=MORNING + HALF)

    with pytest.raises(errors.PlaceTaken):
        services.move(appointment_id=mine.pk, place=Place(held.pk, theirs.starts_at), version=1, now=NOW, by=None)

    mine.refresh_from_db()
    assert (mine.starts_at, mine.version) == (MORNING, 1)


def test_an_appointment_can_be_moved_into_a_session_by_number(organization):
    where = clinic()
    made = book(where, session(where), patient())
    evening = session(where, mode="NUMBERS", starts_at=MORNING + timedelta(hours=9), numbers=2)

    moved = services.move(appointment_id=made.pk, place=Place(evening.pk), version=1, now=NOW, by=None)

    assert (moved.number, moved.session_id) == (1, evening.pk)


def test_who_saw_an_older_version_is_told(organization):
    where = clinic()
    held = session(where)
    made = book(where, held, patient())
    services.confirm(appointment_id=made.pk, now=NOW, by=None)

    with pytest.raises(errors.ChangedMeanwhile):
        services.move(appointment_id=made.pk, place=Place(held.pk, MORNING + HALF), version=1, now=NOW, by=None)
    with pytest.raises(errors.ChangedMeanwhile):
        services.cancel(appointment_id=made.pk, reason="clinic", version=1, now=NOW, by=None)


def test_a_yes_to_an_old_time_confirms_nothing(organization):
    where = clinic()
    held = session(where)
    made = book(where, held, patient())
    services.move(appointment_id=made.pk, place=Place(held.pk, MORNING + HALF), version=1, now=NOW, by=None)

    with pytest.raises(errors.ChangedMeanwhile):
        services.confirm(appointment_id=made.pk, sequence=0, now=NOW, by=None)


def test_what_is_over_is_not_brought_back(organization):
    where = clinic()
    held = session(where)
    gone = book(where, held, patient())
    services.cancel(appointment_id=gone.pk, reason="patient", now=NOW, by=None)

    with pytest.raises(errors.NotInThisState):
        services.confirm(appointment_id=gone.pk, now=NOW, by=None)
    with pytest.raises(errors.NotInThisState):
        services.arrive(appointment_id=gone.pk, now=NOW, by=None)
    assert services.cancel(appointment_id=gone.pk, reason="patient", now=NOW, by=None).version == 2


def test_did_not_come_is_said_only_after_the_session(organization):
    where = clinic()
    held, who = session(where), patient()
    made = book(where, held, who)

    with pytest.raises(errors.NoShowTooEarly):
        services.miss(appointment_id=made.pk, now=held.ends_at - HALF, by=None)
    assert services.miss(appointment_id=made.pk, now=held.ends_at, by=None).state == "noshow"
    assert told(who)[-1][0] == "appointment.noshow"


def test_a_life_arrives_is_seen_and_ends(organization):
    where = clinic()
    who = patient()
    made = book(where, session(where), who)

    services.arrive(appointment_id=made.pk, now=MORNING, by=None)
    services.arrive(appointment_id=made.pk, state="checked-in", now=MORNING, by=None)
    seen = services.fulfil(appointment_id=made.pk, now=MORNING + HALF, by=None)

    assert (seen.state, seen.arrived_at) == ("fulfilled", MORNING)
    assert [kind for kind, _when in told(who)] == ["appointment.booked", "appointment.arrived", "appointment.fulfilled"]


# -- the patient's own booking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "refusal"),
    [
        ({"is_online": False}, errors.NotOnline),
        ({"who": "RETURNING"}, errors.OnlyReturning),
        ({"notice_minutes": 60 * 24}, errors.TooLate),
        ({"days_ahead": 0}, errors.TooFarAhead),
    ],
)
def test_a_patients_own_booking_follows_the_services_rules_and_the_desk_does_not(organization, rule, refusal):
    where = clinic(**rule)
    held = session(where)

    with pytest.raises(refusal):
        book(where, held, patient(), online=True)
    assert book(where, held, patient("櫃台")).state == "booked"


def test_a_patient_changes_an_appointment_until_the_last_moment_for_it(organization):
    where = clinic(change_minutes=120)
    made = book(where, session(where), patient())

    with pytest.raises(errors.TooLate):
        services.cancel(
            appointment_id=made.pk, reason="patient", now=MORNING - timedelta(minutes=119), by=None, online=True
        )
    assert (
        services.cancel(appointment_id=made.pk, reason="patient", now=MORNING - HALF * 4, by=None, online=True).state
        == "cancelled"
    )


def test_no_deposit_is_asked_for_what_the_insurance_pays(organization):
    with pytest.raises(IntegrityError, match="service_no_deposit_on_nhi"), transaction.atomic():
        Service.objects.create(name="健保看診", minutes=10, payer="NHI", deposit=500)


# -- privacy ---------------------------------------------------------------------------------------------------------


def test_a_patient_gets_their_appointments_and_can_have_the_words_erased(organization):
    where = clinic()
    who = patient()
    book(where, session(where), who, note="怕痛")

    assert privacy.export(who)["appointments"][0]["note"] == "怕痛"
    privacy.erase(who)
    assert privacy.export(who)["appointments"][0]["note"] == ""


def test_the_answers_before_a_visit_are_given_out_in_clear_and_erased(organization):
    where = clinic()
    who = patient()
    held = book(where, session(where), who, state="pending", held_until=NOW + HALF)
    services.keep(appointment_id=held.pk, answers='{"過敏": "花生"}', now=NOW, by=None)

    assert privacy.export(who)["appointments"][0]["answers"] == '{"過敏": "花生"}'
    privacy.erase(who)
    assert privacy.export(who)["appointments"][0]["answers"] == ""


def test_a_session_ended_by_hand_notes_who_did_not_come(organization):
    where = clinic()
    held = session(where)
    came, missed = book(where, held, patient()), book(where, held, patient("陳大文"), at=MORNING + HALF)
    services.arrive(appointment_id=came.pk, now=MORNING, by=None)

    assert sessions.finish(session_id=held.pk, now=held.ends_at, by=None) == 1
    missed.refresh_from_db()
    assert missed.state == "noshow"


def test_a_place_held_for_a_visitor_becomes_somebodys(organization):
    where = clinic(minutes=30, first_visit_minutes=60)
    held, who = session(where), patient()

    made = book(where, held, None, state="pending", held_until=NOW + HALF, says_first=True)
    assert (made.patient_id, made.ends_at - made.starts_at) == (None, 2 * HALF)
    was_here(who)
    given = holds.give_to(appointment_id=made.pk, patient_id=who, now=NOW)
    again = holds.give_to(appointment_id=made.pk, patient_id=who, now=NOW)

    assert (given.patient_id, given.state, given.ends_at - given.starts_at, given.is_first_visit) == (
        who,
        "pending",
        HALF,
        False,
    )
    assert again.version == given.version
    with pytest.raises(errors.HoldExpired):
        holds.give_to(appointment_id=made.pk, patient_id=patient("別人"), now=NOW)
    assert services.keep(appointment_id=made.pk, now=NOW, by=None).state == "booked"


def test_a_held_place_is_not_given_to_somebody_who_is_elsewhere_and_not_kept_for_nobody(organization):
    where, elsewhere, who = clinic(), clinic(), patient()
    book(elsewhere, session(elsewhere), who)

    made = book(where, session(where), None, state="pending", held_until=NOW + HALF)

    with pytest.raises(errors.PatientBusy):
        holds.give_to(appointment_id=made.pk, patient_id=who, now=NOW)
    with pytest.raises(errors.HoldExpired):
        services.keep(appointment_id=made.pk, now=NOW, by=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Appointment.objects.filter(pk=made.pk).update(state="booked")


def test_a_visitor_learns_the_rule_for_first_visits_when_they_say_who_they_are(organization):
    where, who = clinic(who="FIRST"), patient()
    was_here(who)
    made = book(where, session(where), None, state="pending", held_until=NOW + HALF, online=True)

    with pytest.raises(errors.OnlyFirstVisits):
        holds.give_to(appointment_id=made.pk, patient_id=who, now=NOW)


def test_a_closed_session_lets_the_visitor_without_a_name_go_quietly(organization):
    where = clinic()
    held = session(where)
    made = book(where, held, None, state="pending", held_until=NOW + HALF)

    assert sessions.close_session(session_id=held.pk, reason="", now=NOW, by=None) == 0
    assert Appointment.objects.get(pk=made.pk).state == "cancelled"
