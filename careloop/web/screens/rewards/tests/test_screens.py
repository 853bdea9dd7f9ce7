"""The rewards' screens: set up under the guard, three taps at the desk, codes used once, partners settled with."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from careloop.accounts.models import Membership, MembershipLocation
from careloop.audit.models import AuditEvent
from careloop.loyalty.models import Coupon, CouponCode, Partner, Redemption, Reward, Settlement
from careloop.loyalty.points import statements
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import coupons, redemptions
from careloop.loyalty.tests.reward_support import anything_goes, coupon, partner, reward, rich, somebody
from careloop.tenancy.models import Location

HOME = "/membership/rewards/"


@pytest.fixture(autouse=True)
def free(organization):
    anything_goes(organization)


@pytest.fixture
def desk(client_for):
    return client_for("front_desk")


@pytest.fixture
def manager(client_for):
    return client_for("marketing")


def now():
    return datetime.now(UTC)


def page_of(answer):
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_a_reward_is_written_down_and_switched_on(manager):
    rich(0)  # there is a programme
    form = {
        "name": "保溫杯",
        "gives": "GOODS",
        "points": "80",
        "stock": "3",
        "hold_days": "14",
        "undo_hours": "24",
        "name_en": "Mug",
    }

    made = manager.post(HOME + "new/", form)
    one = Reward.objects.get()
    assert (made.status_code, made["Location"]) == (303, f"{HOME}{one.pk}/")
    manager.post(f"{HOME}{one.pk}/switch/", {"to": "on"})

    assert Reward.objects.get().state == "ON"
    assert "Mug" in page_of(manager.get(HOME))
    refused = manager.post(f"{HOME}{one.pk}/", {**form, "points": "0"})
    assert refused.status_code == 422


def test_under_the_taiwan_profile_the_page_says_which_rule_stops_it(manager, organization):
    organization.legal_profile = "TW"
    organization.save()
    one = reward(on=False, gives="CARE", name="免費洗牙")

    answer = manager.post(f"{HOME}{one.pk}/switch/", {"to": "on"}, follow=True)

    assert Reward.objects.get().state == "DRAFT"
    shown = page_of(answer)
    assert "S1-C" in shown
    assert "Not allowed" in shown


def test_three_taps_at_the_desk(desk):
    account, one = rich(200), reward(points=60, stock=2)

    found = desk.post(HOME + "desk/find/", {"code": account.member_number})  # 1: scan
    member = page_of(desk.get(found["Location"]))
    url = f"{found['Location']}take/{one.pk}/"
    assert url in member
    ask = desk.get(url)  # 2: choose
    assert "140" in page_of(ask)
    dialog = page_of(desk.get(url, headers={"HX-Request": "true"}))
    assert "<html" not in dialog
    key = next(field["value"] for field in ask.context["hidden"] if field["name"] == "key")
    for _click in range(2):
        done = desk.post(url, {"key": key})  # 3: confirm

    made = Redemption.objects.get()
    assert (done.status_code, done["Location"], made.state) == (303, f"{HOME}redemptions/{made.pk}/", "CONFIRMED")
    assert statements.balance_of(account.pk) == 140
    seen = AuditEvent.objects.filter(action="loyalty.desk_viewed").first()
    assert seen is not None
    assert account.patient_id in seen.patients


def test_the_card_of_a_member_is_scanned_too(desk):
    from careloop.loyalty.join import membership

    account = rich(0)

    answer = desk.post(HOME + "desk/find/", {"code": membership.card_code(account.member_number)})

    assert answer["Location"] == f"{HOME}desk/members/{account.pk}/"


def test_a_code_goes_to_its_page_and_is_handed_over_once(desk):
    made = redemptions.redeem(account_id=rich().pk, reward_id=reward().pk, key="k", now=now(), by=None)
    code = redemptions.code_of(made)

    url = desk.post(HOME + "desk/find/", {"code": code.lower()})["Location"]
    desk.post(url + "hand-over/", {"key": "one"})
    answer = desk.post(url + "hand-over/", {"key": "another"}, follow=True)

    assert "used already" in page_of(answer)
    assert Redemption.objects.get().state == "CONFIRMED"


def test_what_was_typed_wrong_is_said_in_the_field(desk):
    answer = desk.post(HOME + "desk/find/", {"code": "ABCD-1234"})

    assert answer.status_code == 422
    assert "sixteen letters" in answer.content.decode()
    assert "camera=(self)" in desk.get(HOME + "desk/")["Permissions-Policy"]
    assert "camera=()" in desk.get(HOME)["Permissions-Policy"]


def test_taking_back_asks_why_and_gives_points_back(desk):
    account = rich(200)
    made = redemptions.hand_over(
        account_id=account.pk, reward_id=reward(points=60).pk, key="k", now=now(), by=somebody().pk
    )
    url = f"{HOME}redemptions/{made.pk}/take-back/"

    assert desk.post(url, {"reason": ""}).status_code == 422
    answer = desk.post(url, {"reason": "拿錯項目"})

    assert answer["Location"] == f"{HOME}redemptions/{made.pk}/"
    assert statements.balance_of(account.pk) == 200
    assert "拿錯項目" in page_of(desk.get(answer["Location"]))


def test_noted_codes_are_sent_in_and_each_says_what_came_of_it(desk):
    made = redemptions.redeem(account_id=rich().pk, reward_id=reward().pk, key="k", now=now(), by=None)
    page = desk.get(HOME + "desk/noted/")
    key = page.context["form"]["key"].value()
    local = now().astimezone(ZoneInfo("Asia/Taipei")) + timedelta(minutes=1)
    form = {"key": key, "noted_at": f"{local:%Y-%m-%dT%H:%M}", "codes": f"{redemptions.code_of(made)}\nwrong"}

    shown = page_of(desk.post(HOME + "desk/noted/", form))

    assert "1 code was used." in shown
    assert "sixteen letters" in shown


def test_members_of_another_branch_are_not_found_by_limited_staff(desk):
    there, here = (Location.objects.create(name=name) for name in ("板橋", "信義"))
    account = rich(200, name="林板橋", home_location_id=there.pk)
    one = reward()
    made = redemptions.redeem(account_id=account.pk, reward_id=one.pk, key="k", now=now(), by=None)
    MembershipLocation.objects.create(membership=Membership.objects.get(user=desk.user), location=here)

    assert desk.post(HOME + "desk/find/", {"code": account.member_number}).status_code == 422
    assert desk.post(HOME + "desk/find/", {"code": redemptions.code_of(made)}).status_code == 422
    for url in (f"desk/members/{account.pk}/", f"desk/members/{account.pk}/take/{one.pk}/", f"redemptions/{made.pk}/"):
        assert desk.get(HOME + url).status_code == 404
    assert "林板橋" not in page_of(desk.get(HOME + "redemptions/"))


def test_lists_ask_the_database_as_often_for_many_as_for_few(manager):
    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as found:
            page_of(manager.get(url))
        return len(found)

    first, given = reward(name="一"), coupon(name="甲")
    shop = partner()
    urls = [
        HOME,
        HOME + "redemptions/",
        HOME + "coupons/",
        HOME + "partners/",
        f"{HOME}coupons/{given.pk}/codes/",
        f"{HOME}partners/{shop.pk}/",
    ]

    def fill(number: int) -> None:
        account = rich(500, name=f"病人{number}")
        redemptions.redeem(account_id=account.pk, reward_id=first.pk, key=f"k{number}", now=now(), by=None)
        coupons.grant_coupon(
            account_id=account.pk, coupon_id=given.pk, key=f"g{number}", because=Because("MANUAL", note="x"), now=now(), by=None
        )  # fmt: skip
        reward(name=f"獎{number}"), coupon(name=f"券{number}")
        coupon("PARTNER", name=f"優惠{number}", partner_id=shop.pk)

    fill(1)
    page_of(manager.get(HOME))  # what is asked once a process
    few = [queries(url) for url in urls]
    for number in range(2, 8):
        fill(number)

    assert [queries(url) for url in urls] == few
    assert max(few) <= 22


def test_a_coupon_is_given_used_and_taken_back_on_the_screen(desk):
    account, one = rich(0), coupon()
    give = f"{HOME}coupons/{one.pk}/give/"
    assert desk.post(give, {"key": "k", "member": "00000", "note": "協助衛教"}).status_code == 422

    page = desk.post(give, {"key": "k", "member": account.member_number, "note": "協助衛教"})["Location"]
    desk.post(page + "use/", {"key": "tap"})
    assert CouponCode.objects.get().state == "USED"
    desk.post(page + "undo/", {"reason": "按錯了"})
    assert CouponCode.objects.get().state == "OPEN"
    desk.post(page + "withdraw/", {"reason": "發錯人"})

    assert CouponCode.objects.get().state == "WITHDRAWN"
    assert desk.post(page + "use/", {"key": "again"}, follow=True).status_code == 200


def test_a_series_is_made_once_and_downloaded(manager):
    one = coupon("SERIES")
    for _click in range(2):
        manager.post(f"{HOME}coupons/{one.pk}/make/", {"key": "form", "count": "30"})

    csv = b"".join(manager.get(f"{HOME}coupons/{one.pk}/codes.csv").streaming_content).decode("utf-8-sig")

    assert len(csv.strip().splitlines()) == 31
    assert Coupon.objects.get().codes.count() == 30


def test_a_partner_is_set_up_and_settled_with(manager):
    rich(0)
    url = manager.post(HOME + "partners/new/", {"name": "巷口咖啡", "contact": "", "is_active": "on"})["Location"]
    shop = Partner.objects.get()
    assert "Set a PIN first" in page_of(manager.get(url))
    assert manager.post(url + "pin/", {"pin": "12"}).status_code == 422
    manager.post(url + "pin/", {"pin": "135790"})
    assert "/p/v/" in page_of(manager.get(url))
    manager.post(f"{HOME}coupons/new/?partner={shop.pk}", {
        "name": "咖啡", "gives": "GOODS", "pays": "25", "good_days": "30", "undo_hours": "24",
    })  # fmt: skip
    one = Coupon.objects.get()
    assert (one.partner_id, one.pays) == (shop.pk, 25)
    manager.post(f"{HOME}coupons/{one.pk}/switch/", {"to": "on"})
    before = now() - timedelta(days=3)
    given = coupons.grant_coupon(
        account_id=rich(0, name="李四").pk, coupon_id=one.pk, key="g", because=Because("PARTNER"), now=before, by=None
    )
    coupons.use(code_id=given["id"], key="u", where=coupons.Where(partner_id=shop.pk), now=before, by=None)

    day = f"{before.astimezone(ZoneInfo('Asia/Taipei')):%Y-%m-%d}"
    assert "NT$25" in page_of(manager.get(f"{url}settle/?first={day}&last={day}"))
    uses = b"".join(manager.get(f"{url}uses.csv?first={day}&last={day}").streaming_content).decode("utf-8-sig")
    assert len(uses.strip().splitlines()) == 2
    settled = manager.post(f"{url}settle/", {"first": day, "last": day, "note": "已匯款"})["Location"]
    assert manager.post(f"{url}settle/", {"first": day, "last": day}).status_code == 422

    assert Settlement.objects.get().amount == 25
    assert "locked" in page_of(manager.get(settled))
    csv = b"".join(manager.get(settled + "?csv").streaming_content).decode("utf-8-sig")
    assert "NT$25" in csv
    assert "李四" not in csv


def test_who_may_look_may_not_change(client_for):
    looker = client_for("nurse")
    one, given, shop = reward(), coupon(), partner()

    for url in (HOME, f"{HOME}{one.pk}/", f"{HOME}coupons/{given.pk}/", f"{HOME}partners/{shop.pk}/"):
        assert "Save" not in page_of(looker.get(url))
    for url in (f"{HOME}{one.pk}/", f"{HOME}coupons/{given.pk}/", f"{HOME}partners/{shop.pk}/"):
        assert looker.post(url, {}).status_code == 403
    assert "/p/v/" not in page_of(looker.get(f"{HOME}partners/{shop.pk}/"))
