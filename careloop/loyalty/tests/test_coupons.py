"""Coupons are given for a reason, printed as a series, used once, taken back for a while; partners are settled with, once."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from careloop.events.models import Event
from careloop.kernel import sql
from careloop.loyalty.models import Coupon, CouponCode
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import codes, coupons, desk, partners, redemptions, rewards
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward import privacy as reward_privacy
from careloop.loyalty.reward.coupons import Where
from careloop.loyalty.tests.reward_support import DAY, HOUR, NOW, anything_goes, coupon, partner, reward, rich, somebody
from careloop.policy.errors import OfferStopped
from tests.support import inside

DESK = Where()


@pytest.fixture(autouse=True)
def free(organization):
    anything_goes(organization)


def give(account, one, *, key="gift", kind="BIRTHDAY", now=NOW):
    return rewards.grant_coupon(
        account_id=account.pk, coupon_id=one.pk, key=key, because=Because(kind, note="生日快樂"), now=now, by=None
    )


def use(given, *, key="tap", where=DESK, now=NOW):
    return coupons.use(code_id=given["id"], key=key, where=where, now=now, by=None)


def test_a_coupon_is_given_once_for_one_reason():
    account, one = rich(), coupon(good_days=10)

    first, again = give(account, one), give(account, one)

    assert (first["is_new"], again["is_new"], first["code"]) == (True, False, again["code"])
    assert first["good_until"] == date(2026, 3, 25)
    assert Event.objects.get(kind="coupon.granted").payload["because"] == "BIRTHDAY"


def test_it_is_good_no_longer_than_its_offer():
    given = give(rich(), coupon(good_days=90, valid_until=date(2026, 3, 31)))

    assert given["good_until"] == date(2026, 3, 31)
    with pytest.raises(errors.CodeOutdated):
        use(given, now=NOW + 20 * DAY)


def test_limits_of_one_member_and_of_all():
    one = coupon(per_member=1, at_most=2)
    account = rich()
    give(account, one, key="1")
    with pytest.raises(errors.LimitReached):
        give(account, one, key="2")
    give(rich(name="李大同"), one, key="3")

    with pytest.raises(errors.SoldOut):
        give(rich(name="張三"), one, key="4")


def test_a_single_coupon_has_one_code():
    one = coupon("SINGLE")
    give(rich(), one, key="1")

    with pytest.raises(errors.SoldOut):
        give(rich(name="李大同"), one, key="2")


def test_a_coupon_is_used_once_and_the_second_desk_is_told():
    given = give(rich(), coupon())
    assert use(given).state == "USED"
    assert use(given).state == "USED"  # the same tap
    with pytest.raises(errors.CodeUsed):
        use(given, key="another desk")
    assert Event.objects.filter(kind="coupon.used").count() == 1


def test_a_use_can_be_taken_back_for_a_while():
    given = give(rich(), coupon(undo_hours=2))
    use(given)
    by = somebody().pk
    with pytest.raises(errors.TooLateToUndo):
        coupons.undo_use(code_id=given["id"], reason="按錯", now=NOW + 3 * HOUR, by=by)
    coupons.undo_use(code_id=given["id"], reason="按錯", now=NOW + HOUR, by=by)

    assert use(given, key="now really").state == "USED"


def test_a_withdrawn_code_is_never_good_again():
    given = give(rich(), coupon())
    by = somebody().pk
    coupons.withdraw(code_id=given["id"], reason="發錯人", now=NOW, by=by)

    with pytest.raises(errors.CodeTakenBack):
        use(given)
    with pytest.raises(errors.NothingToUndo):
        coupons.undo_use(code_id=given["id"], reason="還是要", now=NOW, by=by)


def test_a_series_has_as_many_codes_as_were_asked_for_once():
    one, by = coupon("SERIES", at_most=150), somebody().pk
    made = [coupons.make_series(coupon_id=one.pk, count=100, key="form", now=NOW, by=by) for _click in range(2)]
    with pytest.raises(errors.SoldOut):
        coupons.make_series(coupon_id=one.pk, count=51, key="next", now=NOW, by=by)
    coupons.make_series(coupon_id=one.pk, count=50, key="more", now=NOW, by=by)

    rows = reward_lists.series_rows(one.pk)
    assert made == [100, 0]
    assert [row["number"] for row in rows] == list(range(1, 151))
    code = codes.code_of(one.organization_id, "COUPON", serial=rows[7]["serial"], good_until=rows[7]["good_until"])
    assert desk.use_code(code, key="tap", now=NOW, by=by, location_id=None).state == "USED"


def test_paper_is_public_and_judged_so(organization):
    organization.legal_profile = "TW"
    organization.save()
    held = coupon("SERIES", on=False, name="看診送好禮", gives="GOODS", given_for="VISIT")

    with pytest.raises(OfferStopped):
        rewards.switch_on(Coupon, id=held.pk, now=NOW, by=somebody().pk)


def test_a_coupon_stopped_by_a_new_rule_cannot_be_used_any_more(organization):
    given = give(rich(), coupon(gives="CARE_DISCOUNT", name="洗牙八折"))
    organization.legal_profile = "TW"
    organization.save()

    with pytest.raises(OfferStopped):
        use(given)


def test_a_changed_offer_stays_on_only_if_the_rules_let_it(organization):
    one = reward()
    organization.legal_profile = "TW"
    organization.save()
    values = {"name": "免費洗牙", "gives": "CARE"}

    with pytest.raises(OfferStopped):
        rewards.save(type(one), id=one.pk, values=values, version=one.version, now=NOW, by=somebody().pk)
    with pytest.raises(errors.OfferChanged):
        rewards.save(type(one), id=one.pk, values={"name": "杯子"}, version=one.version - 1, now=NOW, by=somebody().pk)


# -- partners -------------------------------------------------------------------------------------------------


def offer_of(who, **values):
    return coupon("PARTNER", partner_id=who.pk, **{"name": "拿鐵一杯", "gives": "GOODS", "pays": 40, **values})


def used_at(who, one, *, name="王小明", key="k", now=NOW):
    given = give(rich(0, name=name), one, key=key, now=now)
    partners.use(partner=who, text=given["code"], key=key, now=now)
    return given


def test_a_partner_sees_a_masked_name_and_marks_the_code_once():
    who = partner()
    given = give(rich(), offer_of(who), kind="PARTNER")

    seen = partners.look(partner=who, text=given["code"], language="zh-hant", now=NOW)
    partners.use(partner=who, text=given["code"], key="tap", now=NOW)

    assert (seen.offer, seen.member, seen.state) == ("拿鐵一杯", "王○明", "OPEN")
    assert partners.look(partner=who, text=given["code"], language="en", now=NOW).state == "USED"
    with pytest.raises(errors.CodeUsed):
        partners.use(partner=who, text=given["code"], key="again", now=NOW)


def test_a_partner_learns_nothing_of_other_codes():
    who, other = partner(), partner("隔壁書店")
    theirs, ours = give(rich(), offer_of(other, name="書籤"), key="1"), give(rich(name="李四"), coupon(), key="2")
    for code in (theirs["code"], ours["code"]):
        with pytest.raises(errors.UnknownCode):
            partners.look(partner=who, text=code, language="en", now=NOW)
        with pytest.raises(errors.UnknownCode):
            partners.use(partner=who, text=code, key="x", now=NOW)
    with pytest.raises(errors.UnknownCode):  # and the desk does not take a partner's
        use(theirs)


def test_a_period_is_settled_once_and_then_locked():
    who, by = partner(), somebody().pk
    one = offer_of(who)
    uses = [used_at(who, one, name=name, key=name) for name in ("甲一", "乙二", "丙三")]
    coupons.undo_use(code_id=uses[2]["id"], reason="按錯", now=NOW + HOUR, by=by)
    days = {"partner_id": who.pk, "first": date(2026, 3, 1), "last": date(2026, 3, 31)}
    with pytest.raises(errors.PeriodNotOver):
        partners.settle(**days, note="", now=NOW, by=by)
    april = NOW + 20 * DAY

    made = partners.settle(**days, note="三月", now=april, by=by)

    assert (made.uses, made.amount, made.lines[0]["name"]) == (2, 80, "拿鐵一杯")
    with pytest.raises(errors.NothingToSettle):
        partners.settle(**{**days, "first": date(2026, 3, 10)}, note="", now=april, by=by)
    with pytest.raises(errors.PeriodSettled):
        coupons.undo_use(code_id=uses[0]["id"], reason="還能改嗎", now=NOW + 2 * HOUR, by=by)
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute("update loyalty_coupon_code set state = 'OPEN', used_at = null where settlement_id is not null")
    assert CouponCode.objects.filter(settlement=made).count() == 2


def test_a_new_link_ends_the_old_one_and_another_clinics_opens_nothing_here(other_organization):
    who = partner()
    token = partners.url_of(who).rstrip("/").rpartition("/")[2]
    with partners.opened(token) as door:
        assert door is not None
        assert door.partner.pk == who.pk

    fresh = partners.new_link(partner_id=who.pk, now=NOW, by=somebody().pk)

    assert fresh.rstrip("/").rpartition("/")[2] != token
    with partners.opened(token) as door:
        assert door is None
    assert partners.pin_fits(who, "135790")
    assert not partners.pin_fits(who, "000000")
    with inside(other_organization):
        assert reward_lists.partners() == []


def test_a_patient_can_have_all_of_it_and_have_the_words_erased():
    account, one = rich(), reward(points=10)
    made = redemptions.redeem(account_id=account.pk, reward_id=one.pk, key="k", now=NOW, by=None)
    redemptions.cancel(redemption_id=made.pk, reason="家人代為取消", now=NOW, by=somebody().pk)
    given = give(account, coupon())

    told = reward_privacy.export(account.patient_id)
    assert told["redemptions"][0]["reason"] == "家人代為取消"
    assert told["coupons"][0]["note"] == "生日快樂"
    reward_privacy.erase(account.patient_id)

    told = reward_privacy.export(account.patient_id)
    assert (told["redemptions"][0]["reason"], told["coupons"][0]["note"]) == ("", "")
    with pytest.raises(errors.CodeTakenBack):
        use(given)
