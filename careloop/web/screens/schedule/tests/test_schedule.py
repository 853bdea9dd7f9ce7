"""The schedule's screens: happy walks, refusals, strangers, and what a page costs."""

from datetime import UTC, datetime, timedelta
from time import perf_counter
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from careloop.accounts.models import Membership, MembershipLocation
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.patients.tests import make as patients
from careloop.scheduling import selectors, sessions
from careloop.scheduling.models import (
    Absence,
    Appointment,
    DayException,
    Resource,
    SearchMiss,
    Service,
    Session,
    Template,
)
from careloop.scheduling.tests import make
from careloop.tenancy import context
from careloop.tenancy.models import Location


def tomorrow(hour: int = 1) -> datetime:
    """A moment of tomorrow; 1 is nine in the morning in Taipei."""
    day = timezone.now() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.fixture
def where(organization):
    return make.clinic()


@pytest.fixture
def held(where):
    return make.session(where, starts_at=tomorrow())


@pytest.fixture
def person(where):
    return patients.patient("王小明", phone="0912345678")


@pytest.fixture
def booked(where, held, person):
    return make.book(where, held, person, now=timezone.now())


@pytest.fixture
def desk(client_for):
    return client_for("front_desk")


def day_url(held: Session, **more: str) -> str:
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/schedule/?date={held.on_date}{rest}"


def place(held: Session, at: datetime | None = None) -> str:
    return f"{held.pk}|{at.isoformat() if at else ''}"


# -- the calendar ---------------------------------------------------------------------------------------------------


def test_a_day_shows_who_comes_and_what_is_free(booked, held, where, desk):
    page = desk.get(day_url(held)).content.decode()

    assert "王小明" in page
    assert where.service.name in page
    assert f"/schedule/book/?session={held.pk}&amp;at=" in page
    assert page.count("cl-sched-free") == 5  # six half hours, one of them taken


def test_a_day_by_room_and_a_week_of_one_practitioner(booked, held, where, desk):
    assert where.room.name in desk.get(day_url(held, by="room")).content.decode()
    week = desk.get(day_url(held, view="week", practitioner=str(where.physician.pk))).content.decode()
    assert "王小明" in week
    assert week.count('class="cl-sched-column') == 7


def test_the_filters_leave_out_the_others(booked, held, desk):
    other = make.practitioner("張大同")

    assert "王小明" not in desk.get(day_url(held, practitioner=str(other.pk))).content.decode()
    assert desk.get(day_url(held, practitioner="nobody", location="x", view="y")).status_code == 200
    assert desk.get("/schedule/?date=not-a-day").status_code == 200


def test_closed_sessions_absences_and_substitutes_stand_in_the_day(where, booked, held, desk, now):
    sessions.add_absence(
        practitioner_id=where.physician.pk, starts_at=held.starts_at + timedelta(hours=1), ends_at=held.starts_at + timedelta(hours=2),
        kind="MEETING", note="院務會議", now=now, by=None,
    )  # fmt: skip
    page = desk.get(day_url(held)).content.decode()
    assert "院務會議" in page
    assert page.count("cl-sched-free") == 3

    substitute = make.practitioner("代診者")
    sessions.substitute(session_id=held.pk, practitioner_id=substitute.pk, now=now, by=None)
    assert "for 林怡君" in desk.get(day_url(held)).content.decode()

    sessions.close_session(session_id=held.pk, reason="颱風", now=now, by=None)
    page = desk.get(day_url(held)).content.decode()
    assert "颱風" in page
    assert "王小明" not in page


def test_numbers_show_their_pools_and_how_many_are_left(where, person, desk):
    pools = [
        {"pool": "BOOKED", "first": 1, "last": 9, "parity": "odd"},
        {"pool": "WALK_IN", "first": 2, "last": 8, "parity": "even"},
    ]
    held = make.session(where, starts_at=tomorrow(), mode="NUMBERS", numbers=9, pools=pools)
    make.book(where, held, person, now=timezone.now())

    page = desk.get(day_url(held)).content.decode()

    assert "booked ahead 4 of 5 left" in page
    assert "walk-in 4 of 4 left" in page
    assert "Number 1: 王小明, booked" in page


