"""Sessions of the days ahead, closed ones, substitutes and leave."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.utils import translation

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling import errors, handlers, holidays, planning, services, sessions
from careloop.scheduling.models import Appointment, DayException, Session, Template
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, offers, practitioner, session

HALF = timedelta(minutes=30)


def week(where, **more):
    """Tuesday mornings from nine to twelve."""
    values = {
        "practitioner_id": where.physician.pk, "location_id": where.location.pk, "room_id": where.room.pk, "weekday": 2,
        "starts": time(9, 0), "ends": time(12, 0), "mode": "SLOTS", "slot_minutes": 30, "valid_from": date(2026, 3, 1),
    }  # fmt: skip
    return planning.set_template(values={**values, **more}, now=NOW, by=None)


def kinds(patient_id):
    return [
        (row["kind"], row["payload"].get("reason") or row["payload"].get("what") or "")
        for row in sql.rows("select kind, payload from events_event where patient_id = %s and kind like 'appointment%%' order by id", [patient_id])
    ]  # fmt: skip


# -- planning ------------------------------------------------------------------------------------------------------


def test_a_week_becomes_dated_sessions_in_clinic_time(organization):
    where = clinic()

    template = week(where)

    first = Session.objects.order_by("starts_at").first()
    assert (first.on_date, first.starts_at, first.part) == (date(2026, 3, 17), MORNING, "MORNING")
    assert Session.objects.filter(template=template).count() == 18  # the Tuesdays of 120 days
    assert planning.plan(now=NOW) == 0


def test_public_holidays_have_no_session_unless_the_clinic_says_so(organization):
    where = clinic()
    week(where, weekday=5)
    dragon_boat = date(2026, 6, 19)
    assert not Session.objects.filter(on_date=dragon_boat).exists()

    DayException.objects.create(on_date=dragon_boat, is_open=True)
    planning.plan(now=NOW)

    assert Session.objects.filter(on_date=dragon_boat).exists()


def test_a_day_the_clinic_calls_off_has_no_session(organization):
    where = clinic()
    DayException.objects.create(on_date=date(2026, 3, 24), name="員工旅遊")

    week(where)

    assert not Session.objects.filter(on_date=date(2026, 3, 24)).exists()
    assert holidays.closed_days(first=date(2026, 3, 20), last=date(2026, 3, 31)) == {date(2026, 3, 24): "員工旅遊"}


def test_the_public_holidays_are_those_of_the_office_calendar(shared):
    """Days off that are no Saturdays and Sundays, as the government lists them."""
    import csv

    for year, name in ((2026, "roc115"), (2027, "roc116")):
        with open(shared / f"data/calendar/{name}-government-office-calendar.csv", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))[1:]
        off = {datetime.strptime(row[0], "%Y%m%d").date() for row in rows if row[2] == "2"}

        ours = holidays.public_holidays("TW", year)

        assert {day for day in off if day.isoweekday() < 6} == {day for day in ours if day.isoweekday() < 6}


def test_changing_the_week_moves_empty_sessions_and_keeps_those_with_patients(organization):
    where = clinic()
    template = week(where)
    first, second = Session.objects.order_by("starts_at")[:2]
    booked = book(where, first, patient())

    planning.set_template(template_id=template.pk, values={"starts": time(10, 0)}, now=NOW, by=None)

    first.refresh_from_db()
    booked.refresh_from_db()
    assert (first.starts_at, booked.starts_at) == (MORNING, MORNING)
    assert not Session.objects.filter(pk=second.pk).exists()
    assert Session.objects.filter(on_date=second.on_date).get().starts_at == second.starts_at + timedelta(hours=1)


def test_an_ended_week_leaves_only_sessions_with_patients(organization):
    where = clinic()
    template = week(where)
    third = Session.objects.order_by("starts_at")[2]
    book(where, third, patient())

    left = planning.end_template(template_id=template.pk, last=date(2026, 3, 17), now=NOW, by=None)

    assert left == 1
    assert list(Session.objects.order_by("starts_at").values_list("on_date", flat=True)) == [
        date(2026, 3, 17),
        third.on_date,
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ends": time(8, 0)}, "must end after it begins"),
        ({"mode": "NUMBERS", "numbers": 0}, "how many numbers"),
        ({"mode": "NUMBERS", "numbers": 9, "pools": [{"pool": "BOOKED", "first": 1, "last": 12}]}, "numbers that the session does not have"),
        (
            {"mode": "NUMBERS", "numbers": 9,
             "pools": [{"pool": "BOOKED", "first": 1, "last": 5}, {"pool": "WALK_IN", "first": 5, "last": 9}]},
            "kept for two groups",
        ),
    ],
)  # fmt: skip
def test_a_week_that_makes_no_sense_is_refused_in_words(organization, values, words):
    with translation.override("en"), pytest.raises(errors.BadTemplate, match=words):
        week(clinic(), **values)

    assert not Template.objects.exists()


def test_a_practitioner_has_one_session_at_a_time_in_the_week(organization):
    where = clinic()
    week(where)

    with pytest.raises(errors.OverlappingTemplate):
        week(where, starts=time(11, 30), ends=time(13, 0), room_id=None)
    week(where, starts=time(12, 0), ends=time(13, 0))


# -- closing and substitutes ---------------------------------------------------------------------------------------


def test_closing_a_session_calls_everybody_off_once_and_lets_nobody_in(organization):
    where = clinic()
    held = session(where)
    one, other = patient(), patient("陳大文")
    book(where, held, one)
    book(where, held, other, at=MORNING + HALF)

    assert sessions.close_session(session_id=held.pk, reason="醫師進修", now=NOW, by=None) == 2
    assert sessions.close_session(session_id=held.pk, reason="again", now=NOW, by=None) == 0

    assert kinds(one)[-1] == ("appointment.cancelled", "session-closed")
    assert set(Appointment.objects.values_list("state", "sequence")) == {("cancelled", 1)}
    with pytest.raises(errors.SessionClosed):
        book(where, held, patient())


def test_a_closed_session_leaves_the_practitioner_free_for_another(organization):
    where = clinic()
    held = session(where)
    sessions.close_session(session_id=held.pk, reason="", now=NOW, by=None)

    session(where)

    with pytest.raises(errors.OverlappingTemplate):
        sessions.reopen_session(session_id=held.pk, now=NOW, by=None)


def test_a_substitute_takes_the_patients_and_they_are_told(organization):
    where = clinic()
    colleague = practitioner("王醫師")
    held, who = session(where), patient()
    made = book(where, held, who)

    assert sessions.substitute(session_id=held.pk, practitioner_id=colleague.pk, now=NOW, by=None) == 1

    made.refresh_from_db()
    held.refresh_from_db()
    assert (made.practitioner_id, made.sequence) == (colleague.pk, 1)
    assert (held.practitioner_id, held.regular_id) == (colleague.pk, where.physician.pk)
    assert kinds(who)[-1] == ("appointment.moved", "practitioner")
    # what the regular practitioner offers is still offered
    assert book(where, held, patient("陳大文"), at=MORNING + HALF).practitioner_id == colleague.pk


def test_nobody_is_a_substitute_in_two_places(organization):
    where = clinic()
    colleague = practitioner("王醫師")
    held = session(where)
    session(where, practitioner=colleague, room=None)

    with pytest.raises(errors.OverlappingTemplate):
        sessions.substitute(session_id=held.pk, practitioner_id=colleague.pk, now=NOW, by=None)
    held.refresh_from_db()
    assert held.practitioner_id == where.physician.pk


def test_on_leave_nobody_new_is_booked_and_those_booked_are_listed(organization):
    where = clinic()
    held = session(where)
    book(where, held, patient())

    leave = sessions.add_absence(
        practitioner_id=where.physician.pk,
        starts_at=MORNING,
        ends_at=MORNING + 2 * HALF,
        kind="LEAVE",
        now=NOW,
        by=None,
    )

    with pytest.raises(errors.PractitionerAway):
        book(where, held, patient("陳大文"), at=MORNING + HALF)
    assert book(where, held, patient("陳大文"), at=MORNING + 2 * HALF).state == "booked"
    assert [(one["id"], one["booked"]) for one in sessions.affected(leave.pk)] == [(held.pk, 1)]


def test_who_did_not_come_is_noted_two_hours_after_the_end(committed_organization):
    from careloop.tenancy.context import in_organization

    with in_organization(committed_organization.id):
        where = clinic()
        made = book(where, session(where), patient())
    end = MORNING + timedelta(hours=3)

    assert handlers.by_the_clock(committed_organization.id, now=end + timedelta(minutes=119)) == 0
    assert handlers.by_the_clock(committed_organization.id, now=end + timedelta(hours=2)) == 1
    with in_organization(committed_organization.id):
        assert Appointment.objects.get(pk=made.pk).state == "noshow"


def test_a_session_by_hand_may_not_put_anybody_in_two_places(organization):
    where = clinic()
    session(where)
    values = {
        "practitioner_id": where.physician.pk, "location_id": where.location.pk, "mode": "SLOTS", "slot_minutes": 15,
        "starts_at": MORNING + HALF, "ends_at": MORNING + 8 * HALF,
    }  # fmt: skip

    with pytest.raises(errors.OverlappingTemplate):
        sessions.open_session(values=values, now=NOW, by=None)
    made = sessions.open_session(values={**values, "starts_at": datetime(2026, 3, 17, 10, 0, tzinfo=UTC),
                                         "ends_at": datetime(2026, 3, 17, 13, 0, tzinfo=UTC)}, now=NOW, by=None)  # fmt: skip
    assert (made.part, made.on_date) == ("EVENING", date(2026, 3, 17))
    assert timedelta(minutes=15) == services.HOLD
    offers(where.service, practitioner("x"))
