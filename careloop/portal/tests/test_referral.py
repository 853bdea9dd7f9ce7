"""A friend's link carries a code to where they register; a member sees theirs, and what one wishes is kept."""

from uuid import uuid4

import pytest

from careloop.loyalty.join import membership
from careloop.loyalty.models import Referral
from careloop.loyalty.tests.make import open_one
from careloop.loyalty.thanks import referral_codes, referrals, wishes
from careloop.messaging.tests.support import account
from careloop.portal.recognizing import cookie_name
from careloop.portal.tests.support import Phone, a_service, now, somebody


@pytest.fixture
def clinic(organization):
    from django.core.cache import cache

    cache.clear()
    account("sms", now=now())
    referrals.set_up(given={"is_on": True}, version=None, now=now(), by=None)
    return organization


@pytest.fixture
def member(clinic):
    who = somebody("林會員", phone="0912-000-111")
    membership.join(patient_id=who, programme_id=open_one(now=now()).pk, how="DESK", now=now(), by=None)
    return who


@pytest.fixture
def code(member):
    return referrals.code_of(member, now=now())


def carried(phone):
    found = phone.client.cookies.get(cookie_name("referral", phone.clinic.slug))
    return found.value.split(".") if found and found.value else None


def hold(phone, where, held):
    phone.post(f"book/{where.service.pk}/hold/", {
        "place": f"{held.pk}_{int(held.starts_at.timestamp())}", "key": str(uuid4()), "first": "1",
    })  # fmt: skip


def register(phone, where, held, **more):
    hold(phone, where, held)
    answer = phone.post("book/details/", {
        "name": "陳新人", "birth_date": "79/3/5", "phone": "0955-111-222", "notice": "on", **more,
    })  # fmt: skip
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    return phone.post("book/details/", {})


def test_a_link_carries_the_code_and_notes_nothing(clinic, code):
    phone = Phone(clinic)
    page = phone.sees(f"r/{code}/")

    assert "林會員" not in page
    assert carried(phone)[0] == code
    assert not Referral.objects.exists()


def test_the_first_link_counts(clinic, code):
    other = referrals.code_of(somebody("第二人", phone="0912-000-222"), now=now())
    phone = Phone(clinic)
    phone.sees(f"r/{code}/")
    phone.sees(f"r/{other}/")

    assert carried(phone)[0] == code


def test_a_code_of_nobody_is_said_and_not_carried(clinic):
    phone = Phone(clinic)

    assert phone.get(f"r/{referral_codes.new_code()}/").status_code == 404
    assert carried(phone) is None


def test_who_registers_with_the_link_is_noted_when_it_is_booked(clinic, member, code):
    where, held = a_service(verify_phone=False)
    phone = Phone(clinic)
    phone.sees(f"r/{code}/")
    hold(phone, where, held)
    assert referral_codes.spoken_code(code) in phone.sees("book/details/")

    register(phone, where, held, referral=referral_codes.spoken_code(code))

    made = Referral.objects.get()
    assert (made.referrer_id, made.how, made.state, made.shows_name) == (member, "LINK", "WAITING", False)
    assert "we thank the friend" in phone.sees("book/done/")
    assert carried(phone) is None


def test_who_takes_the_code_out_is_nobodys_friend(clinic, code):
    where, held = a_service(verify_phone=False)
    phone = Phone(clinic)
    phone.sees(f"r/{code}/")

    register(phone, where, held, referral="")

    assert not Referral.objects.exists()


def test_a_typed_code_with_a_slip_is_said_in_the_form(clinic, code):
    where, held = a_service(verify_phone=False)
    phone = Phone(clinic)
    hold(phone, where, held)
    answer = phone.post("book/details/", {
        "name": "陳新人", "birth_date": "79/3/5", "phone": "0955-111-222", "notice": "on", "referral": "ABC-DEFG",
    })  # fmt: skip

    assert answer.status_code == 422
    assert "not known" in answer.content.decode()


def test_switched_off_the_form_asks_for_no_code(clinic, code):
    where, held = a_service(verify_phone=False)
    referrals.set_up(given={"is_on": False}, version=None, now=now(), by=None)
    phone = Phone(clinic)
    hold(phone, where, held)

    assert 'name="referral"' not in phone.sees("book/details/")
    assert phone.get(f"r/{code}/").status_code == 404


def test_a_patient_of_old_brings_a_link_and_books_as_always(clinic, code):
    somebody()
    where, held = a_service()
    phone = Phone(clinic).sign_in()
    assert "one of us already" in phone.sees(f"r/{code}/")
    hold(phone, where, held)
    phone.post("book/details/", {})

    assert not Referral.objects.exists()


def test_a_member_sees_the_code_and_how_many_came_but_no_name_that_was_not_given(clinic, member, code):
    for name, shows in (("甲安靜", False), ("乙願意", True)):
        friend = somebody(name, phone="", born=None, now=now())
        made = referrals.claim(friend_id=friend, code=code, how="DESK", now=now(), shows_name=shows)
        assert made.state == "WAITING"
        referrals.note_visits({friend: now()}, now=now())
    page = Phone(clinic).sign_in("0912-000-111").sees("member/referral/")

    assert referral_codes.spoken_code(code) in page
    assert "2 friends came" in page
    assert "乙願意" in page
    assert "甲安靜" not in page
    assert "<svg" in page


def test_who_is_no_member_has_no_code(clinic):
    somebody()
    page = Phone(clinic).sign_in().sees("member/referral/")

    assert "for members" in page


def test_wishes_are_kept(clinic):
    who = somebody()
    phone = Phone(clinic).sign_in()
    assert phone.post("member/wishes/", {"calendar": "lunar", "topic": ["food", "teeth"]}).status_code == 302

    kept = wishes.wishes_of(who)
    assert (kept.wants_greetings, kept.is_lunar, kept.interests) == (False, True, ("food", "teeth"))
    assert "month 2, day 9" in phone.sees("member/wishes/")
