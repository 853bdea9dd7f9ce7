"""The calendar that a program fetches: what is in it, who may have it, and when it has not changed."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.audit.models import AuditEvent
from careloop.integrations.icalendar import feed, limits, links, meetings, views, writing
from careloop.integrations.icalendar.errors import TooManyLinks, UnknownPractitioner
from careloop.integrations.icalendar.models import CalendarLink
from careloop.integrations.icalendar.tests.support import events, link
from careloop.kernel.ids import new_token, token_hash
from careloop.kernel.masking import mask_name
from careloop.patients.tests.make import patient
from careloop.records.models import Practitioner
from careloop.scheduling import services, sessions
from careloop.scheduling.places import Place
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, practitioner, session
from careloop.tenancy.context import run_before_commit
from careloop.tenancy.models import Location, Organization
from tests.support import inside

HALF = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def fresh_limits(db):
    cache.clear()


@pytest.fixture
def at_now(monkeypatch):
    """Let the door's clock stand; set another time by calling it."""

    def stand(now):
        monkeypatch.setattr(views.timezone, "now", lambda: now)

    stand(NOW)
    return stand


@pytest.fixture
def booked(organization):
    """A clinic with one morning and one patient in it."""
    where = clinic()
    held = session(where)
    return where, held, book(where, held, patient("王小明"))


def fetch(address, **headers):
    return Client().get(address, headers=headers)


# -- what is in it -------------------------------------------------------------------------------------------------


def test_a_practitioner_sees_sessions_and_appointments_without_names(booked, at_now):
    where, held, appointment = booked
    _link, address = link(where.physician)

    answer = fetch(address)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    found = events(answer.content)
    meeting, whole = found[f"appointment-{appointment.pk}@careloop"], found[f"session-{held.pk}@careloop"]
    assert (meeting["DTSTART"].dt, meeting["DTEND"].dt) == (appointment.starts_at, appointment.ends_at)
    assert meeting["DTSTART"].params["TZID"] == "Asia/Taipei"
    assert (str(meeting["STATUS"]), int(meeting["SEQUENCE"])) == ("CONFIRMED", 0)
    assert meeting["LAST-MODIFIED"].dt == appointment.changed_at.replace(microsecond=0)
    assert (whole["DTSTART"].dt, whole["DTEND"].dt) == (held.starts_at, held.ends_at)
    assert where.service.name in meeting["SUMMARY"]
    assert "王" not in answer.content.decode()
    assert where.location.name in str(meeting["LOCATION"])
    assert b"BEGIN:VTIMEZONE\r\nTZID:Asia/Taipei" in answer.content


def test_a_link_with_names_says_who_masked_and_not_what_for(booked, at_now):
    where, _held, _appointment = booked
    _link, address = link(where.physician, with_names=True)

    said = fetch(address).content.decode()

    assert "王○明" in said
    assert "王小明" not in said
    assert where.service.name not in said


def test_names_of_other_locations_stay_out_of_a_link_of_somebody_who_may_not_see_them(organization, at_now):
    where = clinic()
    held, elsewhere = session(where), Location.objects.create(name="分院")
    book(where, held, patient("林美惠", home_location_id=elsewhere.pk))
    book(where, held, patient("陳大文", home_location_id=where.location.pk), at=MORNING + HALF)
    _link, address = link(where.physician, with_names=True, locations=frozenset({where.location.pk}))

    said = fetch(address).content.decode()

    assert "陳○文" in said
    assert "林○惠" not in said
    assert said.count("UID:appointment-") == 2


def test_a_moved_appointment_keeps_its_name_and_rises_and_a_cancelled_one_is_shown_so_for_a_month(booked, at_now):
    where, held, appointment = booked
    _link, address = link(where.physician)
    name = f"appointment-{appointment.pk}@careloop"
    moved = services.move(
        appointment_id=appointment.pk,
        place=Place(held.pk, starts_at=MORNING + HALF),
        version=appointment.version,
        now=NOW,
        by=None,
    )

    one = events(fetch(address).content)[name]
    assert (one["DTSTART"].dt, int(one["SEQUENCE"])) == (MORNING + HALF, 1)

    services.cancel(appointment_id=moved.pk, reason="patient", now=NOW, by=None)
    one = events(fetch(address).content)[name]
    assert (str(one["STATUS"]), int(one["SEQUENCE"])) == ("CANCELLED", 2)

    at_now(NOW + timedelta(days=29))
    assert name in events(fetch(address).content)
    at_now(NOW + timedelta(days=32))
    assert name not in events(fetch(address).content)


