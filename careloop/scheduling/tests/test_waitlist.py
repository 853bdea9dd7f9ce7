"""A freed place is offered to one at a time, best ranked first, until a deadline; only one can win it."""

import random
from datetime import date, timedelta
from typing import Any

import pytest

from careloop.events.readers import run_all
from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling import errors, handlers, rules, services, sessions, waitlist
from careloop.scheduling.models import HOLDS, Appointment, WaitlistEntry, WaitlistOffer
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, offers, practitioner, session
from careloop.scheduling.tests.test_contention import rush
from careloop.tenancy.context import in_organization

HALF, DAY = timedelta(minutes=30), timedelta(days=1)


def wish(where, who, *, now=NOW, **more):
    values = {"first_date": date(2026, 3, 16), "last_date": date(2026, 3, 20), "now": now, "by": None, **more}
    return waitlist.join(patient_id=who, service_id=where.service.pk, **values)


def full_morning(where, **more):
    """One half hour, taken."""
    held = session(where, hours=0.5, **more)
    return held, book(where, held, patient("先到"))


def open_offer(entry):
    return WaitlistOffer.objects.get(entry=entry, state="OPEN")


def test_who_waits_is_offered_the_freed_place_until_a_deadline(organization):
    where = clinic()
    held, taken = full_morning(where)
    entry = wish(where, patient("候補"))
    assert entry.state == "WAITING"

    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
    assert waitlist.offer_in(held.pk, now=NOW) == 1

    offer = open_offer(entry)
    assert (offer.appointment.state, offer.appointment.starts_at) == ("proposed", MORNING)
    assert offer.answer_by == NOW + timedelta(hours=1) == offer.appointment.held_until
    with pytest.raises(errors.PlaceTaken):
        book(where, held, patient("路過"))


def test_one_tap_makes_it_an_appointment_and_a_second_changes_nothing(organization):
    where = clinic()
    held, taken = full_morning(where)
    entry = wish(where, patient("候補"))
    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
    waitlist.offer_in(held.pk, now=NOW)
    offer = open_offer(entry)

    waitlist.accept(offer_id=offer.pk, now=NOW, by=None)
    waitlist.accept(offer_id=offer.pk, now=NOW + HALF, by=None)

    entry.refresh_from_db()
    assert (entry.state, Appointment.objects.get(pk=offer.appointment_id).state) == ("BOOKED", "booked")
    assert [
        row["kind"] for row in sql.rows("select kind from events_event where patient_id = %s and kind <> 'patient.registered' order by id", [entry.patient_id])
    ] == ["waitlist.joined", "waitlist.offered", "appointment.booked", "waitlist.answered"]  # fmt: skip


def test_the_best_ranked_is_asked_first_then_the_next(organization):
    where = clinic()
    held, taken = full_morning(where)
    early, late = wish(where, patient("先候")), wish(where, patient("後候"), now=NOW + HALF)
    urgent = wish(where, patient("急"), now=NOW + 2 * HALF, priority=1)
    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW + 3 * HALF, by=None)

    asked = []
    now = NOW + 3 * HALF
    for _turn in range(3):
        assert waitlist.offer_in(held.pk, now=now) == 1
        offer = WaitlistOffer.objects.get(state="OPEN")
        asked.append(offer.entry_id)
        waitlist.decline(offer_id=offer.pk, now=now, by=None)
    assert asked == [urgent.pk, early.pk, late.pk]
    assert waitlist.offer_in(held.pk, now=now) == 0, "nobody is asked twice about one place"
    assert book(where, held, patient("路過"), now=now).state == "booked"


def test_without_an_answer_the_place_goes_on(committed_organization):
    with in_organization(committed_organization.id):
        where = clinic()
        _held, taken = full_morning(where)
        one, other = wish(where, patient("先候")), wish(where, patient("後候"), now=NOW + HALF)
        services.cancel(appointment_id=taken.pk, reason="patient", now=NOW + HALF, by=None)
    run_all(committed_organization.id, now=NOW + HALF)
    late = NOW + HALF + timedelta(hours=1)

    handlers.by_the_clock(committed_organization.id, now=late)
    run_all(committed_organization.id, now=late)

    with in_organization(committed_organization.id):
        assert list(WaitlistOffer.objects.order_by("offered_at").values_list("entry_id", "state")) == [
            (one.pk, "EXPIRED"), (other.pk, "OPEN"),
        ]  # fmt: skip
        with pytest.raises(errors.OfferOver):
            waitlist.accept(offer_id=WaitlistOffer.objects.get(entry=one).pk, now=late, by=None)
        assert WaitlistEntry.objects.get(pk=one.pk).state == "WAITING"


def test_a_tap_after_the_deadline_still_wins_while_nobody_else_was_asked(organization):
    where = clinic()
    held, taken = full_morning(where)
    entry = wish(where, patient("候補"))
    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
    waitlist.offer_in(held.pk, now=NOW)

    waitlist.accept(offer_id=open_offer(entry).pk, now=NOW + 3 * HALF, by=None)

    entry.refresh_from_db()
    assert entry.state == "BOOKED"


def test_only_places_that_fit_the_wish_are_offered(organization):
    where = clinic()
    colleague = practitioner("王醫師")
    offers(where.service, colleague)
    mine = wish(
        where,
        patient("指定"),
        practitioner_id=where.physician.pk,
        parts=["EVENING"],
        weekdays=[3],
        first_date=date(2026, 3, 17),
    )

    wrong = [
        session(where),
        session(where, starts_at=MORNING + timedelta(hours=9), part="EVENING"),
        session(where, starts_at=MORNING + DAY + timedelta(hours=9), practitioner=colleague, room=None, part="EVENING"),
        session(where, starts_at=MORNING + DAY),
    ]
    assert [waitlist.offer_in(one.pk, now=NOW) for one in wrong] == [0, 0, 0, 0]

    right = session(where, starts_at=MORNING + DAY + timedelta(hours=9), part="EVENING")
    assert waitlist.offer_in(right.pk, now=NOW) == 1
    assert open_offer(mine).appointment.session_id == right.pk


