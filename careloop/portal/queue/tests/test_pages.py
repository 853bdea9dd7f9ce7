"""The patient's number, check-in at the clinic, and the screens: what they show, whom they let in, what they never tell."""

import json
import re
from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from careloop.kernel import sql
from careloop.patients.tests.make import patient
from careloop.scheduling.tests.make import book
from careloop.waitingroom import displays, links, live, services
from careloop.waitingroom.models import Ticket
from careloop.waitingroom.tests.make import numbers, rules
from tests.support import inside

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def fresh(db):
    live.forget()
    cache.clear()
    yield
    live.forget()


@pytest.fixture
def clinic_day(organization):
    now = timezone.now()
    day = now.astimezone(timezone.get_fixed_timezone(480)).date()
    return numbers(starts_at=now - timedelta(hours=1), on_date=day)


@pytest.fixture
def phone():
    return Client(enforce_csrf_checks=True)


def path(url):
    return url[url.index("/p/") :]


def come(clinic_day, name="王小明", **more):
    """Somebody checked in, with the address of the number."""
    where, held = clinic_day
    made = book(where, held, patient(name, **more))
    ticket = services.check_in(appointment_id=made.pk, how="DESK", now=timezone.now(), by=None)
    return ticket, path(services.pass_for(appointment_id=made.pk, now=timezone.now())[1])


def expected(clinic_day, name="王小明", **more):
    where, held = clinic_day
    made = book(where, held, patient(name, **more))
    ticket_id, url = services.pass_for(appointment_id=made.pk, now=timezone.now())
    return ticket_id, path(url)


def now_of(phone, url):
    live.forget()
    return phone.get(f"{url}now/")


def call(clinic_day):
    where, held = clinic_day
    return services.call_next(session_id=held.pk, room_id=where.room.pk, now=timezone.now(), by=None)


# -- my number ---------------------------------------------------------------------------------------------------


def test_the_phone_shows_my_number_the_number_now_and_who_is_ahead(clinic_day, phone):
    come(clinic_day, "甲"), come(clinic_day, "乙")
    _ticket, url = come(clinic_day, "王小明")
    call(clinic_day)

    page = phone.get(url).content.decode()
    told = json.loads(now_of(phone, url).content)

    assert (told["number"], told["now"], told["ahead"]) == ("5", ["1"], 1)
    assert told["ahead_text"] == "前面還有 1 位"
    assert told["high"] > told["low"] >= 0
    assert "王" not in re.sub(r"<[^>]+>", "", page)
    assert '<meta http-equiv="refresh" content="20">' in page


def test_an_unchanged_number_is_not_sent_again(clinic_day, phone):
    _ticket, url = come(clinic_day)
    first = phone.get(f"{url}now/")

    same = phone.get(f"{url}now/", headers={"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")

    call(clinic_day)
    live.forget()
    changed = phone.get(f"{url}now/", headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, json.loads(changed.content)["state"]) == (200, "CALLED")


def test_polls_ask_the_database_once_a_second_whoever_polls(clinic_day, phone, django_assert_num_queries):
    urls = [come(clinic_day, name)[1] for name in "甲乙丙"]
    for url in urls:
        phone.get(f"{url}now/")

    with django_assert_num_queries(0):
        for _ in range(20):
            for url in urls:
                assert phone.get(f"{url}now/").status_code == 200


def test_a_known_number_is_answered_before_django_and_says_the_same(clinic_day, phone):
    from careloop.portal.queue import fast

    _ticket, url = come(clinic_day)
    seen, observed = [], []
    quick = fast.wrap(
        lambda environ, start: seen.append(environ["PATH_INFO"]) or [b"slow"], headers=[("X-Frame-Options", "DENY")],
        observe=lambda **what: observed.append(what["status"]),
    )  # fmt: skip

    def ask(path, **environ):
        answer = []
        body = quick({"PATH_INFO": path, "REQUEST_METHOD": "GET", **environ}, lambda *given: answer.extend(given))
        return (answer[0] if answer else "", dict(answer[1]) if answer else {}, b"".join(body))

    assert ask(f"{url}now/")[2] == b"slow"  # nobody has read yet
    ordinary = phone.get(f"{url}now/")
    status, headers, body = ask(f"{url}now/")
    assert (status, body, headers["ETag"]) == ("200 OK", ordinary.content, ordinary["ETag"])
    assert headers["X-Frame-Options"] == "DENY"
    assert ask(f"{url}now/", HTTP_IF_NONE_MATCH=ordinary["ETag"])[::2] == ("304 Not Modified", b"")
    assert ask(url)[2] == ask("/p/q/not-a-token/now/")[2] == b"slow"
    assert observed == [200, 304]


def test_looking_at_the_number_is_noted_once(clinic_day, phone):
    from careloop.audit.services import write_notes

    ticket, url = come(clinic_day)
    for _ in range(3):
        phone.get(url)
    write_notes()

    rows = sql.rows("select actor_kind from audit_event where action = 'queue.opened'")
    assert [row["actor_kind"] for row in rows] == ["patient"]
    assert Ticket.objects.get(pk=ticket["id"]).opened_at is not None


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("skip", "請告知櫃檯"), ("start", "您正在看診"), ("finish", "看診已完成"), ("leave", "不在候診名單"), (None, "輪到您了"),
    ],
)  # fmt: skip
def test_every_state_says_what_to_do(clinic_day, phone, does, words):
    ticket, url = come(clinic_day)
    call(clinic_day)
    if does:
        getattr(services, does)(ticket_id=ticket["id"], now=timezone.now(), by=None)

    assert words in phone.get(url).content.decode()
    assert words in json.loads(now_of(phone, url).content)["headline"]


