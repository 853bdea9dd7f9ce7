"""Members take rewards on their phones and show the code; partners check codes behind a secret link and a PIN."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from careloop.audit.models import AuditEvent
from careloop.audit.services import write_notes
from careloop.kernel.ids import new_token, token_hash
from careloop.loyalty.models import CouponCode, Redemption
from careloop.loyalty.points import statements
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import coupons, partners, redemptions
from careloop.loyalty.tests.reward_support import anything_goes, coupon, partner, reward, rich
from careloop.patients.tests.make import patient
from careloop.portal.models import PatientSession
from careloop.portal.recognizing import cookie_name
from careloop.portal.tests.support import Phone


@pytest.fixture(autouse=True)
def free(organization):
    cache.clear()
    anything_goes(organization)


def now():
    return datetime.now(UTC)


def phone_of(organization, patient_id):
    phone, token = Phone(organization), new_token()
    PatientSession.objects.create(
        token_hash=token_hash(token), patient_id=patient_id, how="code", created_at=now(), seen_at=now(),
        expires_at=now() + timedelta(days=1),
    )  # fmt: skip
    phone.client.cookies[cookie_name("patient", organization.slug)] = token
    return phone


def test_a_member_takes_a_reward_shows_the_code_and_gives_it_back(organization):
    account, one = rich(100), reward(points=60, stock=1, names={"en": "Cup"})
    reward(points=900, name="太貴了")
    phone = phone_of(organization, account.patient_id)
    shown = phone.sees("member/rewards/")
    assert "You have 100 points." in shown
    assert "800 points are missing." in shown

    for _click in range(2):
        answer = phone.post(f"member/rewards/{one.pk}/take/", {"key": "form"})
    made = Redemption.objects.get()
    page = phone.sees(answer["Location"])

    assert redemptions.code_of(made) in page
    assert "<svg" in page
    assert made.source == "PORTAL"
    phone.post(f"member/rewards/codes/{made.pk}/give-back/")
    assert statements.balance_of(account.pk) == 100
    assert redemptions.code_of(made) not in phone.sees(f"member/rewards/codes/{made.pk}/")


def test_what_cannot_be_had_is_refused_in_words(organization):
    account, one = rich(10), reward(points=60)

    answer = phone_of(organization, account.patient_id).post(f"member/rewards/{one.pk}/take/", {"key": "form"})

    assert answer.status_code == 422
    assert "50 points are missing." in answer.content.decode()


def test_what_a_rule_stops_is_not_shown_at_all(organization):
    account = rich(100)
    reward(points=60, gives="CARE", name="免費洗牙")
    organization.legal_profile = "TW"
    organization.save()

    assert "免費洗牙" not in phone_of(organization, account.patient_id).sees("member/rewards/")


def test_somebody_who_is_no_member_is_told_so(organization):
    phone, one = phone_of(organization, patient()), reward()

    assert "You are not one yet." in phone.sees("member/rewards/")
    assert phone.post(f"member/rewards/{one.pk}/take/", {"key": "k"}).status_code == 404


def test_nobody_sees_another_members_codes(organization):
    theirs = rich(100, name="李四")
    made = redemptions.redeem(account_id=theirs.pk, reward_id=reward(points=10).pk, key="k", now=now(), by=None)
    given = coupons.grant_coupon(
        account_id=theirs.pk, coupon_id=coupon().pk, key="g", because=Because("MANUAL"), now=now(), by=None
    )
    phone = phone_of(organization, rich(100).patient_id)

    assert phone.get(f"member/rewards/codes/{made.pk}/").status_code == 404
    assert phone.post(f"member/rewards/codes/{made.pk}/give-back/").status_code == 404
    assert phone.get(f"member/coupons/{given['id']}/").status_code == 404
    assert Redemption.objects.get().state == "RESERVED"


def test_own_coupons_show_with_their_code(organization):
    account = rich(0)
    given = coupons.grant_coupon(
        account_id=account.pk, coupon_id=coupon().pk, key="g", because=Because("BIRTHDAY", note="生日快樂"), now=now(), by=None
    )  # fmt: skip
    phone = phone_of(organization, account.patient_id)

    assert "生日快樂" in phone.sees("member/rewards/")
    assert given["code"] in phone.sees(f"member/coupons/{given['id']}/")


def test_only_partners_offers_can_be_taken_by_oneself(organization):
    account, shop = rich(0), partner()
    one = coupon("PARTNER", name="拿鐵", partner_id=shop.pk, per_member=1)
    granted = coupon()
    phone = phone_of(organization, account.patient_id)
    assert "拿鐵" in phone.sees("member/rewards/")

    answer = phone.post(f"member/offers/{one.pk}/take/", {"key": "form"})

    assert "巷口咖啡" in phone.sees(answer["Location"])
    assert phone.post(f"member/offers/{one.pk}/take/", {"key": "again"}).status_code == 422
    assert phone.post(f"member/offers/{granted.pk}/take/", {"key": "x"}).status_code == 404


def test_the_whole_page_asks_as_often_for_many_as_for_few(organization, django_assert_max_num_queries):
    account, shop = rich(1000), partner()
    for number in range(8):
        one = reward(points=10, name=f"獎{number}")
        redemptions.redeem(account_id=account.pk, reward_id=one.pk, key=f"k{number}", now=now(), by=None)
        coupon("PARTNER", name=f"優惠{number}", partner_id=shop.pk)
    phone = phone_of(organization, account.patient_id)

    with django_assert_max_num_queries(28):
        phone.sees("member/rewards/")


# -- partners -------------------------------------------------------------------------------------------------


class Counter:
    """The browser at a partner's counter."""

    def __init__(self, who):
        self.url = "/p/v/" + partners.url_of(who).rstrip("/").rpartition("/")[2] + "/"
        self.client = Client()
        self.client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"

    def enter(self, pin="135790"):
        return self.client.post(self.url, {"do": "enter", "pin": pin})

    def send(self, do, code, key="k"):
        return self.client.post(self.url, {"do": do, "code": code, "key": key})


