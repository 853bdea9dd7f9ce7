"""How tiers flow, and who comes back: counted from the same history, never before from after."""

from datetime import date, timedelta

from careloop.insights import membership, sankey
from careloop.insights.membership import LEFT, NEW, Cell, Flow
from careloop.loyalty.join.membership import leave
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.tests.tiers_support import NOW, TAIPEI, a_member, a_programme, a_tier, at_noon, visit, work_out
from careloop.loyalty.tier import tiers
from careloop.patients.models import Patient

TODAY = date(2026, 3, 16)
DAY = timedelta(days=1)


def test_the_flow_knows_who_was_no_member_before_and_who_is_none_any_more(organization):
    programme = a_programme()
    silver = a_tier(programme, "銀卡", 1, criteria={"VISITS": 2})
    gold = a_tier(programme, "金卡", 2, join="HAND")
    stays, rises, goes = (a_member(programme, name, now=NOW) for name in ("甲", "乙", "丙"))
    for member in (stays, rises):
        for number in range(2):
            visit(member, TODAY - number * DAY)
        work_out(member, TODAY)
    later = at_noon(TODAY + 10 * DAY)
    a_member(programme, "丁", now=later)
    tiers.give_by_hand(
        account_id=rises.pk, tier_id=gold.pk, until=TODAY + 90 * DAY, reason="創始會員", now=later, by=None
    )
    leave(account_id=goes.pk, now=later, by=None)

    found = membership.flow(programme.pk, since=at_noon(TODAY + 5 * DAY), until=at_noon(TODAY + 20 * DAY))

    assert set(found) == {
        Flow(silver.pk, silver.pk, 1),
        Flow(silver.pk, gold.pk, 1),
        Flow(None, LEFT, 1),
        Flow(NEW, None, 1),
    }


def test_points_by_month_are_less_what_was_taken_back(organization):
    member = a_member(a_programme())
    ledger.earn(account_id=member.pk, points=50, key="a", because=Because("MANUAL"), now=NOW)
    ledger.reverse(of_key="a", key="b", points=20, because=Because("REFUND"), now=NOW)
    ledger.spend(account_id=member.pk, points=10, key="c", because=Because("REWARD"), now=NOW)

    rows = membership.by_month(first=date(2026, 2, 1), last=TODAY, zone=TAIPEI)

    assert [(row["month"].month, row["joined"], row["earned"], row["spent"], row["expired"]) for row in rows] == [
        (2, 0, 0, 0, 0),
        (3, 1, 30, 10, 0),
    ]


def test_members_are_compared_with_patients_of_the_same_history_only(organization):
    programme = a_programme()
    a_tier(programme, "銀卡", 1)
    member = a_member(programme, "甲", now=at_noon(TODAY - 30 * DAY))
    work_out(member, TODAY - 30 * DAY)
    alike, newcomer = (Patient.objects.create(name=name, created_at=NOW, updated_at=NOW) for name in ("乙", "丙"))
    for patient_id, days in ((member.patient_id, (-20, 30)), (alike.pk, (-20,)), (newcomer.pk, (5,))):
        for offset in days:
            visit(_Of(patient_id), TODAY + offset * DAY)

    cells = membership.returns(programme.pk, on=TODAY, zone=TAIPEI)

    groups = {one.group if one.group == "OTHERS" else "tier": one for one in cells}
    assert len(cells) == 2
    assert (groups["tier"].history, groups["tier"].patients, groups["tier"].returned) == ("1 recent", 1, 1)
    assert (groups["OTHERS"].history, groups["OTHERS"].patients, groups["OTHERS"].returned) == ("1 recent", 1, 0)


class _Of:
    def __init__(self, patient_id):
        self.patient_id = patient_id


def test_a_difference_in_the_mix_of_histories_is_no_difference(organization):
    """Members come more often because they came more often before: within each history nothing differs."""
    cells = [
        Cell("NONE", "1", 10, 2), Cell("NONE", "4+", 90, 72), Cell("OTHERS", "1", 900, 180), Cell("OTHERS", "4+", 100, 80),
    ]  # fmt: skip

    one = membership.compare(cells)[0]

    assert (round(one.rate.value, 2), round(one.difference, 6)) == (0.74, 0.0)
    assert one.low < 0 < one.high
    assert (one.matched, one.comparable, one.too_few) == (100, 1000, False)
    assert membership.compare([Cell("NONE", "1", 20, 2), Cell("OTHERS", "1", 900, 180)])[0].too_few


def test_the_picture_draws_every_member_once_on_each_side():
    flows = [("金", "金", 5), ("銀", "金", 2), ("銀", "銀", 3)]

    picture = sankey.draw(flows, left=[("金", 2), ("銀", 1), ("無", 0)], right=[("金", 2), ("銀", 1)])

    left = [node for node in picture.nodes if node.is_left]
    assert [(node.label, node.value) for node in left] == [("金", 5), ("銀", 5)]
    assert sum(node.value for node in picture.nodes if not node.is_left) == 10
    assert len(picture.bands) == 3
    assert sankey.draw([], left=[], right=[]).nodes == []
