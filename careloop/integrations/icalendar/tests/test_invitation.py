"""One appointment in the patient's own calendar: put in, moved, taken out, and never saying what for."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from careloop.audit.models import AuditEvent
from careloop.integrations.icalendar.invitation import invitation
from careloop.integrations.icalendar.tests.support import events
from careloop.kernel.ids import token_hash
from careloop.messaging import links as doors
from careloop.messaging.models import AnswerLink, ChannelAccount, Message
from careloop.patients.tests.make import patient
from careloop.portal import linked_visits
from careloop.records.models import Practitioner
from careloop.scheduling import services
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, session
from careloop.tenancy.context import run_before_commit
from careloop.tenancy.models import Location, Organization

HALF = timedelta(minutes=30)


@pytest.fixture
def booked(organization):
    where = clinic()
    held = session(where)
    return where, held, book(where, held, patient("王小明"))


def only(file: bytes):
    (one,) = events(file).values()
    return one


def method(file: bytes) -> str:
    return str(Calendar.from_ical(file)["METHOD"])


def test_an_invitation_says_when_where_and_with_whom_and_not_what_for(booked):
    where, _held, appointment = booked
    Organization.objects.filter(pk=appointment.organization_id).update(phone="02-2345-6789")

    file = invitation(appointment)
    one = only(file)

    assert method(file) == "REQUEST"
    assert (one["DTSTART"].dt, one["DTEND"].dt) == (appointment.starts_at, appointment.ends_at)
    assert one["DTSTART"].params["TZID"] == "Asia/Taipei"
    assert str(one["ORGANIZER"]).startswith("mailto:")
    assert one["ORGANIZER"].params["CN"] == "安心診所"
    assert "安心診所" in str(one["SUMMARY"])
    assert where.location.name in str(one["LOCATION"])
    assert "林怡君" in str(one["DESCRIPTION"])
    assert "02-2345-6789" in str(one["DESCRIPTION"])
    assert where.service.name not in file.decode()
    assert "王小明" not in file.decode()


def test_a_moved_appointment_is_the_same_one_with_a_higher_sequence(booked):
    _where, held, appointment = booked
    before = only(invitation(appointment))

    moved = services.move(
        appointment_id=appointment.pk,
        place=Place(held.pk, starts_at=MORNING + HALF),
        version=appointment.version,
        now=NOW,
        by=None,
    )
    file = invitation(moved)
    after = only(file)

    assert method(file) == "REQUEST"
    assert after["UID"] == before["UID"]
    assert int(after["SEQUENCE"]) > int(before["SEQUENCE"])
    assert after["DTSTART"].dt == MORNING + HALF


def test_a_cancelled_appointment_is_taken_out(booked):
    _where, _held, appointment = booked
    before = only(invitation(appointment))

    file = invitation(services.cancel(appointment_id=appointment.pk, reason="patient", now=NOW, by=None))
    after = only(file)

    assert (method(file), str(after["STATUS"]), after["UID"]) == ("CANCEL", "CANCELLED", before["UID"])
    assert int(after["SEQUENCE"]) > int(before["SEQUENCE"])


def test_it_speaks_the_patients_language_and_names_whom_it_is_sent_to(booked):
    _where, _held, appointment = booked

    one = only(invitation(appointment, language="en", attendee="amy@example.test"))

    assert str(one["SUMMARY"]) == "Appointment at 安心診所"
    assert str(one["ATTENDEE"]) == "mailto:amy@example.test"


def test_the_organizer_is_the_address_the_clinic_writes_from(booked):
    _where, _held, appointment = booked
    ChannelAccount.objects.create(
        channel="email",
        kind="email",
        name="mail",
        settings={"from_address": "hello@clinic.test"},
        is_default=True,
        created_at=NOW,
        changed_at=NOW,
    )

    assert str(only(invitation(appointment))["ORGANIZER"]) == "mailto:hello@clinic.test"


@settings(max_examples=40)
@given(data=st.data())
def test_any_appointment_is_read_back_equal(organization, data):
    text = st.text(max_size=60).map(lambda said: said.replace("\x00", "").encode("utf-8", "ignore").decode())
    plain = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"), min_size=1, max_size=60)
    Organization.objects.filter(pk=organization.pk).update(name=(name := data.draw(plain)))
    starts_at = data.draw(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1))).replace(microsecond=0)
    starts_at = starts_at.replace(tzinfo=UTC)
    made = Appointment(
        id=uuid4(), organization_id=organization.pk, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=data.draw(st.integers(1, 300))),
        state=data.draw(st.sampled_from(["booked", "cancelled", "noshow", "arrived", "proposed"])), sequence=data.draw(st.integers(0, 99)),
        number=data.draw(st.one_of(st.none(), st.integers(1, 999))), created_at=NOW, changed_at=NOW,
    )  # fmt: skip
    made.practitioner, made.location = (
        Practitioner(name=data.draw(text)),
        Location(name=data.draw(plain), address=data.draw(text)),
    )

    file = invitation(made)
    one = only(file)

    assert not one.errors
    assert one["ORGANIZER"].params["CN"] == name
    assert (one["DTSTART"].dt, one["DTEND"].dt, int(one["SEQUENCE"])) == (made.starts_at, made.ends_at, made.sequence)
    assert method(file) == ("CANCEL" if made.state == "cancelled" else "REQUEST")
    assert made.location.name in str(one["LOCATION"])


# -- the download in a message -------------------------------------------------------------------------------------


@pytest.fixture
def told(booked):
    """A function: a message about the appointment, and the address of its file."""

    def send(*, about="", to=None):
        _where, _held, appointment = booked
        about = appointment.pk if about == "" else about
        message = Message.objects.create(
            key=f"visit:{uuid4()}", patient_id=to or appointment.patient_id, message_class="TRANSACTION", due_at=NOW, planned_at=NOW,
            origin="appointment", language="en", **({"appointment_id": about, "appointment_sequence": 0, "appointment_state": "booked"} if about else {}),
        )  # fmt: skip
        token = doors.token_of(appointment.organization_id, message.pk)
        AnswerLink.objects.create(token_hash=token_hash(token), message=message, expires_at=NOW + timedelta(days=3650))
        return f"/p/ics/{token}/"

    return send


def test_a_patient_takes_the_visit_from_the_link_in_a_message(booked, told):
    _where, _held, appointment = booked

    answer = Client().get(told())

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8; method=REQUEST"
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    assert only(answer.content)["UID"] == f"appointment-{appointment.pk}@careloop"
    run_before_commit()
    note = AuditEvent.objects.get(action="invitation.fetched")
    assert (note.actor_kind, note.patients) == ("patient", [appointment.patient_id])


def test_the_same_link_gives_the_visit_as_it_is_now(booked, told):
    _where, _held, appointment = booked
    address = told()
    services.cancel(appointment_id=appointment.pk, reason="clinic", now=NOW, by=None)

    answer = Client().get(address)

    assert "method=CANCEL" in answer["Content-Type"]
    assert int(only(answer.content)["SEQUENCE"]) == 1


def test_the_page_of_the_visit_leads_to_it(booked, told, monkeypatch):
    monkeypatch.setattr(linked_visits.timezone, "now", lambda: NOW)
    address = told()

    page = Client().get(address.replace("/ics/", "/a/")).content.decode()

    assert f'href="{address}"' in page
    assert "Into my calendar" in page


def test_a_message_about_something_else_or_somebody_elses_visit_gives_nothing(booked, told):
    stranger = patient("林美惠")

    assert Client().get(told(about=uuid4())).status_code == 404
    assert Client().get(told(about=None)).status_code == 404
    assert Client().get(told(to=stranger)).status_code == 404
    assert Client().get(f"/p/ics/{'x' * 43}/").status_code == 404
    assert Client().post(told()).status_code == 405