def test_a_busy_day_costs_a_fixed_number_of_statements(where, desk, django_assert_max_num_queries):
    people = [patients.patient(f"病人{n}") for n in range(6)]
    for n in range(20):
        make.offers(where.service, who := make.practitioner(f"醫師{n}"))
        held = make.session(where, starts_at=tomorrow(), practitioner=who, room=None, mode="NUMBERS", numbers=40)
        if n == 0:
            for one in people:
                make.book(where, held, one, now=timezone.now())
    url = day_url(held)
    desk.get(url)

    with django_assert_max_num_queries(14) as few:
        desk.get(url)
    about_the_schedule = [one for one in few.captured_queries if "scheduling_" in one["sql"]]
    assert len(about_the_schedule) == 1


def test_a_full_day_of_a_hospital_is_read_in_an_instant(where):
    """20 practitioners with 40 appointments each: under 50 ms on a quiet machine, and here with room for a busy one."""
    opens = tomorrow()
    people = [patients.patient(f"病人{n}") for n in range(40)]
    for n in range(20):
        held = make.session(
            where, starts_at=opens, hours=4, practitioner=make.practitioner(f"醫師{n}"), room=None, slot_minutes=5
        )
        sql.execute(
            """insert into scheduling_appointment (patient_id, session_id, service_id, practitioner_id, location_id, starts_at, ends_at,
                                                   state, source, created_at, changed_at)
               select p.id, %(session)s, %(service)s, %(who)s, %(place)s, %(opens)s + at, %(opens)s + at + interval '5 minutes',
                      'booked', 'desk', now(), now()
                 from unnest(%(people)s::uuid[]) with ordinality as p(id, place)
                cross join lateral make_interval(mins => 5 * ((p.place::int + %(n)s) %% 40)) as at""",
            {
                "session": held.pk, "service": where.service.pk, "who": held.practitioner_id, "place": where.location.pk, "opens": opens,
                "people": people, "n": n,
            },
        )  # fmt: skip
    took = []
    for _look in range(5):
        began = perf_counter()
        found = selectors.calendar(
            since=opens - timedelta(hours=2), until=opens + timedelta(hours=6), now=timezone.now(), limit=None
        )
        took.append(perf_counter() - began)

    assert sum(len(one["appointments"]) for one in found["sessions"]) == 800
    print("a full day:", round(min(took) * 1000, 1), "ms")
    assert min(took) < 0.2


def test_one_note_is_left_for_a_page(booked, held, desk):
    desk.get(day_url(held))
    desk.get(f"/schedule/appointments/{booked.pk}/")

    actions = [row["action"] for row in sql.rows("select action from audit_event where action like 'appointment%'")]
    assert actions.count("appointments.listed") == 1
    assert actions.count("appointment.viewed") == 1


# -- booking --------------------------------------------------------------------------------------------------------


def test_the_desk_books_from_a_free_time_in_two_steps(where, held, person, desk):
    at = held.starts_at.isoformat().replace("+", "%2B")
    found = desk.get(f"/schedule/book/?session={held.pk}&at={at}&q=王小明").content.decode()
    assert f"patient={person}" in found
    form = desk.get(f"/schedule/book/?session={held.pk}&at={at}&patient={person}")
    assert form.status_code == 200
    given = {
        "session": held.pk, "at": held.starts_at.isoformat(), "patient": person, "key": uuid7().hex, "service": where.service.pk,
        "source": "phone", "note": "要輪椅",
    }  # fmt: skip

    for _click in range(2):
        assert desk.post("/schedule/book/", given).status_code == 303

    made = Appointment.objects.get(patient_id=person)
    assert (made.state, made.source, made.note, made.starts_at) == ("booked", "phone", "要輪椅", held.starts_at)


def test_a_taken_time_is_refused_with_others_as_buttons(where, held, booked, desk):
    other = patients.patient("陳大文")
    given = {
        "session": held.pk, "at": held.starts_at.isoformat(), "patient": other, "key": uuid7().hex, "service": where.service.pk,
        "source": "desk", "note": "",
    }  # fmt: skip

    refused = desk.post("/schedule/book/", given)
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Somebody else has just taken this time" in page
    offered = place(held, held.starts_at + timedelta(minutes=30))
    assert f'value="{offered}"' in page

    assert desk.post("/schedule/book/", {**given, "place": offered}).status_code == 303
    assert Appointment.objects.get(patient_id=other).starts_at == held.starts_at + timedelta(minutes=30)