def test_the_language_is_the_patients(clinic_day, phone):
    _ticket, url = come(clinic_day, "Maria Santos", language="en")

    assert "My number" in phone.get(url).content.decode()
    assert json.loads(now_of(phone, url).content)["headline"] == "You are next."


def test_a_link_that_opens_nothing(phone, organization):
    assert phone.get("/p/q/not-a-token/").status_code == 404
    assert phone.get("/p/q/not-a-token/now/").status_code == 404


def test_an_erased_patients_link_opens_nothing(clinic_day, phone):
    from careloop.waitingroom import privacy

    ticket, url = come(clinic_day)
    privacy.erase(ticket["patient_id"])

    assert phone.get(url).status_code == 404


def test_the_number_of_another_day_is_not_live(organization, phone):
    where, held = numbers()  # long ago
    made = book(where, held, patient())
    _ticket, url = services.pass_for(appointment_id=made.pk, now=timezone.now())

    assert phone.get(path(url)).status_code == 404
    assert phone.get(f"{path(url)}now/").status_code == 404


# -- checking in -------------------------------------------------------------------------------------------------


def test_i_am_here_from_the_phone_where_the_rules_allow_it(clinic_day, phone):
    rules(self_check_in="OPEN")
    ticket_id, url = expected(clinic_day)
    assert "我到了" in phone.get(url).content.decode()

    answer = phone.post(url, headers={"User-Agent": "Mozilla/5.0 Line/14.1"})

    assert answer.status_code == 302
    assert list(Ticket.objects.filter(pk=ticket_id).values_list("state", "how")) == [("WAITING", "LINE")]


def test_without_the_clinics_code_the_phone_is_refused_in_words(clinic_day, phone):
    ticket_id, url = expected(clinic_day)

    answer = phone.post(url)

    assert answer.status_code == 409
    assert "請掃描診所現場的報到條碼" in answer.content.decode()
    assert Ticket.objects.get(pk=ticket_id).state == "EXPECTED"


def code_at(clinic_day, *, ago=0, location=None):
    where, held = clinic_day
    return path(
        links.code_url(
            held.organization_id, (location or where.location).pk, now=timezone.now() - timedelta(seconds=60 * ago)
        )
    )


def test_the_code_at_the_clinic_and_the_phone_that_knows_its_number(clinic_day, phone):
    ticket_id, url = expected(clinic_day)
    phone.get(url)
    code = code_at(clinic_day)
    assert "我到了" in phone.get(code).content.decode()

    answer = phone.post(code, {"what": "mine"})

    assert (answer.status_code, answer["Location"]) == (302, url)
    assert list(Ticket.objects.filter(pk=ticket_id).values_list("state", "how")) == [("WAITING", "QR")]


def test_the_code_at_the_clinic_and_birth_date_and_telephone(clinic_day, phone):
    where, held = clinic_day
    book(where, held, patient("王小明", phone="0912345678", birth_date=date(1990, 3, 5)))
    code = code_at(clinic_day)
    assert "出生日期" in phone.get(code).content.decode()

    for birth, digits in (("79/3/5", "679"), ("79/3/6", "678"), ("", ""), ("x", "abc")):
        refused = phone.post(code, {"birth": birth, "digits": digits})
        assert refused.status_code == 422
        assert "查不到符合這個生日與電話的今日看診" in refused.content.decode()
    answer = phone.post(code, {"birth": "79/3/5", "digits": "678"})

    assert answer.status_code == 302
    assert Ticket.objects.get().how == "QR"
    assert phone.get(answer["Location"]).status_code == 200


