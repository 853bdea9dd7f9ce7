"""What happens to members earns points: once, within limits, and final only when the thing itself is."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from careloop.loyalty import errors, privacy
from careloop.loyalty.earn import awards, earning, settling
from careloop.loyalty.earn.earning import Thing
from careloop.loyalty.join import membership, programme
from careloop.loyalty.models import Account, Earning, Tier
from careloop.loyalty.tests.earning_support import points_of, visited, waiting
from careloop.loyalty.tests.make import BEFORE, NOW, member, open_one, rule
from careloop.patients.tests.make import patient
from careloop.records import services as records
from careloop.scheduling import services as scheduling
from careloop.scheduling.tests import make as schedule

DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("abroad")


# -- waiting, final, void ---------------------------------------------------------------------------------------


def test_a_visit_earns_points_that_wait_and_then_count(log):
    account = member()
    rule(points=10, settle_days=1)
    visited(account)

    log.read()

    assert (points_of(account), waiting(account)) == (0, 10)
    settling.settle_due(now=NOW + DAY)
    assert (points_of(account), waiting(account)) == (10, 0)
    settling.settle_due(now=NOW + 2 * DAY)
    assert points_of(account) == 10


def test_the_same_event_read_twice_earns_once(log):
    account = member()
    rule()
    visited(account)
    log.read()
    log.last = 0

    log.read()

    assert Earning.objects.count() == 1


def test_a_visit_known_by_its_appointment_and_by_its_record_is_one_visit(log):
    account = member()
    rule()
    rule(kind="KEPT_APPOINTMENT", points=5)
    where = schedule.clinic(payer="SELF")
    booked = schedule.book(where, schedule.session(where), account.patient_id)
    now = booked.starts_at + timedelta(minutes=20)
    scheduling.arrive(appointment_id=booked.pk, now=booked.starts_at, by=None)
    scheduling.fulfil(appointment_id=booked.pk, now=now, by=None)
    visited(account, at=booked.starts_at)

    log.read(now=now)

    assert sorted(Earning.objects.values_list("points", flat=True)) == [5, 10]


def test_what_happened_before_joining_earns_nothing(log):
    account = member(now=NOW)
    rule()
    visited(account, at=NOW - 2 * DAY)

    log.read()

    assert not Earning.objects.exists()


def test_what_an_import_fills_in_afterwards_earns_nothing(log):
    account = member()
    rule()
    visited(account, at=NOW - 60 * DAY)

    log.read()

    assert not Earning.objects.exists()


def test_joining_earns_its_points_once_also_for_who_leaves_and_comes_back(log):
    rule(kind="SIGN_UP", points=50)
    account = member(now=NOW)
    membership.leave(account_id=account.pk, now=NOW, by=None)
    member(who=account.patient_id, now=NOW)

    log.read()

    assert Earning.objects.get().points == 50


def test_who_left_meanwhile_gets_nothing(log):
    account = member()
    rule(settle_days=3)
    visited(account)
    log.read()
    membership.leave(account_id=account.pk, now=NOW, by=None)

    settling.settle_due(now=NOW + 3 * DAY)

    assert (Earning.objects.get().state, Earning.objects.get().because) == ("VOID", "LEFT")


def test_a_visit_entered_in_error_takes_its_points_back(log):
    account = member()
    rule()
    visit = visited(account)
    log.read()
    settling.settle_due(now=NOW)
    assert points_of(account) == 10

    records.mark_entered_in_error(kind="encounter", record_id=visit.pk, reason="別人的", now=NOW, by=None)
    log.read()

    assert points_of(account) == 0
    assert Earning.objects.get().because == "ERROR"


# -- limits, multipliers, order ---------------------------------------------------------------------------------


def test_limits_hold_by_day_month_and_year_and_over_all_rules():
    where = open_one(cap_month=25)
    account = member(where)
    rule(where, points=10, cap_day=10, cap_year=30)
    rule(where, kind="MANUAL", points=100)

    for number in range(4):
        visit(account, NOW + number * DAY)
    assert [one.points for one in Earning.objects.order_by("id")] == [10, 10, 5, 0]
    assert [one.capped_by for one in Earning.objects.order_by("id")] == ["", "", "ACCOUNT_MONTH", "ACCOUNT_MONTH"]

    visit(account, NOW + 31 * DAY)  # April: the month is new, the year has 5 left
    assert (Earning.objects.latest("id").points, Earning.objects.latest("id").capped_by) == (5, "RULE_YEAR")
    assert not Earning.objects.filter(points=0).exclude(because="CAPPED").exists()


def visit(account, at):
    on = (at + timedelta(hours=8)).date()
    return earning.record([Thing("VISIT", account.patient_id, at, "visit", str(uuid4()), f"visit:{on}")], now=at)


def test_the_best_multiplier_that_fits_counts_and_is_told():
    account = member(birth_date=date(1990, 3, 5))
    rule(points=10, multipliers=[{"percent": 150, "weekdays": [0]}, {"percent": 200, "birthday_month": True}])

    visit(account, NOW)  # a Monday in March
    visit(account, NOW + 35 * DAY)  # a Monday in April
    visit(account, NOW + 36 * DAY)

    assert [(one.percent, one.points) for one in Earning.objects.order_by("id")] == [(200, 20), (150, 15), (100, 10)]


def test_a_multiplier_for_a_tier_is_for_its_members_only():
    where = open_one()
    gold = Tier.objects.create(programme=where, rank=1, name="金卡", created_at=BEFORE, changed_at=BEFORE)
    first, second = member(where), member(where, name="陳大文")
    Account.objects.filter(pk=first.pk).update(tier=gold)
    rule(where, points=10, multipliers=[{"percent": 150, "tier": str(gold.pk)}])

    visit(first, NOW)
    visit(second, NOW)

    assert [one.points for one in Earning.objects.order_by("id")] == [15, 10]


def test_a_rule_can_keep_later_rules_from_giving_for_the_same_visit():
    account = member()
    rule(name="平日", points=10, priority=20)
    rule(name="開幕期間", points=30, priority=10, stops_others=True, valid_to=NOW.date() + DAY)

    visit(account, NOW)
    visit(account, NOW + 5 * DAY)

    assert [one.points for one in Earning.objects.order_by("id")] == [30, 10]


def test_a_branch_programme_counts_what_happens_at_the_branch_only():
    where = schedule.clinic()
    whole = open_one()
    own = open_one("分院會員", location_id=where.location.pk)
    account = member(whole)
    branch = member(own, who=account.patient_id)
    rule(whole, points=1)
    rule(own, points=2)
    for day, place in ((NOW, where.location), (NOW + DAY, schedule.clinic().location)):
        on = (day + timedelta(hours=8)).date()
        thing = Thing("VISIT", account.patient_id, day, "visit", str(uuid4()), f"visit:{on}", location_id=place.pk)
        earning.record([thing], now=day)

    assert [(one.account_id, one.points) for one in Earning.objects.order_by("id")] == [(branch.pk, 2), (account.pk, 1)]


# -- by hand ----------------------------------------------------------------------------------------------------


def test_everybody_at_the_lecture_gets_points_once():
    first, second = member(), member(name="陳大文")
    late, stranger = member(name="林小姐"), patient("張先生")
    given = rule(kind="LECTURE", points=20)
    people = [first.patient_id, second.patient_id]

    done = awards.award(rule_id=given.pk, patient_ids=people, on=NOW.date(), note="糖尿病飲食講座", now=NOW, by=None)
    again = awards.award(
        rule_id=given.pk,
        patient_ids=[*people, late.patient_id, stranger],
        on=NOW.date(),
        note="糖尿病飲食講座",
        now=NOW,
        by=None,
    )

    assert len(done.given) == 2
    assert (len(again.given), len(again.already), again.no_members) == (1, 2, [stranger])
    assert points_of(first) == points_of(second) == 20


def test_a_switched_off_rule_is_not_given_by_hand():
    given = rule(kind="LECTURE", on=False)

    with pytest.raises(errors.UnknownRule):
        awards.award(rule_id=given.pk, patient_ids=[], on=NOW.date(), note="講座", now=NOW, by=None)


def test_a_closed_programme_gives_no_more_but_keeps_what_was_earned(log):
    where = open_one()
    account = member(where)
    rule(where, settle_days=1)
    visited(account)
    log.read()
    programme.close(programme_id=where.pk, now=NOW, by=None)
    visited(account, at=NOW + DAY)

    log.read(now=NOW + DAY)
    settling.settle_due(now=NOW + DAY)

    assert (points_of(account), Earning.objects.count()) == (10, 1)


# -- erasing ----------------------------------------------------------------------------------------------------


def test_a_patient_gets_what_was_earned_and_erasing_takes_the_words_and_the_number():
    account = member()
    given = rule(kind="LECTURE", points=20, name="衛教講座")
    awards.award(rule_id=given.pk, patient_ids=[account.patient_id], on=NOW.date(), note="糖尿病飲食", now=NOW, by=None)

    told = privacy.export(account.patient_id)["memberships"][0]
    assert (told["balance"], told["terms"]) == (20, "點數不可兌換現金。")
    assert [(one["rule"], one["points"], one["note"]) for one in told["earnings"]] == [("衛教講座", 20, "糖尿病飲食")]

    privacy.erase(account.patient_id)
    account.refresh_from_db()
    assert (account.state, account.member_number, account.balance) == ("LEFT", "", 20)
    assert Earning.objects.get().note == ""


# -- what patients answer and read --------------------------------------------------------------------------------


def answered(account, where, session):
    """An appointment that the patient booked by themselves, answering what the service asks."""
    held = schedule.book(where, session, account.patient_id, state="pending", held_until=NOW + DAY)
    return scheduling.keep(appointment_id=held.pk, now=NOW, by=None, answers='{"allergy": "penicillin"}')


def test_answering_the_questions_before_a_visit_earns_once_and_calling_it_off_takes_it_back(log):
    account = member()
    rule(kind="QUESTIONNAIRE", points=5)
    where = schedule.clinic(payer="SELF")
    session = schedule.session(where)
    first = answered(account, where, session)
    scheduling.keep(appointment_id=first.pk, now=NOW, by=None, answers='{"allergy": "none"}')
    log.read()
    settling.settle_due(now=NOW)
    assert points_of(account) == 5

    scheduling.cancel(appointment_id=first.pk, reason="patient", now=NOW, by=None)
    answered(account, where, session)
    log.read()
    settling.settle_due(now=NOW)

    assert points_of(account) == 5
    assert list(Earning.objects.order_by("id").values_list("because", flat=True)) == ["CALLED_OFF", ""]


def test_a_visit_booked_without_questions_answers_none(log):
    account = member()
    rule(kind="QUESTIONNAIRE", points=5)
    where = schedule.clinic(payer="SELF")
    schedule.book(where, schedule.session(where), account.patient_id)

    log.read()

    assert not Earning.objects.exists()