def test_a_hold_that_ran_out_never_was_an_appointment(booked, at_now):
    where, held, _appointment = booked
    waiting = book(
        where, held, patient("林美惠"), at=MORNING + HALF, state="pending", held_until=NOW + timedelta(minutes=15)
    )
    _link, address = link(where.physician)
    assert str(events(fetch(address).content)[meetings.uid("appointment", waiting.pk)]["STATUS"]) == "TENTATIVE"

    services.cancel(appointment_id=waiting.pk, reason="hold-expired", now=NOW, by=None)

    assert meetings.uid("appointment", waiting.pk) not in events(fetch(address).content)


def test_a_closed_session_is_called_off(booked, at_now):
    where, held, appointment = booked
    _link, address = link(where.physician)
    sessions.close_session(session_id=held.pk, reason="颱風", now=NOW, by=None)

    found = events(fetch(address).content)

    assert str(found[meetings.uid("session", held.pk)]["STATUS"]) == "CANCELLED"
    assert str(found[meetings.uid("appointment", appointment.pk)]["STATUS"]) == "CANCELLED"
    assert "颱風" not in fetch(address).content.decode()


def test_numbers_are_told(organization, at_now):
    where = clinic()
    held = session(where, mode="NUMBERS")
    appointment = book(where, held, patient("王小明"))
    _link, address = link(where.physician)

    assert f"{appointment.number} 號" in str(
        events(fetch(address).content)[meetings.uid("appointment", appointment.pk)]["SUMMARY"]
    )


def test_only_the_practitioners_own_from_thirty_days_back_to_120_ahead(organization, at_now):
    where = clinic()
    other = practitioner("陳醫師")
    days = {days: session(where, starts_at=MORNING + timedelta(days=days), room=None) for days in (-40, -20, 100, 130)}
    theirs = session(where, practitioner=other, room=None)
    _link, address = link(where.physician)

    found = events(fetch(address).content)

    assert {meetings.uid("session", days[-20].pk), meetings.uid("session", days[100].pk)} == found.keys()
    assert meetings.uid("session", theirs.pk) not in found


# -- the door ------------------------------------------------------------------------------------------------------


