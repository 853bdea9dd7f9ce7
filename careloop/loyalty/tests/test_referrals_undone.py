"""A visit that never was: the referral waits again, and what was given as thanks goes by the programme's rule."""

import pytest

from careloop.events.models import Event
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.loyalty.earn import handlers as earning
from careloop.loyalty.earn import settling
from careloop.loyalty.join import membership
from careloop.loyalty.models import CouponCode, Referral
from careloop.loyalty.points import ledger
from careloop.loyalty.reward import coupons
from careloop.loyalty.tests import reward_support as offered
from careloop.loyalty.tests.make import NOW, Log, rule
from careloop.loyalty.tests.referral_support import LATER, SOON, a_member, balance, completed, friend_of, seen, visit
from careloop.loyalty.thanks import handlers, referrals
from careloop.messaging.models import Message
from careloop.records import services as records


def thanked_with_points(**programme):
    """A member who has 100 points for a friend, and the friend with the record of the visit."""
    sql.execute("update tenancy_organization set legal_profile = 'INTL'")
    referrals.set_up(given={"is_on": True, "gives": "POINTS", "points": 100}, version=None, now=NOW, by=None)
    referrer, code = a_member()
    sql.execute("update loyalty_programme set when_spent = %s", [programme.get("when_spent", "NEGATIVE")])
    friend, made = friend_of(code)
    came = records.record_encounter(
        patient_id=friend, encounter_id=uuid7(), started_at=SOON, class_code="AMB", now=SOON, by=None
    )
    return referrer, friend, made, came


def in_error(visit):
    records.mark_entered_in_error(kind="encounter", record_id=visit.pk, reason="別人的", now=SOON, by=None)


def test_a_visit_entered_in_error_takes_referral_and_thanks_back_and_a_real_one_completes_it_anew(referring):
    referrer, friend, made, came = thanked_with_points()
    log = Log(lambda batch, now: (handlers.note_first_visits(batch), earning.take(batch, now=now)))
    rule(kind="REFERRAL", points=7)

    def everything_is_read(now):
        for _what_the_readers_publish_themselves in range(2):
            log.read(now=now)
        settling.settle_due(now=now)

    everything_is_read(SOON)
    assert (balance(referrer), completed(referrer)) == (107, 1)

    in_error(came)
    everything_is_read(SOON)
    log.last = 0
    everything_is_read(SOON)

    made.refresh_from_db()
    assert (made.state, made.visited_at, made.completed_at, made.given) == ("WAITING", None, None, "")
    assert balance(referrer) == 0
    assert Event.objects.filter(kind="loyalty.referral_undone", patient_id=referrer).count() == 1
    assert Message.objects.get(patient_id=referrer).state == "cancelled"

    records.record_encounter(
        patient_id=friend, encounter_id=uuid7(), started_at=LATER, class_code="AMB", now=LATER, by=None
    )
    everything_is_read(LATER)

    made.refresh_from_db()
    assert (made.state, made.visited_at, made.given) == ("COMPLETED", LATER, "POINTS")
    assert (balance(referrer), completed(referrer)) == (107, 2)


def test_a_friend_who_was_here_another_time_stays_counted(referring):
    referrer, friend, made, came = thanked_with_points()
    seen(friend)
    visit(friend, LATER)
    in_error(came)

    assert referrals.visits_gone([friend], now=LATER) == 0
    made.refresh_from_db()
    assert (made.state, balance(referrer)) == ("COMPLETED", 100)


@pytest.mark.parametrize(("when_spent", "left"), [("NEGATIVE", -60), ("BLOCK", 0)])
def test_thanks_that_were_spent_already_go_by_the_programmes_rule(referring, when_spent, left):
    referrer, friend, _made, came = thanked_with_points(when_spent=when_spent)
    seen(friend)
    account = sql.value("select id from loyalty_account where patient_id = %s", [referrer])
    ledger.spend(account_id=account, points=60, key="mug", because=ledger.Because("REWARD"), now=SOON)
    in_error(came)

    assert referrals.visits_gone([friend], now=SOON) == 1
    assert balance(referrer) == left


def test_what_waits_for_a_decision_waits_for_the_visit_again(referring):
    _referrer, friend, made, came = thanked_with_points()
    Referral.objects.filter(pk=made.pk).update(state="HELD", reasons=["RELATED"], visited_at=SOON)
    in_error(came)

    assert referrals.visits_gone([friend], now=SOON) == 0
    made.refresh_from_db()
    assert (made.state, made.visited_at) == ("HELD", None)


@pytest.mark.parametrize("was_used", [False, True])
def test_a_coupon_given_as_thanks_goes_unless_it_was_used_and_none_is_given_twice(referring, was_used):
    referrer, friend, made, came = thanked_with_points()
    programme = membership.programme_for(None)
    assert programme is not None
    thanks = offered.coupon(programme_id=programme.pk, given_for="REFERRAL")
    referrals.set_up(given={"gives": "COUPON", "coupon_id": thanks.pk}, version=None, now=NOW, by=None)
    seen(friend)
    code = CouponCode.objects.get(account__patient_id=referrer)
    if was_used:
        coupons.use(code_id=code.pk, key="desk", where=coupons.Where(), now=SOON, by=None)
    in_error(came)

    assert referrals.visits_gone([friend], now=SOON) == 1
    code.refresh_from_db()
    assert code.state == ("USED" if was_used else "WITHDRAWN")
    visit(friend, LATER)
    seen(friend, LATER)
    made.refresh_from_db()
    assert made.given == ("THANKS" if was_used else "COUPON")
    assert CouponCode.objects.exclude(state="WITHDRAWN").count() == 1