def test_numbers_are_given_by_group_by_wish_and_beyond_the_last_one(where, desk):
    held = make.session(where, starts_at=tomorrow(), mode="NUMBERS", numbers=3)
    given = {"session": held.pk, "service": where.service.pk, "source": "desk", "note": ""}

    def book(number: str) -> int:
        who = patients.patient(f"病人{uuid4().hex[:4]}")
        answer = desk.post("/schedule/book/", {**given, "patient": who, "key": uuid7().hex, "number": number})
        assert answer.status_code == 303, answer.content.decode()
        return Appointment.objects.get(patient_id=who).number

    assert desk.get(f"/schedule/book/?session={held.pk}&number=2&patient={patients.patient('甲')}").status_code == 200
    assert [book("2-"), book("BOOKED"), book("extra")] == [2, 1, 4]


def test_a_wish_finds_places_and_one_in_vain_is_noted_once(where, held, person, desk):
    page = desk.get(f"/schedule/find/?service={where.service.pk}&patient={person}").content.decode()
    assert f"/schedule/book/?session={held.pk}" in page

    for _look in range(2):
        page = desk.get(
            f"/schedule/find/?service={where.service.pk}&since=2050-01-01&weekdays=6&wish=w1"
        ).content.decode()
        assert "No free place" in page

    [noted] = SearchMiss.objects.all()
    assert (noted.weekdays, noted.source) == ([6], "desk")


def test_registering_somebody_leads_back_to_their_booking(held, desk):
    back = f"/schedule/book/?session={held.pk}"
    assert f'name="next" value="{back}"' in desk.get(f"/patients/new/?next={back}").content.decode()

    answer = desk.post(
        "/patients/new/", {"name": "新病人", "notice": "later", "idempotency_key": uuid4(), "next": back}
    )

    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        assert answer["Location"].startswith(f"{back}&patient=")


# -- one appointment ------------------------------------------------------------------------------------------------


def test_an_appointment_goes_its_way(booked, where, desk):
    make_it_now(booked)
    for step, state in (
        ("confirm", "booked"),
        ("arrive", "arrived"),
        ("check-in", "checked-in"),
        ("seen", "fulfilled"),
    ):
        assert desk.post(f"/schedule/appointments/{booked.pk}/{step}/").status_code == 303
        booked.refresh_from_db()
        assert booked.state == state
    page = desk.get(f"/schedule/appointments/{booked.pk}/").content.decode()
    assert "The patient confirmed the appointment" in page
    assert "front_desk" in page  # who did it


def make_it_now(booked: Appointment) -> None:
    """Let the session be one of this hour."""
    start = timezone.now().replace(minute=0, second=0, microsecond=0)
    sql.execute(
        "update scheduling_session set starts_at = %s, ends_at = %s where id = %s",
        [start, start + timedelta(hours=3), booked.session_id],
    )
    sql.execute("update scheduling_appointment set starts_at = %s, ends_at = %s where id = %s", [start, start + timedelta(minutes=30), booked.pk])  # fmt: skip


def test_did_not_come_only_after_the_session(booked, desk):
    desk.post(f"/schedule/appointments/{booked.pk}/no-show/")

    booked.refresh_from_db()
    assert booked.state == "booked"
    assert "only after the session has ended" in desk.get("/schedule/").content.decode()


def test_cancelling_asks_why_and_the_history_says_so(booked, desk):
    asked = desk.get(f"/schedule/appointments/{booked.pk}/cancel/")
    assert asked.status_code == 200
    refused = desk.post(f"/schedule/appointments/{booked.pk}/cancel/", {"version": 9, "reason": "patient", "note": ""})
    assert refused.status_code == 422
    assert "changed in the meantime" in refused.content.decode()

    done = desk.post(f"/schedule/appointments/{booked.pk}/cancel/", {"version": 1, "reason": "patient", "note": "出國"})

    assert done.status_code == 303
    page = desk.get(f"/schedule/appointments/{booked.pk}/").content.decode()
    assert "the patient asked for it" in page
    assert "出國" in page


def test_entered_in_error(booked, desk):
    assert desk.get(f"/schedule/appointments/{booked.pk}/error/").status_code == 200
    done = desk.post(f"/schedule/appointments/{booked.pk}/error/", {"version": 1, "note": "約錯人"})

    booked.refresh_from_db()
    assert (done.status_code, booked.state) == (303, "entered-in-error")


