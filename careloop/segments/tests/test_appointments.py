"""Segments about appointments: who is in, and who leaves when a new one is booked."""

from datetime import timedelta

import pytest

from careloop.events.readers import run_reader
from careloop.events.registry import READERS
from careloop.facts import services as facts
from careloop.kernel import sql
from careloop.patients.models import Patient
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.scheduling.tests import make
from careloop.segments import language, library
from careloop.segments.compile import ask_at, compile_rule
from careloop.segments.models import Member
from careloop.tenancy.context import in_organization

from . import support

DAY = timedelta(days=1)


class Diary:
    """A clinic in which appointments are made and missed."""

    def __init__(self, now):
        self.now, self.clinic = now, make.clinic()

    def book(self, patient, days, *, made=-3):
        starts_at = (self.now + days * DAY).replace(hour=1, minute=0, second=0, microsecond=0)
        held = make.session(self.clinic, starts_at=starts_at, practitioner=make.practitioner("林怡君"), room=None)
        make.offers(self.clinic.service, held.practitioner)
        return make.book(self.clinic, held, patient.pk, now=self.now + (days if days < 0 else 0) * DAY + made * DAY)

    def miss(self, patient, days):
        self.book(patient, days)
        sessions.note_missed(now=self.now + days * DAY + timedelta(hours=20))


@pytest.fixture
def diary(organization, now):
    return Diary(now)


def who(rule, now):
    facts.refresh(list(Patient.objects.values_list("pk", flat=True)), now=now)
    compiled = compile_rule(language.read(rule), ask=ask_at(now))
    return {row["patient_id"] for row in sql.rows(compiled.members(), compiled.parameters)}


@pytest.mark.parametrize(
    ("rule", "within"),
    [
        ({"field": "next_appointment", "op": "exists"}, {"booked"}),
        ({"field": "next_appointment", "op": "none"}, {"missed", "nobody"}),
        ({"field": "next_appointment", "op": "within_next_days", "days": 5}, set()),
        ({"field": "next_appointment", "op": "within_next_days", "days": 7}, {"booked"}),
        ({"field": "next_appointment", "op": "more_than_days_ahead", "days": 5}, {"booked"}),
        ({"field": "no_shows_12m", "op": "at_least", "count": 1}, {"missed", "booked"}),
        ({"field": "last_no_show", "op": "neither_came_nor_booked"}, {"missed"}),
        ({"field": "last_booked", "op": "never"}, {"nobody"}),
        ({"field": "kept_appointments", "op": "at_most", "count": 0}, {"missed", "booked", "nobody"}),
        ({"field": "last_kept", "op": "known"}, set()),
    ],
)
def test_rules_about_appointments_find_the_right_people(diary, now, rule, within):
    people = {name: support.a_patient() for name in ("missed", "booked", "nobody")}
    diary.miss(people["missed"], -10)
    diary.miss(people["booked"], -20)
    diary.book(people["booked"], 6)

    assert who(rule, now) == {people[name].pk for name in within}


def test_who_came_since_is_not_called_missing(diary, now):
    seen, elsewhere = support.a_patient(), support.a_patient()
    for patient in (seen, elsewhere):
        diary.miss(patient, -10)
    support.visit(seen, now - 5 * DAY)
    support.visit(elsewhere, now - 50 * DAY)

    assert who({"field": "last_no_show", "op": "neither_came_nor_booked"}, now) == {elsewhere.pk}


def test_a_booking_takes_the_patient_out_of_the_segment_by_the_readers(committed_organization, now):
    def read():
        for name in ("facts", "segments"):
            while run_reader(READERS[name], committed_organization.id, now=now):
                pass

    with in_organization(committed_organization.id):
        diary, patient = Diary(now), support.a_patient()
        diary.miss(patient, -10)
    read()
    with in_organization(committed_organization.id):
        segment = library.take_over("missed-not-rebooked", by=None, now=now)
        assert [one.patient_id for one in Member.objects.filter(segment=segment)] == [patient.pk]
        booked = diary.book(patient, 6)
    read()
    with in_organization(committed_organization.id):
        assert not Member.objects.filter(segment=segment).exists()
        scheduling.cancel(appointment_id=booked.pk, reason="patient", now=now, by=None)
    read()
    with in_organization(committed_organization.id):
        assert [one.patient_id for one in Member.objects.filter(segment=segment)] == [patient.pk]
