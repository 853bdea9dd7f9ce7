"""A reward is taken for points, handed over once, taken back or run out; points and stock always add up."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from careloop.events.models import Event
from careloop.kernel import sql
from careloop.loyalty.models import Redemption, Reward
from careloop.loyalty.points import statements
from careloop.loyalty.reward import desk, redemptions, rewards
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward import handlers as reward_handlers
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.tests.reward_support import DAY, HOUR, NOW, anything_goes, reward, rich, somebody
from careloop.policy.errors import OfferStopped
from careloop.tenancy.models import Location


@pytest.fixture(autouse=True)
def free(organization):
    anything_goes(organization)


def take(account, one, *, key="form", now=NOW, **more):
    return redemptions.redeem(account_id=account.pk, reward_id=one.pk, key=key, now=now, by=None, **more)


def confirm(made, *, key="tap", now=NOW, **more):
    return redemptions.confirm(redemption_id=made.pk, key=key, now=now, by=somebody().pk, **more)


def left(one):
    return Reward.objects.get(pk=one.pk).stock


def test_taking_spends_points_and_stock_at_once(organization):
    account, one = rich(300), reward(points=100, stock=5)

    made = take(account, one)

    assert (made.state, made.points, made.good_until.isoformat()) == ("RESERVED", 100, "2026-03-29")
    assert (statements.balance_of(account.pk), left(one)) == (200, 4)
    assert Event.objects.filter(kind="loyalty.reward_redeemed", patient_id=account.patient_id).count() == 1


def test_the_same_form_sent_twice_takes_one():
    account, one = rich(300), reward(points=100, stock=5)

    assert take(account, one).pk == take(account, one).pk
    assert (statements.balance_of(account.pk), left(one)) == (200, 4)


def test_what_cannot_be_had_writes_nothing_and_says_why():
    account = rich(50)
    dear, gone = reward(points=60), reward(points=10, stock=0)
    draft, ended = reward(points=10, on=False), reward(points=10, valid_until=(NOW - DAY).date())
    for one, why in (
        (dear, errors.PointsMissing),
        (gone, errors.SoldOut),
        (draft, errors.NotOffered),
        (ended, errors.NotOffered),
    ):
        with pytest.raises(why):
            take(account, one, key=str(one.pk))

    assert statements.balance_of(account.pk) == 50
    assert Redemption.objects.count() == 0


def test_limits_hold_within_their_days_and_count_what_was_taken_back_no_more():
    account, one = rich(1000), reward(points=10, per_member=1, per_days=30)
    first = take(account, one, key="1")
    with pytest.raises(errors.LimitReached):
        take(account, one, key="2", now=NOW + 29 * DAY)

    take(account, one, key="3", now=NOW + 31 * DAY)
    other = reward(points=10, per_member=1)
    back = take(account, other, key="4")
    redemptions.cancel(redemption_id=back.pk, reason="", now=NOW, by=None)

    assert take(account, other, key="5").state == "RESERVED"
    assert first.pk != back.pk


def test_staff_add_to_the_stock_while_members_take_from_it():
    one = reward(stock=5)
    take(rich(), one)  # while the form is open that was opened with five

    changed = rewards.save(
        Reward, id=one.pk, values={"name": "杯子", "stock": 15, "stock_seen": 5}, now=NOW, by=somebody().pk
    )
    kept = rewards.save(Reward, id=one.pk, values={"stock": 5, "stock_seen": 5}, now=NOW, by=somebody().pk)

    assert (changed.name, changed.stock, kept.stock) == ("杯子", 14, 14)


def test_a_code_is_good_once_and_then_says_when_and_where():
    here = Location.objects.create(name="信義院區")
    made = take(rich(), reward())
    code = redemptions.code_of(made)
    desk.use_code(code, key="first desk", now=NOW + HOUR, by=somebody().pk, location_id=here.pk)

    with pytest.raises(errors.CodeUsed) as refused:
        desk.use_code(code, key="second desk", now=NOW + 2 * HOUR, by=somebody().pk, location_id=None)

    assert "2026-03-16 11:00" in str(refused.value)
    assert "信義院區" in str(refused.value)


def test_a_double_tap_is_one_and_leaves_one_event():
    made = take(rich(), reward())

    assert confirm(made, key="tap").pk == confirm(made, key="tap").pk
    assert Event.objects.filter(kind="loyalty.redemption_confirmed").count() == 1


def test_the_last_day_counts_and_the_next_does_not():
    account, one = rich(), reward(hold_days=3)
    good, late = take(account, one, key="1"), take(account, one, key="2")
    evening = NOW + timedelta(days=2, hours=13, minutes=59)  # 23:59 in Taipei

    assert confirm(good, now=evening).state == "CONFIRMED"
    with pytest.raises(errors.CodeOutdated):
        confirm(late, now=evening + timedelta(minutes=2))


def test_taking_back_gives_points_and_stock_back_once():
    account, one = rich(300), reward(points=100, stock=5)
    made = take(account, one)
    confirm(made)
    for _click in range(2):
        redemptions.cancel(redemption_id=made.pk, reason="拿錯了", now=NOW + HOUR, by=somebody().pk)

    assert (statements.balance_of(account.pk), left(one)) == (300, 5)
    assert Event.objects.filter(kind="loyalty.redemption_cancelled").count() == 1
    with pytest.raises(errors.CodeTakenBack):
        confirm(made, key="again")


def test_undo_has_its_time_and_needs_a_reason():
    made = take(rich(), reward(undo_hours=2))
    confirm(made)
    by = somebody().pk
    with pytest.raises(errors.WhyMissing):
        redemptions.cancel(redemption_id=made.pk, reason=" ", now=NOW + HOUR, by=by)
    with pytest.raises(errors.NothingToUndo):  # the member cannot take back what was handed over
        redemptions.cancel(redemption_id=made.pk, reason="", now=NOW + HOUR, by=None)
    with pytest.raises(errors.TooLateToUndo):
        redemptions.cancel(redemption_id=made.pk, reason="太晚了", now=NOW + 3 * HOUR, by=by)


@pytest.mark.parametrize(("returns", "balance"), [(True, 300), (False, 200)])
def test_what_is_not_picked_up_runs_out_after_a_day_of_grace(returns, balance):
    account, one = rich(300), reward(points=100, stock=5, hold_days=2, returns_points=returns)
    made = take(account, one)
    assert redemptions.overdue(now=NOW + 2 * DAY, limit=9) == []

    later = NOW + 3 * DAY
    assert redemptions.overdue(now=later, limit=9) == [made.pk]
    assert [redemptions.expire(redemption_id=made.pk, now=later) for _worker in range(2)] == [True, False]

    assert (statements.balance_of(account.pk), left(one)) == (balance, 5)


def test_codes_noted_without_a_network_count_from_when_they_were_noted():
    account, one = rich(), reward(hold_days=2)
    good, same = take(account, one, key="1"), take(account, one, key="2")
    confirm(same)
    lines = [redemptions.code_of(good), "  ", redemptions.code_of(same).lower(), "ABCD", redemptions.code_of(good)]
    by, noted = somebody().pk, NOW + DAY  # the last day
    sent = {"key": "list", "noted_at": noted, "now": noted + DAY, "by": by, "location_id": None}

    with translation.override("en"):
        answers = desk.send_in(lines, **sent)
    again = desk.send_in(lines[:1], **sent)

    assert [one.done for one in answers] == [True, False, False]
    assert "already" in answers[1].sentence
    assert "sixteen" in answers[2].sentence
    assert again[0].done  # the same list once more changes nothing
    assert Redemption.objects.get(pk=good.pk).noted_at == noted
    with pytest.raises(errors.NotedTooLongAgo):
        desk.send_in(lines, **{**sent, "now": noted + 3 * DAY})


def test_branches_and_tiers_are_asked_for():
    here, there = (Location.objects.create(name=name) for name in ("信義", "板橋"))
    account, one = rich(), reward(locations=[here.pk])
    for_others = reward(tiers=[there.pk])

    with pytest.raises(errors.OtherBranch):
        take(account, one, key="1", location_id=there.pk)
    with pytest.raises(errors.OtherTier):
        take(account, for_others, key="2")
    made = take(account, one, key="3")  # on the phone nobody says where
    with pytest.raises(errors.OtherBranch):
        confirm(made, location_id=there.pk)
    assert confirm(made, location_id=here.pk).location_id == here.pk


def test_the_database_itself_keeps_stock_and_ways():
    one = reward(stock=1)
    made = take(rich(), one)
    for statement in (
        "update loyalty_reward set stock = -1",
        "update loyalty_redemption set state = 'EXPIRED', ended_at = now(), points = 1",
        "update loyalty_redemption set state = 'CONFIRMED'",
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            sql.execute(statement)
    redemptions.cancel(redemption_id=made.pk, reason="", now=NOW, by=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.execute("update loyalty_redemption set state = 'RESERVED', ended_at = null")


def test_under_the_taiwan_profile_a_reward_of_care_cannot_be_switched_on_nor_used(organization):
    account, one = rich(), reward(gives="CARE", name="洗牙", points=10)
    organization.legal_profile = "TW"
    organization.save()

    with pytest.raises(OfferStopped):
        take(account, one)
    with pytest.raises(OfferStopped):
        rewards.switch_on(Reward, id=reward(gives="CARE", name="健檢", on=False).pk, now=NOW, by=somebody().pk)
    assert reward_lists.choices_for(account, now=NOW) == []


def test_the_list_says_what_can_be_had_and_why_not_the_rest(django_assert_num_queries):
    account = rich(100)
    cheap, dear, gone = reward(points=10, name="a"), reward(points=500, name="b"), reward(points=20, name="c", stock=0)

    with django_assert_num_queries(7):
        found = reward_lists.choices_for(account, now=NOW)

    assert [(one.reward.pk, type(one.objection)) for one in found] == [
        (cheap.pk, type(None)), (gone.pk, errors.SoldOut), (dear.pk, errors.PointsMissing),
    ]  # fmt: skip
    assert found[2].objection is not None
    assert found[2].objection.details == {"missing": 400}


def test_the_round_of_the_worker_gives_back_what_nobody_picked_up(organization):
    account, one = rich(300), reward(points=100, stock=5, hold_days=2)
    forgotten, taken = take(account, one, key="1"), take(account, one, key="2")
    confirm(taken)

    done = [reward_handlers.let_codes_run_out(organization.pk, now=NOW + 3 * DAY) for _round in range(2)]

    assert done == [1, 0]
    assert Redemption.objects.get(pk=forgotten.pk).state == "EXPIRED"
    assert (statements.balance_of(account.pk), left(one)) == (200, 4)


def test_points_that_went_meanwhile_are_a_refusal_like_any_other(monkeypatch):
    """Somebody else of the family spends between the look and the spending: the ledger says no, and nothing is written."""
    account, one = rich(100), reward(points=100, stock=1)
    monkeypatch.setattr(statements, "balance_of", lambda _account: 500)
    dear = reward(points=300, stock=1)

    with pytest.raises(errors.PointsMissing):
        take(account, dear)

    assert left(dear) == 1
    assert take(account, one).state == "RESERVED"
