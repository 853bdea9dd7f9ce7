"""What appointments say about a patient: the next one, the missed, the kept; the same by the reader, in any order, and by a rebuild."""

import random
from datetime import date, timedelta

import pytest

from careloop.events.registry import READERS
from careloop.facts import rules, services
from careloop.facts.models import PatientFacts
from careloop.kernel import sql
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place
from careloop.scheduling.tests import make

from .test_facts import TAIPEI, a_patient, event, row

DAY = timedelta(days=1)
NAMES = (
    "next_appointment_on",
    "last_no_show_on",
    "last_kept_on",
    "last_booked_on",
    "no_shows_12m",
    "kept_appointments",
)


class Booked:
    """One patient, and sessions to book in."""

    def __init__(self, now):
        self.now, self.patient, self.clinic = now, a_patient(), make.clinic()

    def session(self, days):
        starts_at = (self.now + days * DAY).replace(hour=1, minute=0, second=0, microsecond=0)
        return make.session(self.clinic, starts_at=starts_at)

    def book(self, days, *, made=0, **more):
        """Book a visit so many days from today, made so many days from today."""
        return make.book(self.clinic, self.session(days), self.patient.pk, now=self.now + made * DAY, **more)

    def miss(self, days):
        found = self.book(days, made=days - 3)
        sessions.note_missed(now=self.now + days * DAY + timedelta(hours=20))
        return found

    def keep(self, days):
        found = self.book(days, made=days - 3)
        scheduling.arrive(appointment_id=found.pk, now=found.starts_at, by=None)
        return scheduling.fulfil(appointment_id=found.pk, now=found.ends_at, by=None)

    def facts(self, *, now=None):
        services.refresh([self.patient.pk], now=now or self.now)
        found = row(self.patient)
        return {name: getattr(found, name) for name in NAMES}


@pytest.fixture
def someone(organization, now):
    return Booked(now)


def on(now, days) -> date:
    return (now + days * DAY).astimezone(TAIPEI).date()


def slowly(patient, today) -> dict:
    """The same, worked out in Python from the appointments."""
    year_ago = rules.a_year_before(today)
    found = [
        (one.starts_at.astimezone(TAIPEI).date(), one)
        for one in Appointment.objects.filter(patient=patient).exclude(state__in=services.NO_APPOINTMENT)
    ]
    missed = [day for day, one in found if one.state == "noshow" and day <= today]
    kept = [day for day, one in found if one.state in services.KEPT and day <= today]
    return {
        "next_appointment_on": min((day for day, one in found if one.state in services.STANDS and day >= today), default=None),
        "last_no_show_on": max(missed, default=None), "no_shows_12m": sum(day > year_ago for day in missed),
        "last_kept_on": max(kept, default=None), "kept_appointments": len(kept),
        "last_booked_on": max((one.created_at.astimezone(TAIPEI).date() for _day, one in found), default=None),
    }  # fmt: skip


def test_who_never_booked_has_none_of_it(someone):
    assert someone.facts() == {**dict.fromkeys(NAMES), "no_shows_12m": 0, "kept_appointments": 0}


def test_the_next_appointment_is_the_earliest_that_stands(someone, now):
    someone.book(20, made=-4)
    near = someone.book(6, made=-2)
    assert (someone.facts()["next_appointment_on"], someone.facts()["last_booked_on"]) == (on(now, 6), on(now, -2))

    scheduling.cancel(appointment_id=near.pk, reason="patient", now=now, by=None)
    assert someone.facts()["next_appointment_on"] == on(now, 20)


def test_moved_it_is_on_the_new_day(someone, now):
    found, later = someone.book(6), someone.session(9)
    scheduling.move(
        appointment_id=found.pk,
        place=Place(later.pk, starts_at=later.starts_at),
        version=found.version,
        now=now,
        by=None,
    )

    assert someone.facts()["next_appointment_on"] == on(now, 9)


def test_missed_and_kept_are_counted_and_the_year_moves_on(someone, now):
    someone.miss(-300)
    someone.miss(-40)
    someone.keep(-20)
    assert someone.facts() == {
        "next_appointment_on": None, "last_no_show_on": on(now, -40), "no_shows_12m": 2, "last_kept_on": on(now, -20),
        "kept_appointments": 1, "last_booked_on": on(now, -23),
    }  # fmt: skip

    services.advance(now=now + 70 * DAY)
    assert (row(someone.patient).no_shows_12m, row(someone.patient).last_no_show_on) == (1, on(now, -40))


def test_a_day_that_has_passed_is_no_next_appointment(someone, now):
    someone.book(3)
    assert someone.facts()["next_appointment_on"] == on(now, 3)

    services.advance(now=now + 3 * DAY)
    assert row(someone.patient).next_appointment_on == on(now, 3)  # it is today
    services.advance(now=now + 4 * DAY)
    assert row(someone.patient).next_appointment_on is None


def test_a_place_held_and_given_up_is_no_booking(someone, now):
    held = someone.book(5, state="pending", held_until=now + timedelta(minutes=15))
    assert someone.facts()["last_booked_on"] is None
    scheduling.cancel(appointment_id=held.pk, reason="hold-expired", now=now, by=None)

    assert someone.facts() == {**dict.fromkeys(NAMES), "no_shows_12m": 0, "kept_appointments": 0}


def test_entered_in_error_was_never_there(someone, now):
    found = someone.miss(-5)
    sql.execute("update scheduling_appointment set state = 'entered-in-error' where id = %s", [found.pk])

    assert someone.facts()["no_shows_12m"] == 0


@pytest.mark.parametrize("seed", range(6))
def test_events_late_twice_and_out_of_order_come_to_the_same_as_a_rebuild_and_as_slow_python(
    organization, now, monkeypatch, seed
):
    monkeypatch.setattr("careloop.facts.handlers.reading_now", lambda: now)
    dice, someone = random.Random(seed), Booked(now)
    days = dice.sample(range(-400, 60), 14)
    for day in days:
        if day < -2:
            dice.choice((someone.miss, someone.keep))(day)
            continue
        found = someone.book(day if day > 0 else 1 - day, made=-6)
        if dice.random() < 0.4:
            scheduling.cancel(appointment_id=found.pk, reason="patient", now=now, by=None)
    told = [
        event(one["kind"], someone.patient, at=now)
        for one in sql.rows(
            "select kind from events_event where patient_id = %s and kind like 'appointment.%%'", [someone.patient.pk]
        )
    ]
    dice.shuffle(told)
    handle = READERS["facts"].handle
    handle(told[: len(told) // 2])
    handle(told[len(told) // 3 :])

    by_reader = PatientFacts.objects.filter(patient=someone.patient).values(*services.COLUMNS).get()
    PatientFacts.objects.all().delete()
    services.rebuild(organization.id, now=now)

    assert PatientFacts.objects.filter(patient=someone.patient).values(*services.COLUMNS).get() == by_reader
    slow = slowly(someone.patient, now.astimezone(TAIPEI).date())
    assert {name: by_reader[name] for name in slow} == slow
