"""Setting up tiers, trying a change before it is made, tiers given by hand, and who is told."""

from datetime import date, timedelta

import pytest

from careloop.events.models import Event
from careloop.loyalty.models import Account, TierChange
from careloop.loyalty.tests.make import Log
from careloop.loyalty.tests.tiers_support import (
    NOW,
    a_member,
    a_programme,
    a_tier,
    at_noon,
    bill,
    follow,
    visit,
    work_out,
)
from careloop.loyalty.tier import setup as tier_setup
from careloop.loyalty.tier import standing, tiers
from careloop.loyalty.tier.errors import (
    CriteriaMissing,
    EndsTooSoon,
    RankTaken,
    TierChangedMeanwhile,
    TierReasonMissing,
)
from careloop.loyalty.tier.setup import Definition

TODAY = date(2026, 3, 16)


def tier_names(programme):
    return dict(Account.objects.filter(programme=programme, kind="PATIENT").values_list("patient__name", "tier__name"))


def seven_members(programme):
    """Members with 0 to 6 visits in the last months, worked out."""
    found = []
    for number in range(7):
        member = a_member(programme, f"會員{number}")
        for visits in range(number):
            visit(member, TODAY - timedelta(days=visits))
        found.append(work_out(member, TODAY))
    return found


# -- setting up ---------------------------------------------------------------------------------------------------


def test_two_tiers_cannot_have_one_place_and_any_of_nothing_is_refused(organization):
    programme = a_programme()
    silver = a_tier(programme, "銀卡", 1, criteria={"VISITS": 2})

    with pytest.raises(RankTaken):
        a_tier(programme, "金卡", 1)
    with pytest.raises(CriteriaMissing):
        a_tier(programme, "金卡", 2, join="ANY")
    with pytest.raises(TierChangedMeanwhile):
        tier_setup.define(
            programme_id=programme.pk, tier_id=silver.pk, version=7, now=NOW, by=None, definition=Definition("銀卡", 1)
        )


def test_a_new_tier_is_given_at_once_and_journeys_hear_of_it_only_when_asked_to(organization):
    programme = a_programme()
    seven_members(programme)

    a_tier(programme, "銀卡", 1, criteria={"VISITS": 5})
    tier_setup.define(
        programme_id=programme.pk,
        definition=Definition("金卡", 2, criteria={"VISITS": 6}),
        announce=True,
        now=NOW,
        by=None,
    )

    raised = Event.objects.filter(kind="loyalty.tier_raised").order_by("id")
    assert [(one.payload["tier"], one.historical) for one in raised] == [
        ("銀卡", True),
        ("銀卡", True),
        ("金卡", False),
    ]


def test_who_stands_in_a_tier_that_ends_falls_to_the_next_they_qualify_for(organization):
    programme = a_programme()
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 2})
    gold = a_tier(programme, "金卡", 2, criteria={"VISITS": 4})
    seven_members(programme)

    tier_setup.define(
        programme_id=programme.pk, tier_id=gold.pk, now=NOW, by=None,
        definition=Definition("金卡", 2, criteria={"VISITS": 4}, is_active=False),
    )  # fmt: skip

    assert set(tier_names(programme).values()) == {None, "銀卡"}
    assert TierChange.objects.filter(why="RULES").count() == 3
    again = a_tier(programme, "白金", 2, criteria={"VISITS": 6})
    assert tier_names(programme)["會員6"] == again.name


# -- trying a change ----------------------------------------------------------------------------------------------


