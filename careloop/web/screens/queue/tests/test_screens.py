"""The waiting room's screens: the desk's morning, the practitioner's one button, refusals, strangers."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling.models import Session
from careloop.scheduling.tests.make import book, clinic, offers, practitioner
from careloop.tenancy.models import Location
from careloop.waitingroom import services
from careloop.waitingroom.models import Display, QueueRules, Ticket
from careloop.waitingroom.queues import look
from careloop.waitingroom.tests.make import numbers
from tests.support import inside

MINUTE = timedelta(minutes=1)


def today(where=None, **more):
    """A session that began an hour ago; the clinic's date is the session's, whatever the hour of the test."""
    now = timezone.now()
    zone_day = now.astimezone(timezone.get_fixed_timezone(480)).date()
    where, held = numbers(where, starts_at=now - timedelta(hours=1), on_date=zone_day, **more)
    return where, held


@pytest.fixture
def morning(organization):
    return today()


def come(where, held, name):
    made = book(where, held, patient(name))
    return services.check_in(appointment_id=made.pk, how="DESK", now=timezone.now(), by=None)


def texts(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_desk_sees_the_day_checks_somebody_in_and_finds_them_waiting(morning, client_for):
    where, held = morning
    made = book(where, held, patient("王小明"))
    client = client_for("front_desk")

    assert "林怡君" in texts(client.get("/queue/"))
    page = texts(client.get(f"/queue/{held.pk}/"))
    assert "Not here yet" in page
    assert "王小明" in page
    answer = client.post(f"/queue/check-in/{made.pk}/", follow=True)

    assert "Number 1 is checked in" in texts(answer)
    assert Ticket.objects.get(appointment=made).state == "WAITING"


def test_one_button_calls_begins_finishes_and_calls_the_next(morning, client_for):
    where, held = morning
    first, second = come(where, held, "王小明"), come(where, held, "陳大同")
    client = client_for("physician")
    console = f"/queue/{held.pk}/console/"
    page = client.get(console)
    assert "Call next" in texts(page)

    client.post(f"/queue/{held.pk}/next/", {"room": str(where.room.pk)})
    page = texts(client.get(console))
    assert "Is here: begin" in page
    assert "Call again" in page
    client.post(f"/queue/tickets/{first['id']}/do/", {"what": "start", "next": console})
    assert "Finish and call next" in texts(client.get(console))
    client.post(f"/queue/{held.pk}/next/", {"room": str(where.room.pk), "finish": str(first["id"])})

    assert dict(Ticket.objects.values_list("label", "state")) == {"1": "DONE", "3": "CALLED"}
    client.post(f"/queue/{held.pk}/next/", {"room": str(where.room.pk), "finish": str(first["id"])})
    assert Ticket.objects.get(pk=second["id"]).state == "CALLED"


@pytest.mark.parametrize(
    ("what", "more", "state"),
    [
        ("skip", {}, "MISSED"), ("recall", {}, "CALLED"), ("hold", {"held_for": "抽血"}, "HELD"), ("finish", {}, "DONE"),
        ("leave", {}, "LEFT"), ("start", {}, "IN_ROOM"),
    ],
)  # fmt: skip
def test_what_the_console_does_with_who_is_called(morning, client_for, what, more, state):
    where, held = morning
    ticket = come(where, held, "王小明")
    services.call_next(session_id=held.pk, room_id=where.room.pk, now=timezone.now(), by=None)

    answer = client_for("nurse").post(f"/queue/tickets/{ticket['id']}/do/", {"what": what, **more})

    assert answer.status_code == 303
    assert Ticket.objects.get(pk=ticket["id"]).state == state


@pytest.mark.parametrize(("what", "priority"), [("first", 1), ("urgent", 2), ("in_turn", 0)])
def test_somebody_goes_first(morning, client_for, what, priority):
    ticket = come(*morning, "王小明")

    client_for("nurse").post(f"/queue/tickets/{ticket['id']}/do/", {"what": what})

    assert Ticket.objects.get(pk=ticket["id"]).priority == priority


def test_transferred_from_the_tickets_page(morning, client_for):
    where, held = morning
    other = practitioner("陳建志")
    offers(where.service, other)
    _same, theirs = today(where, practitioner=other, room=None)
    ticket = come(where, held, "王小明")
    client = client_for("front_desk")
    assert "陳建志" in texts(client.get(f"/queue/tickets/{ticket['id']}/"))

    client.post(f"/queue/tickets/{ticket['id']}/do/", {"what": "transfer", "session": str(theirs.pk), "place": "next"})

    moved = Ticket.objects.get(pk=ticket["id"])
    assert (moved.session_id, moved.label) == (theirs.pk, "T1")
    answer = client.post(f"/queue/tickets/{ticket['id']}/do/", {"what": "transfer", "session": "x", "place": "next"})
    assert answer.status_code == 400


def test_nobody_waits_is_said_in_words(morning, client_for):
    answer = client_for("physician").post(f"/queue/{morning[1].pk}/next/", follow=True)

    assert "Nobody is waiting" in texts(answer)


def test_a_walk_in_is_found_given_a_number_and_checked_in(morning, client_for):
    where, held = morning
    who = patient("林小華")
    client = client_for("front_desk")
    page = client.get(f"/queue/{held.pk}/walk-in/?q=林小華").content.decode()
    key = re.search(r'name="key" value="(\w+)"', page)[1]
    given = {"q": "林小華", "key": key, "patient": str(who), "service": str(where.service.pk)}

    first, again = (client.post(f"/queue/{held.pk}/walk-in/", given) for _ in range(2))

    assert first.status_code == again.status_code == 303
    assert list(Ticket.objects.values_list("label", "state")) == [("2", "WAITING")]


def test_when_all_numbers_are_given_the_refusal_is_in_words_and_an_extra_one_can_be_given(organization, client_for):
    where, held = today(pools=[{"pool": "BOOKED", "first": 1, "last": 30, "parity": "all"}])
    who = patient("林小華")
    client = client_for("front_desk")
    given = {"q": "林小華", "key": "k1", "patient": str(who), "service": str(where.service.pk)}

    refused = client.post(f"/queue/{held.pk}/walk-in/", given)
    assert refused.status_code == 422
    assert "All numbers of this session are given out" in texts(refused)
    client.post(f"/queue/{held.pk}/walk-in/", {**given, "key": "k2", "extra": "on"})

    assert Ticket.objects.get().label == "31"


def test_the_patients_code_scanned_at_the_desk_checks_in(morning, client_for):
    where, held = morning
    made = book(where, held, patient("王小明"))
    client = client_for("front_desk")
    shown = client.post(f"/queue/pass/{made.pk}/", follow=True).content.decode()
    url = re.search(r'data-copy="([^"]+/p/q/[^"]+)"', shown)[1]
    assert '<svg role="img"' in shown

    answer = client.post("/queue/scan/", {"code": url}, follow=True)

    assert "Number 1 is checked in" in texts(answer)
    assert Ticket.objects.get().how == "QR"
    assert "not the code of a visit" in texts(client.post("/queue/scan/", {"code": "4711"}, follow=True))


def test_a_page_that_has_not_changed_is_not_sent_and_not_read_again(morning, client_for):
    where, held = morning
    come(where, held, "王小明")
    client = client_for("nurse")
    page = client.get(f"/queue/{held.pk}/").content.decode()
    again = re.search(r'hx-get="([^"]+)"', page)[1]

    from careloop.audit.services import write_notes

    write_notes()
    before = sql.value("select count(*) from audit_event where action = 'queue.listed'")
    assert client.get(again, headers={"HX-Request": "true"}).status_code == 204
    come(where, held, "陳大同")
    changed = client.get(again, headers={"HX-Request": "true"})

    assert "陳大同" in changed.content.decode()
    assert sql.value("select count(*) from audit_event where action = 'queue.listed'") == before + 1


def test_every_page_with_patients_leaves_one_note(morning, client_for):
    where, held = morning
    ticket = come(where, held, "王小明")
    client = client_for("nurse")
    for page in (f"/queue/{held.pk}/", f"/queue/{held.pk}/console/", f"/queue/tickets/{ticket['id']}/"):
        client.get(page)

    assert sql.value("select count(*) from audit_event where action = 'queue.listed'") == 3


def test_a_member_of_one_branch_sees_its_sessions_and_others_patients_by_number_only(organization, client_for):
    from careloop.accounts.models import Membership, MembershipLocation

    where, held = today()
    _elsewhere, other = today(clinic(), practitioner=practitioner("陳建志"), room=None)
    home = Location.objects.get(pk=where.location.pk)
    come(where, held, "王小明")
    at_home = patient("陳大同", home_location_id=home.pk)
    services.check_in(appointment_id=book(where, held, at_home).pk, how="DESK", now=timezone.now(), by=None)
    client = client_for("nurse")
    MembershipLocation.objects.create(membership=Membership.objects.get(user=client.user), location=home)

    page = texts(client.get(f"/queue/{held.pk}/"))

    assert "陳大同" in page
    assert "王小明" not in page
    assert "王○明" in page
    assert client.get(f"/queue/{other.pk}/").status_code == 404
    assert "陳建志" not in texts(client.get("/queue/"))


def test_another_clinic_cannot_call_in_this_queue(organization, other_organization, client_for):
    with inside(other_organization):
        where, held = today()
        ticket = come(where, held, "王小明")
    client = client_for("owner")

    assert client.get(f"/queue/{held.pk}/console/").status_code == 404
    assert client.post(f"/queue/{held.pk}/next/").status_code == 404
    assert client.post(f"/queue/tickets/{ticket['id']}/do/", {"what": "leave"}).status_code == 404
    with inside(other_organization):
        assert Ticket.objects.get().state == "WAITING"


def test_marketing_has_no_business_here(morning, client_for):
    assert client_for("marketing").get("/queue/").status_code == 403


def test_the_rules_of_the_clinic_and_of_one_practitioner(morning, client_for):
    where, _held = morning
    client = client_for("owner")
    given = {
        "order": "RATIO", "booked_in_turn": 2, "walk_ins_in_turn": 1, "missed": "END_OF_LIST", "missed_after": 3, "missed_times": 2,
        "self_check_in": "OPEN", "opens_minutes": 30, "closes_minutes": 10, "near": 4,
    }  # fmt: skip

    assert client.post("/queue/rules/", {**given, "near": 0}).status_code == 422
    client.post("/queue/rules/", given)
    client.post("/queue/rules/", {**given, "whose": str(where.physician.pk), "order": "NUMBER"})
    assert set(QueueRules.objects.values_list("practitioner_id", "order")) == {
        (None, "RATIO"),
        (where.physician.pk, "NUMBER"),
    }
    assert "own rules" in texts(client.get("/queue/rules/"))
    client.post("/queue/rules/", {"whose": str(where.physician.pk), "what": "as_clinic"})

    assert QueueRules.objects.count() == 1


def test_one_session_has_rules_of_its_own_and_loses_them_again(morning, client_for):
    where, held = morning
    client = client_for("owner")
    page = f"/queue/{held.pk}/rules/"
    given = {
        "order": "RATIO", "booked_in_turn": 2, "walk_ins_in_turn": 1, "missed": "END_OF_LIST", "missed_after": 3, "missed_times": 2,
        "self_check_in": "OPEN", "opens_minutes": 30, "closes_minutes": 10, "near": 4,
    }  # fmt: skip
    client.post("/queue/rules/", {**given, "whose": str(where.physician.pk), "order": "NUMBER"})
    assert "The practitioner’s rules count." in texts(client.get(page))
    assert page in client.get(f"/queue/{held.pk}/").content.decode()

    assert client.post(page, {**given, "missed_times": 10}).status_code == 422
    assert client.post(page, given).status_code == 303
    assert look(held.pk).rules.order == "RATIO"
    assert "Use the practitioner’s rules again" in texts(client.get(page))
    client.post(page, {"what": "as_others"})

    assert look(held.pk).rules.order == "NUMBER"


def test_who_may_not_plan_does_not_set_rules(morning, client_for):
    _where, held = morning
    client = client_for("physician")

    assert client.get(f"/queue/{held.pk}/rules/").status_code == 403
    assert "/rules/" not in client.get(f"/queue/{held.pk}/").content.decode()


def test_the_first_page_shows_who_waits_how_long_and_who_is_in_the_room(morning, client_for):
    where, held = morning
    first, second = come(where, held, "王小明"), come(where, held, "林小華")
    services.call(ticket_id=first["id"], room_id=where.room.pk, now=timezone.now(), by=None)
    Ticket.objects.filter(pk=second["id"]).update(checked_in_at=timezone.now() - 50 * MINUTE)

    said = texts(client_for("front_desk").get("/"))

    assert f"林怡君 1 診 1 50 min {first['label']}" in said
    assert "In the waiting room" not in texts(client_for("marketing").get("/"))


def test_a_screen_is_made_its_address_shown_once_and_ended(morning, client_for):
    where, _held = morning
    client = client_for("owner")
    given = {
        "name": "候診區電視",
        "location": str(where.location.pk),
        "kind": "CALLS",
        "language": "zh-hant",
        "theme": "dark",
        "shows_names": "on",
    }

    page = client.post("/queue/screens/", given).content.decode()
    url = re.search(r"<code>([^<]+)</code>", page)[1]
    assert client.get(url).status_code == 200
    assert url not in client.get("/queue/screens/").content.decode()
    client.post(f"/queue/screens/{Display.objects.get().pk}/end/")

    from careloop.waitingroom import live

    live.forget()
    assert client.get(url).status_code == 404


def test_sessions_of_other_days_are_not_todays(organization, client_for):
    _where, held = numbers()

    assert Session.objects.count() == 1
    assert "No sessions today" in texts(client_for("nurse").get("/queue/"))
    assert client_for("nurse").get(f"/queue/{held.pk}/").status_code == 200
