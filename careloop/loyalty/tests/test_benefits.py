"""Benefits: only where the guard lets them be, counted when offered and used, and booking that opens earlier for the tier."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from careloop.loyalty.models import Benefit, BenefitUse, Programme
from careloop.loyalty.tests.make import Log
from careloop.loyalty.tests.tiers_support import NOW, a_member, a_programme, a_tier, follow
from careloop.loyalty.tier import benefits, tiers
from careloop.loyalty.tier.errors import NotInForce, UsedUp
from careloop.policy.errors import OfferStopped
from careloop.portal.tests.support import Phone, open_clinic, somebody
from careloop.scheduling import errors as scheduling_errors
from careloop.scheduling import services as scheduling
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place
from careloop.scheduling.tests import make

DAY = timedelta(days=1)


@pytest.fixture
def abroad(organization):
    """An organization to which Taiwan's rules do not apply."""
    organization.legal_profile = "INTL"
    organization.save()
    return organization


def benefit(tier, kind="SERVICE_ITEM", *, on=True, now=NOW, **more):
    values = {"name": "免費停車", "count": 2, "period": "MONTH"} if kind == "SERVICE_ITEM" else {"name": "提早預約"}
    made = benefits.save_benefit(tier_id=tier.pk, values={"kind": kind, **values, **more}, now=now, by=None)
    return benefits.switch(benefit_id=made.pk, on=True, now=now, by=None) if on else made


def a_gold_member(**more):
    """A member whom staff gave the upper of two tiers."""
    programme = a_programme()
    silver, gold = a_tier(programme, "銀卡", 1), a_tier(programme, "金卡", 2, join="HAND")
    member = a_member(programme, **more)
    tiers.give_by_hand(
        account_id=member.pk, tier_id=gold.pk, until=(NOW + 365 * DAY).date(), reason="創始會員", now=NOW, by=None
    )
    member.refresh_from_db()
    return member, silver, gold


def names(member, now=NOW):
    return [one["name"] for one in tiers.benefits_of(member.patient_id, now=now)]


# -- who has what -------------------------------------------------------------------------------------------------


def test_a_benefit_of_a_lower_tier_goes_on_above_unless_it_says_otherwise(abroad):
    member, silver, gold = a_gold_member()
    benefit(silver, name="停車")
    benefit(silver, name="只給銀卡", and_above=False)
    benefit(gold, name="專線", kind="DEDICATED_LINE", contact="02-2345-6789")
    benefit(gold, name="還沒開", on=False)

    assert names(member) == ["專線", "停車"]


def test_in_taiwan_a_price_benefit_cannot_be_switched_on(organization):
    _member, _silver, gold = a_gold_member()

    with pytest.raises(OfferStopped) as refused:
        benefit(gold, "PRICE", name="自費九折", percent=10)

    assert any(match.rule_id.startswith("S2") for match in refused.value.verdict.matches)
    assert not Benefit.objects.get().is_on


def test_what_the_law_stops_later_is_not_had_any_more(abroad):
    member, _silver, gold = a_gold_member()
    benefit(gold, "PRICE", name="自費優惠", percent=10)
    assert names(member) == ["自費優惠"]

    abroad.legal_profile = "TW"
    abroad.save()

    assert names(member) == []


def test_who_left_has_no_benefit(abroad):
    from careloop.loyalty.join import membership

    member, silver, _gold = a_gold_member()
    benefit(silver)
    membership.leave(account_id=member.pk, now=NOW, by=None)

    assert names(member) == []
    assert tiers.tier_of(member.pk) is None


# -- counted at the desk ------------------------------------------------------------------------------------------


def test_a_service_item_is_used_as_often_as_the_period_allows_and_a_double_click_counts_once(abroad):
    member, silver, _gold = a_gold_member()
    parking = benefit(silver)

    def use(key, now=NOW):
        return benefits.use_item(account_id=member.pk, benefit_id=parking.pk, key=key, now=now, by=None)

    first = use("a")
    assert use("a") == first
    use("b")
    with pytest.raises(UsedUp):
        use("c")

    benefits.undo_use(use_id=first.pk, account_id=member.pk, now=NOW, by=None)
    use("d")
    use("e", now=NOW + 31 * DAY)

    items = benefits.items_of(member.pk, now=NOW)
    assert [(one["used"], one["left"]) for one in items] == [(2, 0)]


def test_what_a_member_does_not_have_cannot_be_used(abroad):
    member, silver, _gold = a_gold_member()
    parking = benefit(silver, on=False)

    with pytest.raises(NotInForce):
        benefits.use_item(account_id=member.pk, benefit_id=parking.pk, key="a", now=NOW, by=None)


def test_showing_the_benefits_twice_in_a_month_is_one_offer(abroad):
    member, silver, _gold = a_gold_member()
    benefit(silver)

    made = [tiers.note_offered(member.patient_id, now=NOW + days * DAY) for days in (0, 0, 40)]

    assert BenefitUse.objects.filter(what="OFFERED").count() == 2
    assert made[0] == 1