def test_the_dry_run_says_exactly_what_then_happens(organization):
    programme = a_programme()
    silver = a_tier(programme, "銀卡", 1, criteria={"VISITS": 2}, grace_days=0)
    seven_members(programme)
    wanted = Definition("銀卡", 1, criteria={"VISITS": 1}, grace_days=0)
    new = Definition("金卡", 2, join="ANY", criteria={"VISITS": 6, "SELF_PAY": 100}, window="YEAR", grace_days=0)

    lower = standing.dry_run(programme.pk, tier_setup.proposed(programme.pk, wanted, tier_id=silver.pk), now=NOW)
    assert (lower.members, lower.rises, lower.falls) == (7, 1, 0)
    assert [(row["name"], row["figures"]) for row in lower.rows] == [("會員1", {"visits_months12": 1})]
    assert tier_names(programme)["會員1"] is None  # nothing was written
    tier_setup.define(programme_id=programme.pk, tier_id=silver.pk, definition=wanted, now=NOW, by=None)
    assert tier_names(programme)["會員1"] == "銀卡"

    higher = standing.dry_run(programme.pk, tier_setup.proposed(programme.pk, new), now=NOW)
    assert (higher.rises, [row["new_rank"] for row in higher.rows]) == (1, [2])
    tier_setup.define(programme_id=programme.pk, definition=new, now=NOW, by=None)
    assert [name for name, tier in tier_names(programme).items() if tier == "金卡"] == ["會員6"]


def test_who_would_not_be_kept_by_stricter_rules_falls_at_the_review_and_not_before(organization):
    programme = a_programme()
    silver = a_tier(programme, "銀卡", 1, criteria={"VISITS": 2}, window="YEAR", grace_days=0)
    seven_members(programme)
    stricter = Definition("銀卡", 1, criteria={"VISITS": 5}, window="YEAR", grace_days=0)

    tried = standing.dry_run(programme.pk, tier_setup.proposed(programme.pk, stricter, tier_id=silver.pk), now=NOW)
    tier_setup.define(programme_id=programme.pk, tier_id=silver.pk, definition=stricter, now=NOW, by=None)

    assert (tried.rises, tried.falls, tried.falls_now, tried.falls_already) == (0, 3, 0, 0)
    would = {row["name"] for row in tried.rows}
    assert would == {"會員2", "會員3", "會員4"}
    assert {row["rank"]: (row["now"], row["then"], row["not_kept"]) for row in tried.by_tier} == {
        0: (2, 2, 0),
        1: (5, 5, 3),
    }
    assert sum(tier == "銀卡" for tier in tier_names(programme).values()) == 5
    # at the review those fall who were named, if nothing happens until then
    review = date(2027, 1, 1)
    standing.evaluate(programme.pk, now=at_noon(review - timedelta(days=1)))
    assert sum(tier == "銀卡" for tier in tier_names(programme).values()) == 5
    standing.evaluate(programme.pk, now=at_noon(review), due_only=True)
    assert {name for name, tier in tier_names(programme).items() if tier == "銀卡"} == {"會員5", "會員6"}


def test_a_change_is_tried_and_made_with_the_same_number_of_statements_for_many_members(
    organization, django_assert_num_queries
):
    programme = a_programme()
    silver = a_tier(programme, "銀卡", 1, criteria={"VISITS": 2})
    seven_members(programme)
    rules = tier_setup.proposed(programme.pk, Definition("銀卡", 1, criteria={"VISITS": 1}), tier_id=silver.pk)

    with django_assert_num_queries(4):
        standing.dry_run(programme.pk, rules, now=NOW)


# -- by hand ------------------------------------------------------------------------------------------------------


def test_a_tier_given_by_hand_counts_until_its_last_day_whatever_the_review_says(organization):
    programme = a_programme()
    silver, gold = (
        a_tier(programme, "銀卡", 1, criteria={"VISITS": 1}, grace_days=0),
        a_tier(programme, "金卡", 2, join="HAND"),
    )
    member = a_member(programme)
    visit(member, TODAY)
    work_out(member, TODAY)

    given = tiers.give_by_hand(
        account_id=member.pk, tier_id=gold.pk, until=date(2026, 12, 31), reason="院長指定", now=at_noon(TODAY), by=None
    )

    assert (given.tier, given.earned_tier) == (gold, silver)
    shown = tiers.tier_of(member.pk)
    assert (shown["name"], shown["is_by_hand"]) == ("金卡", True)
    assert work_out(member, date(2026, 12, 31), due_only=True).tier == gold
    assert work_out(member, date(2027, 1, 1), due_only=True).tier == silver
    assert [row["why"] for row in tiers.history_of(member.pk)] == ["HAND_ENDED", "HAND", "QUALIFIED"]
    assert tiers.history_of(member.pk)[1]["note"] == "院長指定"