def a_code(who, *, name="王小明"):
    one = coupon("PARTNER", name="拿鐵", partner_id=who.pk)
    return coupons.grant_coupon(
        account_id=rich(0, name=name).pk, coupon_id=one.pk, key=f"g{name}", because=Because("PARTNER"), now=now(), by=None
    )  # fmt: skip


def test_a_partner_enters_the_pin_checks_a_code_and_marks_it_once(organization):
    who = partner()
    given, counter = a_code(who), Counter(who)
    assert "PIN" in counter.client.get(counter.url).content.decode()
    assert counter.enter().status_code == 303

    looked = counter.send("look", given["code"]).content.decode()
    assert CouponCode.objects.get().state == "OPEN"  # looking marks nothing
    used = counter.send("use", given["code"], key="tap").content.decode()
    counter.send("use", given["code"], key="tap")  # the Back button
    again = counter.send("use", given["code"], key="another tap")

    assert "王○明" in looked
    assert "王小明" not in looked + used + again.content.decode()
    assert CouponCode.objects.get().at_partner_id == who.pk
    assert again.status_code == 409
    write_notes()
    trace = AuditEvent.objects.filter(action="coupon.used").get()
    assert (trace.actor_kind, trace.actor_name) == ("partner", "巷口咖啡")


def test_without_the_pin_nothing_is_told_and_nothing_done(organization):
    who = partner()
    given, counter = a_code(who), Counter(who)

    for do in ("look", "use"):
        shown = counter.send(do, given["code"]).content.decode()
        assert "王" not in shown
    assert CouponCode.objects.get().state == "OPEN"


def test_pins_cannot_be_tried_through(organization):
    counter = Counter(partner())
    tries = [counter.enter(f"{number:06}").status_code for number in range(9)]

    assert tries == [422] * 8 + [429]
    assert counter.enter().status_code == 429  # not even with the right one


def test_a_new_pin_or_link_ends_what_was_open(organization):
    from careloop.loyalty.tests.reward_support import somebody

    who = partner()
    given, counter = a_code(who), Counter(who)
    counter.enter()
    partners.set_pin(partner_id=who.pk, pin="999999", now=now(), by=somebody().pk)
    assert "PIN of six digits" in counter.send("look", given["code"]).content.decode()

    partners.new_link(partner_id=who.pk, now=now(), by=somebody().pk)

    assert counter.client.get(counter.url).status_code == 404


def test_codes_of_others_look_like_codes_that_do_not_exist(organization):
    who, other = partner(), partner("書店")
    theirs, counter = a_code(other), Counter(who)
    counter.enter()

    answer = counter.send("look", theirs["code"])

    assert answer.status_code == 422
    assert "no such code" in answer.content.decode()