def test_moving_by_the_list_of_free_places(booked, held, desk):
    at = held.starts_at + timedelta(hours=1)
    listed = desk.get(f"/schedule/appointments/{booked.pk}/move/").content.decode()
    assert "/move/?place=" in listed
    asked = desk.get(f"/schedule/appointments/{booked.pk}/move/", {"place": place(held, at)}).content.decode()
    assert "The patient is told of the new time" in asked

    done = desk.post(f"/schedule/appointments/{booked.pk}/move/", {"place": place(held, at), "version": 1})

    booked.refresh_from_db()
    assert (done.status_code, booked.starts_at, booked.sequence) == (303, at, 1)


def test_the_conflict_is_known_before_it_is_dropped(booked, held, where, desk, now):
    check = f"/schedule/appointments/{booked.pk}/move/check/"
    other = patients.patient("陳大文")
    at = held.starts_at + timedelta(hours=1)

    assert desk.get(check, {"place": place(held, at)}).json() == {"fits": True, "text": ""}

    make.book(where, held, other, at=at, now=timezone.now())
    clash = desk.get(check, {"place": place(held, at)}).json()
    assert not clash["fits"]
    assert "taken this time" in clash["text"]
    outside = desk.get(check, {"place": place(held, held.ends_at - timedelta(minutes=10))}).json()
    assert "within the session" in outside["text"]
    refused = desk.post(f"/schedule/appointments/{booked.pk}/move/", {"place": place(held, at), "version": 1})
    assert refused.status_code == 422
    assert "Free places near it" in refused.content.decode()
    assert desk.get(check, {"place": "nonsense"}).json()["fits"] is False


# -- the board ------------------------------------------------------------------------------------------------------


def test_closing_says_first_how_many_are_told(booked, held, desk):
    asked = desk.get(f"/schedule/sessions/{held.pk}/close/").content.decode()
    assert "1 patient is booked" in asked

    assert desk.post(f"/schedule/sessions/{held.pk}/close/", {"reason": "颱風"}).status_code == 303

    booked.refresh_from_db()
    assert (booked.state, booked.cancel_reason) == ("cancelled", "session-closed")
    page = desk.get(f"/schedule/sessions/{held.pk}/").content.decode()
    assert "颱風" in page
    assert "1 cancelled appointment" in page
    assert desk.post(f"/schedule/sessions/{held.pk}/reopen/").status_code == 303
    held.refresh_from_db()
    assert held.state == "OPEN"


def test_a_substitute_must_be_free(booked, held, where, desk):
    substitute = make.practitioner("張大同")
    busy = make.practitioner("忙碌者")
    make.session(where, starts_at=held.starts_at, practitioner=busy, room=None)

    refused = desk.post(f"/schedule/sessions/{held.pk}/substitute/", {"practitioner": busy.pk})
    assert refused.status_code == 422
    assert desk.post(f"/schedule/sessions/{held.pk}/substitute/", {"practitioner": substitute.pk}).status_code == 303

    booked.refresh_from_db()
    assert booked.practitioner_id == substitute.pk


def test_ending_notes_who_did_not_come_and_the_list_shows_them(booked, held, desk):
    make_it_now(booked)
    assert "1" in desk.get(f"/schedule/sessions/{held.pk}/finish/").content.decode()
    assert desk.post(f"/schedule/sessions/{held.pk}/finish/").status_code == 303

    listed = desk.get("/schedule/missed/").content.decode()
    assert "王小明" in listed
    assert f"/follow-ups/new/?patient={booked.patient_id}" in listed


def test_a_session_is_opened_by_hand_once(where, desk):
    given = {
        "practitioner": where.physician.pk, "location": where.location.pk, "room": where.room.pk, "date": str(tomorrow().date()),
        "starts": "18:00", "ends": "21:00", "mode": "NUMBERS", "slot_minutes": 5, "numbers": 20,
    }  # fmt: skip

    assert desk.post("/schedule/sessions/new/", given).status_code == 303
    assert desk.post("/schedule/sessions/new/", given).status_code == 422
    assert desk.post("/schedule/sessions/new/", {**given, "numbers": 0}).status_code == 422
    assert Session.objects.get().numbers == 20