def test_what_was_given_by_hand_can_be_taken_back_and_needs_a_reason_and_an_end(organization):
    programme = a_programme()
    gold = a_tier(programme, "金卡", 1, join="HAND")
    member = a_member(programme)

    def give(until=date(2026, 12, 31), reason="創始會員"):
        return tiers.give_by_hand(account_id=member.pk, tier_id=gold.pk, until=until, reason=reason, now=NOW, by=None)

    for until in (date(2026, 3, 15), date(2032, 1, 1)):
        with pytest.raises(EndsTooSoon):
            give(until)
    with pytest.raises(TierReasonMissing):
        give(reason=" ")
    give()
    taken = tiers.end_by_hand(account_id=member.pk, reason="弄錯人", now=NOW, by=None)

    assert (taken.tier, taken.hand_tier, taken.hand_until) == (None, None, None)
    assert [one.kind for one in Event.objects.filter(kind__startswith="loyalty.tier").order_by("id")] == [
        "loyalty.tier_raised", "loyalty.tier_lowered",
    ]  # fmt: skip


# -- what happens moves tiers -------------------------------------------------------------------------------------


def test_a_visit_lifts_its_patient_at_once_and_an_import_of_old_visits_congratulates_nobody(organization):
    from careloop.events import services as events
    from careloop.records.events import EncounterRecorded

    programme = a_programme()
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 1})
    now_here, long_ago = a_member(programme, "陳美玲"), a_member(programme, "林志明")
    log = Log(follow)
    log.read()  # they joined before
    for member, historical in ((now_here, False), (long_ago, True)):
        said = EncounterRecorded(visit(member, TODAY).pk)
        events.publish(said, patient_id=member.patient_id, now=NOW, historical=historical)

    log.read()

    assert tier_names(programme) == {"陳美玲": "銀卡", "林志明": "銀卡"}
    told = Event.objects.filter(kind="loyalty.tier_raised")
    assert {one.patient_id: one.historical for one in told} == {now_here.patient_id: False, long_ago.patient_id: True}


def test_money_points_friends_and_answers_count_too(organization):
    from careloop.events import services as events
    from careloop.loyalty.points import ledger
    from careloop.messaging.events import MessageReceived
    from careloop.payments.events import PaymentPaid, PaymentRefunded

    programme = a_programme()
    for rank, (metric, least) in enumerate({"PAID": 900, "POINTS": 30, "ANSWERS": 2}.items(), 1):
        a_tier(programme, metric, rank, criteria={metric: least})
    payer, saver, talker, refunded = (a_member(programme, name) for name in ("甲", "乙", "丙", "丁"))
    for member in (payer, refunded):
        events.publish(PaymentPaid(member.pk, 1000, 1000, "TWD"), patient_id=member.patient_id, now=NOW)
    events.publish(
        PaymentRefunded(refunded.pk, refunded.pk, 200, 200, "TWD", "ERROR"), patient_id=refunded.patient_id, now=NOW
    )
    ledger.earn(account_id=saver.pk, points=40, key="a", because=ledger.Because("MANUAL"), now=NOW)
    ledger.earn(account_id=talker.pk, points=40, key="b", because=ledger.Because("MANUAL"), now=NOW)
    ledger.reverse(of_key="b", key="c", points=15, because=ledger.Because("REFUND"), now=NOW)
    for hours in (0, 1, 24):
        said = MessageReceived(talker.pk, "line", *[""] * 3, None, "", None, "")
        events.publish(said, patient_id=talker.patient_id, now=NOW, occurred_at=NOW - timedelta(hours=hours))

    Log(follow).read()

    assert tier_names(programme) == {"甲": "PAID", "乙": "POINTS", "丙": "ANSWERS", "丁": None}


def test_a_million_are_worked_out_in_steps_and_twice_is_once(organization):
    programme = a_programme()
    members = [a_member(programme, f"會員{number}") for number in range(5)]
    for member in members:
        bill(member, TODAY, 100)
        work_out(member, TODAY)
    a_tier(programme, "銀卡", 1, criteria={"SELF_PAY": 100})

    assert standing.recompute(programme.pk, now=NOW, chunk=2) == 0
    assert set(tier_names(programme).values()) == {"銀卡"}