def test_guessing_ends_after_a_few_tries(clinic_day, phone):
    code = code_at(clinic_day)
    answers = [phone.post(code, {"birth": "79/3/5", "digits": f"{number:03d}"}).status_code for number in range(8)]

    assert answers == [422] * 5 + [429] * 3


def test_an_old_or_forged_code_checks_nobody_in(clinic_day, phone):
    ticket_id, url = expected(clinic_day)
    phone.get(url)

    assert phone.get(code_at(clinic_day, ago=3)).status_code == 410
    assert phone.post(code_at(clinic_day, ago=5), {"what": "mine"}).status_code == 302  # opened in time, sent later
    services.leave(ticket_id=ticket_id, now=timezone.now(), by=None)
    assert phone.post(code_at(clinic_day, ago=30), {"what": "mine"}).status_code == 410
    good = code_at(clinic_day)
    forged = good[:-3] + ("AA/" if not good.endswith("AA/") else "BB/")
    assert phone.post(forged, {"what": "mine"}).status_code == 404
    assert phone.get("/p/q/here/not-a-code/").status_code == 404
    assert Ticket.objects.get(pk=ticket_id).state == "LEFT"


def test_a_code_of_another_clinic_finds_nobody_here(clinic_day, other_organization, phone):
    _ticket_id, url = expected(clinic_day)
    phone.get(url)
    with inside(other_organization):
        from careloop.tenancy.models import Location

        code = path(links.code_url(other_organization.id, Location.objects.get().pk, now=timezone.now()))

        page = phone.get(code)
        refused = phone.post(code, {"what": "mine", "birth": "79/3/5", "digits": "678"})

    assert page.status_code == 200
    assert "我到了" not in page.content.decode()
    assert refused.status_code == 422


# -- screens -----------------------------------------------------------------------------------------------------


def make_screen(clinic_day, **values):
    where, _held = clinic_day
    made, url = displays.make(
        values={"name": "候診區", "location_id": where.location.pk, **values}, now=timezone.now(), by=None
    )
    return made, path(url)


def test_the_television_shows_number_masked_name_room_and_what_it_says_aloud(clinic_day, phone):
    come(clinic_day, "王小明"), come(clinic_day, "歐陽娜娜"), come(clinic_day, "丙")
    call(clinic_day)
    _made, url = make_screen(clinic_day)

    page = phone.get(url).content.decode()

    assert "王○明" in page
    assert "王小明" not in page
    assert "歐陽" not in page
    assert "1 診" in page
    assert 'data-say="來賓 1 號，請到1 診。"' in page
    assert re.search(r"<b>3</b> ?<b>5</b>", page)


def test_names_and_code_can_be_left_out(clinic_day, phone):
    come(clinic_day, "王小明")
    call(clinic_day)
    _made, url = make_screen(clinic_day, shows_names=False, shows_code=False)

    page = phone.get(url).content.decode()

    assert "王" not in page
    assert "cl-qr" not in page


def test_the_television_asks_cheaply_and_hears_of_a_call(clinic_day, phone):
    come(clinic_day, "甲")
    _made, url = make_screen(clinic_day, shows_code=False)
    first = phone.get(f"{url}now/")
    assert phone.get(f"{url}now/", headers={"If-None-Match": first["ETag"]}).status_code == 304

    call(clinic_day)
    live.forget()
    changed = phone.get(f"{url}now/", headers={"If-None-Match": first["ETag"]})

    assert changed.status_code == 200
    assert "data-call=" in changed.content.decode()


def test_the_entrance_shows_a_code_that_changes(clinic_day, phone):
    _made, url = make_screen(clinic_day, kind="ENTRANCE")

    assert "cl-tv-entrance" in phone.get(url).content.decode()
    where, held = clinic_day
    now = timezone.now()
    one, next_ = (
        links.code_for(held.organization_id, where.location.pk, now=now + timedelta(seconds=s)) for s in (0, 60)
    )
    assert one != next_


def test_an_ended_link_shows_nothing(clinic_day, phone):
    made, url = make_screen(clinic_day)
    assert phone.get(url).status_code == 200
    displays.revoke(display_id=made.pk, now=timezone.now(), by=None)
    live.forget()

    assert phone.get(url).status_code == 404
    assert phone.get(f"{url}now/").status_code == 404


def test_a_screen_shows_its_own_clinic_only(clinic_day, other_organization, phone):
    come(clinic_day, "王小明")
    call(clinic_day)
    with inside(other_organization):
        from careloop.tenancy.models import Location

        _made, url = displays.make(
            values={"name": "別家", "location_id": Location.objects.get().pk}, now=timezone.now(), by=None
        )
        page = phone.get(path(url))

    assert page.status_code == 200
    assert "王○明" not in page.content.decode()