# -- booking opens earlier ----------------------------------------------------------------------------------------


def real_now():
    return datetime.now(UTC)


def a_far_session(*, days):
    """A service that can be booked ten days ahead, and a session later than that."""
    where = make.clinic(days_ahead=10)
    at = (real_now() + timedelta(hours=8) + days * DAY).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(
        hours=8
    )
    return where, make.session(where, starts_at=at)


def an_early_bird(patient_id, *, days=7):
    """Make this patient a member whose tier opens booking earlier."""
    from careloop.loyalty.join import membership

    now = real_now()
    programme = a_programme()
    gold = a_tier(programme, "金卡", 1, now=now)
    benefit(gold, "BOOKING_WINDOW", name="提早預約", days=days, now=now)
    return membership.join(patient_id=patient_id, programme_id=programme.pk, how="DESK", now=now, by=None)


def test_patients_see_and_book_the_later_days_in_the_portal_only_as_members_of_the_tier(abroad):
    open_clinic()
    where, held = a_far_session(days=14)
    member = somebody()
    somebody("林淑芬", phone="0922-333-444")
    account = an_early_bird(member)
    log = Log(follow)
    log.read(now=real_now())
    gold, other = Phone(abroad).sign_in(), Phone(abroad).sign_in("0922-333-444")
    times = f"book/{where.service.pk}/"
    place = f"{held.pk}_{int(held.starts_at.timestamp())}"

    assert place in gold.sees(times)
    assert "7 days earlier" in gold.sees(times)
    for stranger in (other, Phone(abroad)):
        assert place not in stranger.sees(times)
        refused = stranger.post(f"{times}hold/", {"place": place, "key": str(uuid4())})
        assert (refused.status_code, "10 days" in refused.content.decode()) == (409, True)
    assert gold.post(f"{times}hold/", {"place": place, "key": str(uuid4())}).status_code == 302
    assert gold.post("book/details/").status_code == 302
    log.read(now=real_now())

    booked = Appointment.objects.get(state="booked")
    uses = BenefitUse.objects.filter(account_id=account.pk)
    assert booked.patient_id == member
    assert set(uses.values_list("what", flat=True)) == {"OFFERED", "USED"}
    assert uses.get(what="USED").ref == str(booked.pk)


def test_members_see_their_tier_what_it_gives_and_how_far_the_next_is(abroad):
    open_clinic()
    patient = somebody()
    an_early_bird(patient)
    a_tier(Programme.objects.get(), "白金", 2, criteria={"VISITS": 8, "SELF_PAY": 30000}, now=real_now())
    Log(follow).read(now=real_now())
    somebody("林淑芬", phone="0922-333-444")

    shown = Phone(abroad).sign_in().sees("member/tier/")

    for words in ("金卡", "Booking opens 7 days earlier", "To the next tier: 白金", "8 visits", "0 so far"):
        assert words in shown, words
    assert BenefitUse.objects.filter(what="OFFERED").count() == 1
    assert "You are not a member yet" in Phone(abroad).sign_in("0922-333-444").sees("member/tier/")


def test_a_member_may_move_a_visit_to_a_day_only_the_tier_opens(abroad):
    where, held = a_far_session(days=14)
    patient = somebody()
    an_early_bird(patient)
    soon = make.session(where, starts_at=held.starts_at - 10 * DAY)
    booked = make.book(where, soon, patient, now=real_now())
    place = Place(held.pk, starts_at=held.starts_at)

    def move(more_days):
        return scheduling.move(
            appointment_id=booked.pk, place=place, version=1, online=True, more_days=more_days, now=real_now(), by=None
        )

    with pytest.raises(scheduling_errors.TooFarAhead):
        move(0)
    assert tiers.more_days(patient) == 0  # the reader has not been yet
    Log(follow).read(now=real_now())
    assert move(tiers.more_days(patient)).session_id == held.pk


def test_the_desk_sees_that_a_tier_opens_the_day_and_the_booking_counts_as_used(abroad, client_for):
    where, held = a_far_session(days=14)
    member, other = somebody(), somebody("林淑芬", phone="0922-333-444")
    an_early_bird(member)
    log = Log(follow)
    log.read(now=real_now())
    staff = client_for("front_desk")

    def asked(patient, number=0):
        at = held.starts_at + number * timedelta(minutes=30)
        return {"session": held.pk, "at": at.isoformat(), "patient": patient, "service": where.service.pk}

    assert "tier opens the day 7 days earlier" in staff.get("/schedule/book/", asked(member)).content.decode()
    assert "the desk decides" in staff.get("/schedule/book/", asked(other)).content.decode()
    assert "7 days earlier" in staff.get("/schedule/find/", {"patient": member}).content.decode()
    assert "earlier than others" not in staff.get("/schedule/find/", {"patient": other}).content.decode()
    for number, patient in enumerate((member, other)):
        given = {**asked(patient, number), "source": "desk", "key": f"k{number}"}
        assert staff.post("/schedule/book/", given).status_code == 303
    log.read(now=real_now())

    assert BenefitUse.objects.filter(what="USED").count() == 1