# -- set-up ---------------------------------------------------------------------------------------------------------


def service_form(**more):
    return {
        "name": "成人健檢", "minutes": 30, "colour": 1, "payer": "SELF", "price": 1200, "deposit": 200, "is_online": "on", "who": "ANY",
        "days_ahead": 60, "notice_minutes": 60, "change_minutes": 120, "is_active": "on", "name_en": "Check-up",
        "question-TOTAL_FORMS": 2, "question-INITIAL_FORMS": 0, "question-0-text": "有無過敏？", "question-0-kind": "yesno",
        "question-0-required": "on", "question-1-text": "", **more,
    }  # fmt: skip


def test_a_service_with_all_its_rules(where, desk):
    made = desk.post("/schedule/set-up/services/new/", service_form(practitioners=[where.physician.pk]))

    assert made.status_code == 303
    found = Service.objects.get(name="成人健檢")
    assert (found.price, found.deposit, found.names["en"], found.questions[0]["kind"]) == (
        1200,
        200,
        "Check-up",
        "yesno",
    )
    assert list(found.practitioners.all()) == [where.physician]
    assert "Check-up" in desk.get(f"/schedule/set-up/services/{found.pk}/").content.decode()
    assert "成人健檢" in desk.get("/schedule/set-up/services/").content.decode()
    assert desk.post("/schedule/set-up/services/new/", service_form()).status_code == 422  # the name is taken


def test_no_deposit_on_what_the_insurance_pays(where, desk):
    refused = desk.post("/schedule/set-up/services/new/", service_form(payer="NHI"))

    assert refused.status_code == 422
    assert "No deposit" in refused.content.decode()


def test_rooms_and_practitioners(where, desk):
    given = {"kind": "ROOM", "name": "2 診", "location": where.location.pk, "is_active": "on"}
    assert desk.post("/schedule/set-up/rooms/new/", given).status_code == 303
    assert desk.post("/schedule/set-up/rooms/new/", given).status_code == 422
    assert Resource.objects.filter(name="2 診").exists()

    who = {"name": "張大同", "specialty": "家醫科", "user": desk.user.pk, "is_active": "on"}
    assert desk.post("/schedule/set-up/practitioners/new/", who).status_code == 303
    assert "張大同" in desk.get("/schedule/set-up/practitioners/").content.decode()


def week_form(where, **more):
    return {
        "practitioner": where.physician.pk, "location": where.location.pk, "room": where.room.pk, "weekday": 2, "starts": "14:00", "ends": "17:00",
        "mode": "NUMBERS", "slot_minutes": 5, "numbers": 30, "valid_from": str(timezone.now().date()), "pool-TOTAL_FORMS": 2, "pool-INITIAL_FORMS": 0,
        "pool-0-pool": "BOOKED", "pool-0-first": 1, "pool-0-last": 29, "pool-0-parity": "odd",
        "pool-1-pool": "WALK_IN", "pool-1-first": 2, "pool-1-last": 30, "pool-1-parity": "even", **more,
    }  # fmt: skip


def test_a_week_makes_dated_sessions(where, desk):
    assert desk.post("/schedule/set-up/week/new/", week_form(where)).status_code == 303

    found = Template.objects.get()
    assert len(found.pools) == 2
    assert Session.objects.filter(template=found).count() > 10
    assert "14:00–17:00" in desk.get("/schedule/set-up/week/").content.decode()
    assert desk.get(f"/schedule/set-up/week/{found.pk}/").status_code == 200
    assert desk.post("/schedule/set-up/week/new/", week_form(where)).status_code == 422  # overlaps
    ended = desk.post(
        f"/schedule/set-up/week/{found.pk}/end/", {"last": str(timezone.now().date() - timedelta(days=1))}
    )
    assert ended.status_code == 303
    assert not Session.objects.filter(template_id=found.pk).exists()


def test_a_number_for_two_groups_is_refused(where, desk):
    refused = desk.post("/schedule/set-up/week/new/", week_form(where, **{"pool-1-first": 1, "pool-1-parity": "all"}))

    assert refused.status_code == 422
    assert "kept for two groups" in refused.content.decode()