def test_a_wish_is_met_at_once_when_there_is_a_place(organization):
    where = clinic()
    session(where)

    entry = wish(where, patient())

    assert entry.state == "OFFERED"


def test_an_earlier_place_replaces_the_later_appointment(organization):
    where = clinic()
    held, taken = full_morning(where)
    late = session(where, starts_at=MORNING + 3 * DAY)
    who = patient("想早點")
    later = book(where, late, who)
    entry = wish(where, who, instead_of_id=later.pk)
    assert entry.state == "WAITING", "a place after the appointment is no improvement"
    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
    waitlist.offer_in(held.pk, now=NOW)

    waitlist.accept(offer_id=open_offer(entry).pk, now=NOW, by=None)

    later.refresh_from_db()
    assert (later.state, later.cancel_reason) == ("cancelled", "replaced")
    assert Appointment.objects.get(patient_id=who, state="booked").starts_at == MORNING


def test_nobody_is_asked_in_the_night_about_the_early_morning(organization):
    where = clinic()
    held, taken = full_morning(where)  # nine o'clock
    entry = wish(where, patient("候補"))
    midnight = MORNING - timedelta(hours=9)
    services.cancel(appointment_id=taken.pk, reason="patient", now=midnight, by=None)

    assert waitlist.offer_in(held.pk, now=midnight) == 0
    entry.refresh_from_db()
    assert entry.state == "WAITING"
    assert rules.answer_by(midnight, starts_at=MORNING + DAY) == midnight + timedelta(hours=1)


def test_leaving_the_list_frees_the_offered_place(organization):
    where = clinic()
    held, taken = full_morning(where)
    entry = wish(where, patient("候補"))
    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
    waitlist.offer_in(held.pk, now=NOW)

    waitlist.leave(entry_id=entry.pk, reason="patient", now=NOW, by=None)
    waitlist.leave(entry_id=entry.pk, reason="patient", now=NOW, by=None)

    assert WaitlistOffer.objects.get(entry=entry).state == "DECLINED"
    assert book(where, held, patient("路過")).state == "booked"


def test_an_offer_in_a_session_that_closes_is_over(organization):
    where = clinic()
    held, taken = full_morning(where)
    entry = wish(where, patient("候補"))
    services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
    waitlist.offer_in(held.pk, now=NOW)
    offer = open_offer(entry)
    sessions.close_session(session_id=held.pk, reason="", now=NOW, by=None)

    with pytest.raises(errors.OfferOver):
        waitlist.accept(offer_id=offer.pk, now=NOW, by=None)
    assert waitlist.expire(now=NOW) == 1
    offer.refresh_from_db()
    entry.refresh_from_db()
    assert (offer.state, entry.state) == ("WITHDRAWN", "WAITING")


def test_one_wish_per_service_and_dates_that_make_sense(organization):
    where = clinic()
    who = patient()
    first = wish(where, who, key="form")

    assert wish(where, who, key="form").pk == first.pk
    with pytest.raises(errors.AlreadyWaiting):
        wish(where, who)
    with pytest.raises(errors.BadDates):
        wish(where, patient("x"), last_date=date(2026, 3, 15))


def test_wishes_end_with_their_last_day(organization):
    where = clinic()
    entry = wish(where, patient())

    assert waitlist.close_old(now=NOW + 4 * DAY) == 0
    assert waitlist.close_old(now=NOW + 5 * DAY) == 1
    entry.refresh_from_db()
    assert entry.state == "EXPIRED"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_accepting_declining_and_expiring_at_once_ends_in_one_way(committed_organization: Any, seed: int):
    """Forty taps from four processes, some yes, some no, while the clock runs out and others try to book the place."""
    with in_organization(committed_organization.id):
        where = clinic()
        held, taken = full_morning(where)
        entry = wish(where, patient("候補"))
        services.cancel(appointment_id=taken.pk, reason="patient", now=NOW, by=None)
        waitlist.offer_in(held.pk, now=NOW)
        offer = open_offer(entry)
        others = [patient(f"路過{turn}") for turn in range(10)]
    late = NOW + timedelta(hours=1)

    def tap(turn: int) -> Any:
        chance = random.Random(turn)

        def attempt() -> tuple[str, int]:
            what = chance.choice(["accept", "decline", "expire", "book", "leave"])
            try:
                if what == "book":
                    book(where, held, chance.choice(others), now=late)
                elif what == "expire":
                    waitlist.expire(now=late)
                elif what == "leave":
                    waitlist.leave(entry_id=entry.pk, reason="patient", now=late, by=None)
                else:
                    {"accept": waitlist.accept, "decline": waitlist.decline}[what](offer_id=offer.pk, now=late, by=None)
            except (errors.OfferOver, errors.NoPlace, errors.PatientBusy):
                return "refused", 0
            return what, 0

        return attempt

    rush(
        committed_organization.id,
        [[tap(100 * seed + 10 * process + turn) for turn in range(10)] for process in range(4)],
    )

    with in_organization(committed_organization.id):
        winners = Appointment.objects.filter(session=held, state__in=HOLDS)
        offer.refresh_from_db()
        entry.refresh_from_db()
        assert winners.count() <= 1
        accepted = winners.filter(pk=offer.appointment_id).exists()
        assert (offer.state == "ACCEPTED") == accepted
        assert (entry.state == "BOOKED") == accepted
