"""The waitlist on the screen: put on, ranked, offered by hand, answered on the telephone, taken off; and what a page costs."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from careloop.accounts.models import Membership, MembershipLocation
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.patients.tests import make as patients
from careloop.scheduling import services, waitlist
from careloop.scheduling.models import Appointment, WaitlistEntry, WaitlistOffer
from careloop.scheduling.tests import make
from careloop.tenancy.models import Location

DAY = timedelta(days=1)


def morning(days: int = 2) -> datetime:
    """Nine o'clock in Taipei, some days ahead."""
    day = timezone.now() + days * DAY
    return datetime(day.year, day.month, day.day, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def always_awake(organization):
    organization.quiet_from_hour = organization.quiet_to_hour = 0
    organization.save()


@pytest.fixture
def where(organization):
    return make.clinic()


@pytest.fixture
def full(where):
    """One half hour the day after tomorrow, taken."""
    held = make.session(where, starts_at=morning(), hours=0.5)
    return held, make.book(where, held, patients.patient("先到"), now=timezone.now())


@pytest.fixture
def desk(client_for):
    return client_for("front_desk")


def wish(where, name="候補者", **more) -> WaitlistEntry:
    today = timezone.now().date()
    values = {"first_date": today, "last_date": today + 20 * DAY, "now": timezone.now(), "by": None, **more}
    who = more.pop("patient_id", None) or patients.patient(name)
    values.pop("patient_id", None)
    return waitlist.join(patient_id=who, service_id=where.service.pk, **values)


def url(entry, what: str = "") -> str:
    return f"/schedule/waitlist/{entry.pk}/{what}"


def test_a_patient_is_put_on_the_list_in_two_plain_steps(where, full, desk):
    person = patients.patient("王小明")
    step = desk.get("/schedule/waitlist/new/?q=王小明").content.decode()
    assert f"patient={person}" in step

    form = desk.get(f"/schedule/waitlist/new/?patient={person}").content.decode()
    assert "Put on the waitlist" in form
    today = timezone.localdate()
    given = {"key": "k1", "service": str(where.service.pk), "first_date": today, "last_date": today + 20 * DAY, "weekdays": ["1", "5"],
             "parts": ["EVENING"], "priority": "2", "source": "phone", "note": "下班後"}  # fmt: skip
    for _click in range(2):
        assert desk.post(f"/schedule/waitlist/new/?patient={person}", given).status_code == 303

    entry = WaitlistEntry.objects.get(patient_id=person)
    assert (entry.weekdays, entry.parts, entry.source, entry.state) == ([1, 5], ["EVENING"], "phone", "WAITING")
    page = desk.get("/schedule/waitlist/").content.decode()
    assert "王小明" in page
    assert "下班後" in page
    assert "王小明" in desk.get(url(entry)).content.decode()
    assert "waits for" in desk.get(f"/patients/{person}/").content.decode()
    assert 'id="today-waiting"' in desk.get("/").content.decode()


def test_what_cannot_be_is_refused_in_words(where, full, desk):
    person = patients.patient()
    today = timezone.localdate()
    given = {
        "service": str(where.service.pk),
        "first_date": today,
        "last_date": today - DAY,
        "priority": "2",
        "source": "desk",
    }

    assert "must not lie before" in desk.post(f"/schedule/waitlist/new/?patient={person}", given).content.decode()
    assert desk.post(f"/schedule/waitlist/new/?patient={person}", {}).status_code == 422
    assert desk.get(f"/schedule/waitlist/new/?patient={uuid7()}").status_code == 404
    assert desk.post("/schedule/waitlist/new/", {}).status_code == 422


def test_from_a_later_visit_the_wish_is_for_an_earlier_place(where, full, desk):
    person = patients.patient("想早點")
    later = make.book(where, make.session(where, starts_at=morning(9)), person, now=timezone.now())
    page = desk.get(f"/schedule/appointments/{later.pk}/").content.decode()
    assert f"instead={later.pk}" in page

    address = f"/schedule/waitlist/new/?patient={person}&instead={later.pk}"
    assert "called off when an earlier place is taken" in desk.get(address).content.decode()
    today = timezone.localdate()
    given = {
        "service": str(where.service.pk),
        "first_date": today,
        "last_date": today + 8 * DAY,
        "priority": "2",
        "source": "phone",
    }
    desk.post(address, given)

    assert WaitlistEntry.objects.get(patient_id=person).instead_of_id == later.pk
    other = make.book(where, make.session(where, starts_at=morning(10)), patients.patient(), now=timezone.now())
    assert desk.get(f"/schedule/waitlist/new/?patient={person}&instead={other.pk}").status_code == 404


def test_a_full_session_and_a_search_in_vain_lead_to_the_list(where, full, desk):
    held, _taken = full
    assert f"/schedule/waitlist/new/?session={held.pk}" in desk.get(f"/schedule/sessions/{held.pk}/").content.decode()
    search = desk.get(f"/schedule/find/?service={where.service.pk}&weekdays=7&wish=x").content.decode()
    assert "/schedule/waitlist/new/?" in search
    form = desk.get(f"/schedule/waitlist/new/?session={held.pk}&patient={patients.patient()}").content.decode()
    assert f'value="{held.on_date}"' in form


def test_urgent_wishes_come_first_and_the_reason_stays(where, full, desk):
    first, second = wish(where, "甲"), wish(where, "乙")
    version = WaitlistEntry.objects.get(pk=second.pk).version
    assert desk.get(url(second, "turn/")).status_code == 200
    assert (
        desk.post(url(second, "turn/"), {"version": version, "priority": "1", "reason": "medical"}).status_code == 303
    )

    page = desk.get("/schedule/waitlist/").content.decode()
    assert page.index("乙") < page.index("甲")
    assert "a medical reason" in desk.get(url(second)).content.decode()
    stale = desk.post(url(second, "turn/"), {"version": version, "priority": "3", "reason": "waited"})
    assert stale.status_code == 422
    assert "changed in the meantime" in stale.content.decode()
    assert first.state == "WAITING"


def test_the_filters_leave_out_the_others(where, full, desk):
    colleague = make.practitioner("王醫師")
    make.offers(where.service, colleague)
    wish(where, "指定林", practitioner_id=where.physician.pk)
    wish(where, "都可以")
    gone = wish(where, "離開了")
    waitlist.leave(entry_id=gone.pk, reason="clinic", now=timezone.now(), by=None)

    def shown(**query):
        page = desk.get("/schedule/waitlist/", query).content.decode()
        return [name for name in ("指定林", "都可以", "離開了") if name in page]

    assert shown() == ["指定林", "都可以"]
    assert shown(practitioner=str(colleague.pk)) == ["都可以"]
    assert shown(state="LEFT") == ["離開了"]
    assert shown(service="nonsense", state="x") == ["指定林", "都可以"]


def test_a_wish_is_changed_and_a_place_that_now_fits_is_offered(where, full, desk):
    make.session(where, starts_at=morning(4))
    entry = wish(where, parts=["EVENING"])
    assert entry.state == "WAITING"
    page = desk.get(url(entry, "edit/")).content.decode()
    assert "EVENING" in page
    today = timezone.localdate()
    given = {"version": entry.version, "first_date": today, "last_date": today + 9 * DAY, "parts": ["MORNING"]}
    assert desk.post(url(entry, "edit/"), given).status_code == 303

    entry.refresh_from_db()
    assert entry.state == "OFFERED"
    assert desk.post(url(entry, "edit/"), given).status_code == 422


def test_a_place_is_offered_by_hand_and_the_answer_noted_from_the_telephone(where, full, desk):
    entry = wish(where, parts=["EVENING"])
    free = make.session(where, starts_at=morning(3), hours=0.5)
    assert "No free place" in desk.get(url(entry, "offer/")).content.decode()
    listed = desk.get(url(entry, "offer/") + "?any=1").content.decode()
    place = f"{free.pk}|{free.starts_at.isoformat()}"
    assert place in listed

    desk.post(url(entry, "offer/"), {"place": place})
    offer = WaitlistOffer.objects.get(entry=entry)
    page = desk.get(url(entry)).content.decode()
    assert "Takes it" in page
    assert desk.post(url(entry, "offer/"), {"place": place}).status_code == 409
    assert desk.post(url(entry, "answer/"), {"offer": uuid7(), "do": "take"}).status_code == 404

    for _click in range(2):
        assert desk.post(url(entry, "answer/"), {"offer": offer.pk, "do": "take"}).status_code == 303
    assert Appointment.objects.get(session=free).state == "booked"
    assert "accepted" in desk.get(url(entry)).content.decode()


def test_a_place_within_the_hour_is_not_offered_by_message(where, desk):
    soon = make.session(where, starts_at=timezone.now() + timedelta(minutes=40), hours=0.5)
    entry = wish(where)
    page = desk.post(url(entry, "offer/"), {"place": f"{soon.pk}|{soon.starts_at.isoformat()}"})
    assert page.status_code == 409
    assert "begins too soon" in page.content.decode()


def test_taking_off_gives_the_offered_place_to_the_next(where, full, desk):
    held, taken = full
    entry, other = wish(where, "先"), wish(where, "後")
    services.cancel(appointment_id=taken.pk, reason="patient", now=timezone.now(), by=None)
    waitlist.offer_in(held.pk, now=timezone.now())
    assert "goes to the next" in desk.get(url(entry, "leave/")).content.decode()
    desk.post(url(entry, "leave/"))
    waitlist.offer_in(held.pk, now=timezone.now())

    other.refresh_from_db()
    assert other.state == "OFFERED"


def test_another_branchs_patient_is_masked_and_another_branchs_wish_unseen(where, full, client_for):
    other = Location.objects.create(id=uuid7(), name="分院")
    patient_id = patients.patient("林大同")
    Patient.objects.filter(pk=patient_id).update(home_location_id=other.pk)
    here = wish(where, patient_id=patient_id, location_id=where.location.pk, note="只有本院知道")
    there = wish(where, "陳小華", location_id=other.pk)
    desk = client_for("front_desk")
    MembershipLocation.objects.create(membership=Membership.objects.get(user=desk.user), location=where.location)

    page = desk.get("/schedule/waitlist/").content.decode()
    assert "林大同" not in page
    assert "林○同" in page
    assert "只有本院知道" not in page
    assert "陳小華" not in page
    assert "林大同" not in desk.get(url(here)).content.decode()
    for what in ("", "edit/", "turn/", "leave/", "offer/"):
        assert desk.get(url(there, what)).status_code == 404


def test_the_list_costs_the_same_for_many_as_for_one(where, full, desk):
    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert desk.get("/schedule/waitlist/").status_code == 200
        return len(seen)

    wish(where)
    desk.get("/schedule/waitlist/")
    few = asked()
    for number in range(60):
        wish(where, f"候補{number}")
    assert asked() == few
    page = desk.get("/schedule/waitlist/").content.decode()
    assert "Next page" in page


# -- places held by visitors of the booking page ---------------------------------------------------------------------


def test_a_place_held_by_a_visitor_without_a_name_stands_in_the_calendar(where, desk):
    held = make.session(where, starts_at=morning())
    pending = make.book(
        where,
        held,
        None,
        now=timezone.now(),
        source="portal",
        state="pending",
        held_until=timezone.now() + timedelta(minutes=15),
    )

    assert "being booked online" in desk.get(f"/schedule/?date={held.on_date}").content.decode()
    assert "being booked online" in desk.get(f"/schedule/sessions/{held.pk}/").content.decode()
    page = desk.get(f"/schedule/appointments/{pending.pk}/")
    assert page.status_code == 200
    assert "being booked online" in page.content.decode()
    assert (
        desk.post(
            f"/schedule/appointments/{pending.pk}/cancel/", {"version": pending.version, "reason": "clinic"}
        ).status_code
        == 303
    )
    assert "being booked online" not in desk.get(f"/schedule/sessions/{held.pk}/").content.decode()


def test_a_hold_that_ran_out_is_not_shown(where, desk):
    held = make.session(where, starts_at=morning(), mode="NUMBERS")
    make.book(
        where,
        held,
        None,
        now=timezone.now(),
        source="portal",
        state="pending",
        held_until=timezone.now() - timedelta(minutes=1),
    )
    assert "being booked online" not in desk.get(f"/schedule/?date={held.on_date}").content.decode()
    assert "being booked online" not in desk.get(f"/schedule/sessions/{held.pk}/").content.decode()
    assert date.today().year >= 2026