def test_an_absence_lists_whom_it_touches(booked, held, where, desk):
    made = desk.post(
        "/schedule/set-up/absences/new/",
        {"practitioner": where.physician.pk, "kind": "LEAVE", "first": str(held.on_date), "note": "特休"},
    )

    assert made.status_code == 303
    page = desk.get(made["Location"]).content.decode()
    assert "1 patient is still booked" in page
    assert f"/schedule/sessions/{held.pk}/substitute/" in page
    assert "特休" in desk.get("/schedule/set-up/absences/").content.decode()
    one = Absence.objects.get()
    assert one.ends_at - one.starts_at == timedelta(days=1)
    assert desk.post(f"/schedule/set-up/absences/{one.pk}/remove/").status_code == 303
    assert not Absence.objects.exists()


def test_the_clinics_own_word_on_a_day(booked, held, desk):
    assert desk.get("/schedule/set-up/days/?year=2026").status_code == 200
    day = str(held.on_date)
    closed = desk.post(
        f"/schedule/set-up/days/one/?date={day}", {"date": day, "word": "closed", "name": "員工旅遊", "location": ""}
    )

    assert closed.status_code == 303
    assert closed["Location"].startswith("/schedule/?date=")  # somebody is booked on it
    assert "員工旅遊" in desk.get(f"/schedule/set-up/days/?year={held.on_date.year}").content.decode()
    desk.post(f"/schedule/set-up/days/one/?date={day}", {"date": day, "word": "calendar", "location": ""})
    assert not DayException.objects.exists()


def test_demand_beside_places(booked, where, desk):
    make_it_now(booked)
    desk.get(f"/schedule/find/?service={where.service.pk}&since=2050-01-01&weekdays=6&parts=EVENING&wish=w2")

    page = desk.get("/schedule/demand/").content.decode()

    assert "Most often in vain: Sat evening, 1 times." in page
    assert "1/2" in page


# -- other pages, other people --------------------------------------------------------------------------------------


def test_the_patients_page_and_the_first_page_of_the_day(booked, desk):
    page = desk.get(f"/patients/{booked.patient_id}/").content.decode()
    assert f"/schedule/appointments/{booked.pk}/" in page
    assert f"/schedule/find/?patient={booked.patient_id}" in page
    make_it_now(booked)
    assert "林怡君" in desk.get("/").content.decode()


def test_who_may_look_but_not_book(booked, held, client_for):
    for role in ("marketing", "it", "privacy_officer"):
        client = client_for(role)
        assert client.get("/schedule/").status_code == 403
        assert client.post(f"/schedule/appointments/{booked.pk}/arrive/").status_code == 403
    assert client_for("physician").get(f"/schedule/sessions/{held.pk}/close/").status_code == 403


def test_a_member_of_one_branch_sees_its_sessions_and_masked_strangers(where, held, booked, client_for):
    client = client_for("nurse")
    elsewhere = Location.objects.create(id=uuid7(), name="另一院區")
    limit(client, where.location)
    masked = client.get(day_url(held)).content.decode()
    assert "王○明" in masked
    assert "王小明" not in masked
    assert "masked" in client.get(f"/schedule/appointments/{booked.pk}/").content.decode()
    Patient.objects.filter(pk=booked.patient_id).update(home_location=where.location)
    assert "王小明" in client.get(day_url(held)).content.decode()

    other = client_for("nurse")
    limit(other, elsewhere)
    assert "王" not in other.get(day_url(held)).content.decode().split("</header>")[-1]
    assert other.get(f"/schedule/appointments/{booked.pk}/").status_code == 404
    assert other.get(f"/schedule/sessions/{held.pk}/").status_code == 404
    assert other.post(f"/schedule/appointments/{booked.pk}/arrive/").status_code == 404


def limit(client: Client, location: Location) -> None:
    member = Membership.objects.get(user=client.user)
    MembershipLocation.objects.create(membership=member, location=location)


def test_a_stranger_sees_nothing(booked, held, other_organization, client_for):
    token = context.enter(other_organization.id)
    context.set_organization(other_organization.id)
    try:
        client = client_for("owner")
    finally:
        context.leave(token)
    assert client.get(f"/schedule/appointments/{booked.pk}/").status_code == 404
    assert client.post(f"/schedule/appointments/{booked.pk}/arrive/").status_code == 404
    assert client.get(f"/schedule/sessions/{held.pk}/").status_code == 404
    assert "王小明" not in client.get(day_url(held)).content.decode()
