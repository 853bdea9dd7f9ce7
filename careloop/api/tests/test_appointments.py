"""Booking by another program: as the desk does, or with the rules for patients; a lost place comes with others near it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from careloop.api.tests.test_api import Api
from careloop.audit.models import AuditEvent
from careloop.patients.tests.make import patient
from careloop.scheduling import services
from careloop.scheduling.models import Appointment
from careloop.scheduling.tests import make
from careloop.tenancy.context import run_before_commit


@pytest.fixture
def api(organization, now):
    from careloop.api import services as tokens

    def make_one(*scopes):
        _token, secret = tokens.create_token(
            name=f"program {uuid4()}", scopes=scopes or ["appointments:read", "appointments:write"], by=None, now=now
        )
        return Api(secret)

    return make_one


@pytest.fixture
def where(organization):
    return make.clinic()


def tomorrow(hour: int = 1):
    return (timezone.now() + timedelta(days=1)).replace(hour=hour, minute=0, second=0, microsecond=0)


@pytest.fixture
def morning(where):
    return make.session(where, starts_at=tomorrow())


def wish(where, session, who, at=None, **more):
    return {
        "patient_id": str(who), "service_id": str(where.service.pk), "session_id": str(session.pk),
        "starts_at": (at or session.starts_at).isoformat(), **more,
    }  # fmt: skip


def test_a_program_finds_a_free_place_books_it_and_reads_it_back(api, where, morning):
    program, who = api(), patient()

    (service,) = [one for one in program.get("/services").json() if one["id"] == str(where.service.pk)]
    free = program.get("/free-places", service_id=service["id"], practitioner_id=str(where.physician.pk)).json()
    made = program.post(
        "/appointments",
        {"patient_id": str(who), "service_id": service["id"]} | {k: free[1][k] for k in ("session_id", "starts_at")},
    )

    assert made.status_code == 201
    assert (made.json()["state"], made.json()["source"], made.json()["version"]) == ("booked", "api", 1)
    assert program.get(f"/appointments/{made.json()['id']}").json() == made.json()
    assert [one["id"] for one in program.get("/appointments", patient_id=str(who)).json()["items"]] == [
        made.json()["id"]
    ]
    left = program.get("/free-places", service_id=service["id"], practitioner_id=str(where.physician.pk)).json()
    assert free[1]["starts_at"] not in {one["starts_at"] for one in left}


def test_who_comes_too_late_is_told_and_shown_places_near(api, where, morning):
    program = api()
    program.post("/appointments", wish(where, morning, patient()))

    refused = program.post("/appointments", wish(where, morning, patient()))

    assert (refused.status_code, refused.json()["code"]) == (409, "scheduling.place_taken")
    near = refused.json()["details"]["alternatives"]
    assert [one["session_id"] for one in near] == [str(morning.pk)] * 3
    assert (
        program.post("/appointments", wish(where, morning, patient(), starts_at=near[0]["starts_at"])).status_code
        == 201
    )


def test_one_key_books_once_and_is_refused_for_something_else(api, where, morning):
    program, key, who = api(), str(uuid4()), patient()
    body = wish(where, morning, who)

    first, again = (program.post("/appointments", body, **{"idempotency-key": key}) for _turn in range(2))
    other = program.post("/appointments", wish(where, morning, patient()), **{"idempotency-key": key})
    elsewhen = wish(where, morning, who, at=morning.starts_at + timedelta(minutes=30))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (422, "api.key_used")
    assert program.post("/appointments", elsewhen, **{"idempotency-key": key}).json()["code"] == "api.key_used"
    assert Appointment.objects.filter(patient_id=who).count() == 1


def test_an_appointment_is_moved_confirmed_come_to_and_called_off_by_its_version(api, where, morning):
    program = api()
    made = program.post("/appointments", wish(where, morning, patient())).json()
    later = {"session_id": str(morning.pk), "starts_at": (morning.starts_at + timedelta(hours=1)).isoformat()}

    moved = program.post(f"/appointments/{made['id']}/move", {**later, "version": made["version"]})
    stale = program.post(f"/appointments/{made['id']}/move", {**later, "version": made["version"]})
    old = program.post(f"/appointments/{made['id']}/confirm", {"sequence": made["sequence"]})
    confirmed = program.post(f"/appointments/{made['id']}/confirm", {"sequence": moved.json()["sequence"]})
    arrived = program.post(f"/appointments/{made['id']}/arrive", {})
    gone = program.post(f"/appointments/{made['id']}/cancel", {"reason": "patient"})

    assert (moved.status_code, moved.json()["version"], moved.json()["sequence"]) == (200, 2, 1)
    assert {stale.json()["code"], old.json()["code"]} == {"scheduling.changed_meanwhile"}
    assert confirmed.json()["confirmed_at"]
    assert arrived.json()["state"] == "arrived"
    assert (gone.json()["state"], gone.json()["cancel_reason"]) == ("cancelled", "patient")


def test_the_rules_for_patients_bind_only_whoever_books_as_one(api, where, morning):
    where.service.notice_minutes = 60 * 24 * 3
    where.service.save()
    program, who = api(), patient()

    as_patient = program.post("/appointments", wish(where, morning, who, as_patient=True))
    as_desk = program.post("/appointments", wish(where, morning, who))

    assert as_patient.json()["code"] == "scheduling.too_late"
    assert as_desk.status_code == 201


def test_nobody_is_booked_who_is_not_there_and_no_time_without_an_offset(api, where, morning):
    program = api()
    naive = wish(where, morning, patient(), starts_at="2027-01-01T09:00:00")

    assert program.post("/appointments", wish(where, morning, uuid4())).status_code == 404
    assert program.get(f"/appointments/{uuid4()}").status_code == 404
    refused = program.post("/appointments", naive)
    assert (refused.status_code, refused.json()["details"]["places"][0]["place"]) == (422, "starts_at")


def test_a_number_is_given_in_turn_or_as_wished(api, where):
    session = make.session(where, starts_at=tomorrow(), mode="NUMBERS")
    program = api()
    body = {"service_id": str(where.service.pk), "session_id": str(session.pk)}

    made = [
        program.post("/appointments", {**body, "patient_id": str(patient()), **more}).json()["number"]
        for more in ({}, {"number": 7}, {})
    ]

    assert made == [1, 7, 2]
    assert program.post("/appointments", {**body, "patient_id": str(patient()), "number": 7}).status_code == 409


def test_reading_does_not_allow_booking_and_leaves_traces(api, where, morning):
    who = patient()
    made = make.book(where, morning, who, now=timezone.now())
    reader = api("appointments:read")

    assert reader.post("/appointments", wish(where, morning, who)).json()["code"] == "api.scope_needed"
    assert reader.post(f"/appointments/{made.pk}/cancel", {}).json()["code"] == "api.scope_needed"
    reader.get("/appointments", practitioner_id=str(where.physician.pk))
    run_before_commit()
    seen = AuditEvent.objects.filter(action="appointments.listed").latest("pk")
    assert seen.via == "api"


def test_pages_follow_each_other_without_repeating(api, where, morning):
    for half_hours in range(5):
        make.book(
            where, morning, patient(), at=morning.starts_at + half_hours * timedelta(minutes=30), now=timezone.now()
        )
    program, seen, cursor = api(), [], ""

    while True:
        page = program.get("/appointments", location_id=str(where.location.pk), limit=2, cursor=cursor).json()
        seen += [one["starts_at"] for one in page["items"]]
        if not (cursor := page["next"] or ""):
            break

    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)


def test_what_only_a_visitor_holds_is_nobodys_appointment(api, where, morning):
    held = services.book(
        patient_id=None, service_id=where.service.pk, source="portal", key="", now=timezone.now(), by=None, state="pending",
        held_until=timezone.now() + services.HOLD, place=make.Place(morning.pk, starts_at=morning.starts_at),
    )  # fmt: skip

    assert api().get("/appointments").json()["items"] == []
    assert api().get(f"/appointments/{held.pk}").json()["patient_id"] is None