def test_a_calendar_that_has_not_changed_is_not_sent_again(booked, at_now):
    where, held, _appointment = booked
    _link, address = link(where.physician)
    first = fetch(address)
    assert first["Cache-Control"] == "private, max-age=0, must-revalidate"

    at_now(NOW + timedelta(minutes=15))
    by_tag = fetch(address, if_none_match=first["ETag"])
    by_time = fetch(address, if_modified_since=first["Last-Modified"])
    assert (by_tag.status_code, by_tag.content, by_time.status_code) == (304, b"", 304)
    assert by_tag["ETag"] == first["ETag"]

    book(where, held, patient("林美惠"), at=MORNING + HALF, now=NOW + timedelta(minutes=15))
    changed = fetch(address, if_none_match=first["ETag"], if_modified_since=first["Last-Modified"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_each_fetch_that_gave_something_leaves_one_note(booked, at_now):
    where, _held, appointment = booked
    made, address = link(where.physician, with_names=True)
    first = fetch(address)
    fetch(address, if_none_match=first["ETag"])
    Client().head(address)

    run_before_commit()

    note = AuditEvent.objects.get(action="calendar.fetched")
    assert (note.actor_kind, note.actor_id, note.target_id) == ("calendar", made.pk, str(made.pk))
    assert note.patients == [appointment.patient_id]
    assert "王" not in json.dumps(note.details, ensure_ascii=False)


def test_a_revoked_link_opens_nothing_at_once(booked, at_now):
    where, _held, _appointment = booked
    made, address = link(where.physician)
    assert fetch(address).status_code == 200

    links.revoke_link(link_id=made.pk, by=None, now=NOW)
    links.revoke_link(link_id=made.pk, by=None, now=NOW)

    assert fetch(address).status_code == 404
    run_before_commit()
    assert AuditEvent.objects.filter(action="calendar_link.revoked").count() == 1


def test_the_calendar_of_somebody_who_left_is_closed(booked, at_now):
    where, _held, _appointment = booked
    _link, address = link(where.physician)
    Practitioner.objects.filter(pk=where.physician.pk).update(is_active=False)

    assert fetch(address).status_code == 404


@pytest.mark.parametrize(
    "address", ["/p/cal/short.ics", f"/p/cal/{'x' * 43}.ics", f"/p/cal/{'x' * 44}.ics", f"/p/cal/{'x' * 43}"]
)
def test_a_token_of_nobody_opens_nothing(db, address):
    assert fetch(address).status_code == 404


def test_only_a_hash_of_the_token_is_kept(organization):
    made, address = link(clinic().physician)

    token = address.removeprefix("/p/cal/").removesuffix(".ics")
    assert bytes(CalendarLink.objects.get(pk=made.pk).token_hash) == token_hash(token)
    assert len(token) == 43


def test_a_link_opens_its_own_clinic_only(booked, other_organization, at_now):
    where, _held, appointment = booked
    link(where.physician)
    with inside(other_organization):
        theirs = practitioner("別家醫師")
        _made, address = link(theirs)
        said = fetch(address).content.decode()

    assert "別家醫師" in said
    assert str(appointment.pk) not in said


def test_a_program_that_asks_all_the_time_is_told_to_wait(booked, at_now, monkeypatch):
    where, _held, _appointment = booked
    _link, address = link(where.physician)
    monkeypatch.setattr(limits, "PER_LINK", 3)
    monkeypatch.setattr(limits, "PER_ADDRESS", 3)

    statuses = [fetch(address).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert int(fetch(address)["Retry-After"]) > 0

    guesses = [fetch(f"/p/cal/{new_token()}.ics").status_code for _ in range(5)]
    assert guesses == [404, 404, 404, 429, 429]


def test_looking_is_all_a_program_can_do(booked, at_now):
    where, _held, _appointment = booked
    _link, address = link(where.physician)

    assert Client().post(address).status_code == 405


def test_a_practitioner_has_ten_links_at_most_and_must_be_at_work(organization):
    where = clinic()
    for _ in range(links.MOST):
        link(where.physician)

    with pytest.raises(TooManyLinks):
        link(where.physician)
    with pytest.raises(UnknownPractitioner):
        links.create_link(practitioner_id=uuid4(), with_names=False, locations=None, by=None, now=NOW)


# -- any appointments at all ---------------------------------------------------------------------------------------

names = st.text(min_size=1, max_size=60)
moments = st.datetimes(datetime(2026, 2, 20), datetime(2026, 7, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
appointments = st.fixed_dictionaries({
    "id": st.uuids(version=4), "patient_id": st.uuids(), "starts_at": moments, "minutes": st.integers(1, 240),
    "number": st.one_of(st.none(), st.integers(1, 999)), "state": st.sampled_from(sorted(meetings.STATUS)),
    "sequence": st.integers(0, 50), "created_at": moments, "changed_at": moments, "location": names, "address": names, "room": names,
    "service": names, "services": st.just({}), "patient": st.one_of(st.just(""), names),
})  # fmt: skip


@settings(max_examples=60)
@given(
    rows=st.lists(appointments, max_size=6, unique_by=lambda one: one["id"]), who=names,
    zone=st.sampled_from(["Asia/Taipei", "Europe/Berlin", "America/New_York"]),
)  # fmt: skip
def test_what_is_written_is_read_back_equal(rows, who, zone):
    door = links.Opened(
        CalendarLink(), Practitioner(name=who), Organization(name=who, time_zone=zone, language="zh-hant")
    )
    found = [{**one, "ends_at": one["starts_at"] + timedelta(minutes=one["minutes"])} for one in rows]

    read = events(feed.write(door, feed.Rows([], found, b""), now=NOW))

    assert read.keys() == {meetings.uid("appointment", one["id"]) for one in found}
    for one in found:
        event = read[meetings.uid("appointment", one["id"])]
        assert not event.errors
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (one["starts_at"], one["ends_at"]) or _is_told_twice(
            one, zone
        )
        assert int(event["SEQUENCE"]) == one["sequence"]
        assert str(event["STATUS"]) == meetings.STATUS[one["state"]]
        assert (event["CREATED"].dt, event["LAST-MODIFIED"].dt) == (one["created_at"], one["changed_at"])
        assert str(event["LOCATION"]) == writing.plain(", ".join((one["room"], one["location"], one["address"])))
        assert writing.plain(mask_name(one["patient"]) if one["patient"] else one["service"]) in str(event["SUMMARY"])


def _is_told_twice(one, zone):
    """Whether a clock shows this time twice, in autumn: a calendar file cannot tell which is meant."""
    return any(
        at.astimezone(ZoneInfo(zone)).fold or (at + timedelta(hours=1)).astimezone(ZoneInfo(zone)).fold
        for at in (one["starts_at"], one["ends_at"])
    )


def test_a_full_calendar_is_written_in_no_time():
    import time

    rows = [
        {
            "id": UUID(int=n), "patient_id": UUID(int=n), "starts_at": MORNING + timedelta(minutes=15 * n), "ends_at": MORNING + timedelta(minutes=15 * n + 15),
            "number": n, "state": "booked", "sequence": 1, "created_at": NOW, "changed_at": NOW, "location": "安心診所", "address": "台北市", "room": "1 診",
            "service": "洗牙", "services": {}, "patient": "王小明",
        }
        for n in range(4500)
    ]  # fmt: skip
    door = links.Opened(
        CalendarLink(), Practitioner(name="林"), Organization(name="安心", time_zone="Asia/Taipei", language="zh-hant")
    )

    began = time.perf_counter()
    file = feed.write(door, feed.Rows([], rows, b""), now=NOW)

    assert file.count(b"BEGIN:VEVENT") == 4500
    assert time.perf_counter() - began < 3  # 0.2 s on a quiet machine
