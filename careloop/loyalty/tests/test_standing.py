"""Tiers over sets say the same as the rules in sentences: up at once, down at the review and after the grace."""

import os
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.loyalty.models import Account, Tier, TierChange, TierCriterion
from careloop.loyalty.tests.tiers_support import NOW, a_member, a_programme, a_tier, bill, visit, work_out
from careloop.loyalty.tier import rules as tier_rules
from careloop.loyalty.tier.rules import Rule, Standing

TODAY = date(2026, 3, 16)
EXAMPLES = int(os.environ.get("CARELOOP_TIER_EXAMPLES", "12"))


def name_of(account):
    return account.tier.name if account.tier_id else ""


def reasons(account):
    return list(TierChange.objects.filter(account=account).order_by("id").values_list("why", flat=True))


def test_a_member_rises_as_soon_as_enough_has_happened(organization):
    programme = a_programme()
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 3})
    member = a_member(programme)
    for days in (200, 100):
        visit(member, TODAY - timedelta(days=days))
    assert name_of(work_out(member, TODAY)) == ""

    visit(member, TODAY)

    assert name_of(work_out(member, TODAY)) == "銀卡"
    assert member.review_on == date(2027, 3, 16)
    change = TierChange.objects.get(account=member)
    assert (change.why, change.figures, change.since) == ("QUALIFIED", {"visits_months12": 3}, date(2025, 3, 16))


@pytest.mark.parametrize(
    ("window", "months", "day", "counts"),
    [
        ("MONTHS", 12, date(2025, 3, 16), False),
        ("MONTHS", 12, date(2025, 3, 17), True),
        ("MONTHS", 6, date(2025, 9, 16), False),
        ("MONTHS", 6, date(2025, 9, 17), True),
        ("YEAR", 12, date(2025, 12, 31), False),
        ("YEAR", 12, date(2026, 1, 1), True),
        ("MONTHS", 12, TODAY, True),
        ("MONTHS", 12, TODAY + timedelta(days=1), False),
    ],
)
def test_what_happened_counts_from_the_day_after_the_window_begins_through_today(
    organization, window, months, day, counts
):
    programme = a_programme()
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 1}, window=window, months=months)
    member = a_member(programme)
    visit(member, day)

    assert bool(name_of(work_out(member, TODAY))) is counts


def test_all_or_any_of_the_criteria(organization):
    programme = a_programme()
    a_tier(programme, "銀卡", 1, join="ANY", criteria={"VISITS": 2, "SELF_PAY": 5000})
    a_tier(programme, "金卡", 2, join="ALL", criteria={"VISITS": 2, "SELF_PAY": 5000})
    spender, both = a_member(programme, "陳美玲"), a_member(programme, "林志明")
    bill(spender, TODAY, 5000)
    for member in (both,):
        bill(member, TODAY, 5000)
        visit(member, TODAY)
        visit(member, TODAY - timedelta(days=3))

    assert name_of(work_out(spender, TODAY)) == "銀卡"
    assert name_of(work_out(both, TODAY)) == "金卡"


def test_a_visit_entered_in_error_and_one_that_did_not_happen_count_for_nothing(organization):
    programme = a_programme()
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 1}, months=6)
    member = a_member(programme)
    visit(member, TODAY, entered_in_error=True)
    visit(member, TODAY, status="cancelled")

    assert name_of(work_out(member, TODAY)) == ""


def test_nobody_falls_before_the_review_and_the_grace_are_over(organization):
    programme = a_programme()
    a_tier(programme, "一般", 1)
    a_tier(programme, "金卡", 2, criteria={"VISITS": 2}, grace_days=30)
    member = a_member(programme)
    visit(member, TODAY - timedelta(days=1))
    visit(member, TODAY)
    assert name_of(work_out(member, TODAY)) == "金卡"
    review = date(2027, 3, 16)

    assert name_of(work_out(member, review - timedelta(days=1))) == "金卡"
    assert name_of(work_out(member, review, due_only=True)) == "金卡"
    assert member.grace_until == date(2027, 4, 14)
    assert name_of(work_out(member, date(2027, 4, 14), due_only=True)) == "金卡"
    assert name_of(work_out(member, date(2027, 4, 15), due_only=True)) == "一般"
    assert reasons(member) == ["QUALIFIED", "GRACE", "LOWERED"]
    assert (member.review_on, member.grace_until) == (None, None)


def test_who_makes_up_for_it_in_the_grace_keeps_the_tier(organization):
    programme = a_programme()
    a_tier(programme, "金卡", 1, criteria={"VISITS": 2}, window="YEAR", grace_days=31)
    member = a_member(programme)
    visit(member, date(2026, 3, 1))
    visit(member, TODAY)
    assert name_of(work_out(member, TODAY)) == "金卡"
    assert member.review_on == date(2027, 1, 1)
    # two visits of 2026 keep it through 2027
    work_out(member, date(2027, 1, 1), due_only=True)
    assert (reasons(member)[-1], member.review_on) == ("KEPT", date(2028, 1, 1))
    visit(member, date(2027, 6, 1))
    work_out(member, date(2028, 1, 1), due_only=True)
    assert reasons(member)[-1] == "GRACE"

    visit(member, date(2028, 1, 20))
    work_out(member, date(2028, 1, 20))

    assert reasons(member)[-1] == "KEPT"
    assert (name_of(member), member.review_on, member.grace_until) == ("金卡", date(2029, 1, 1), None)


def test_looking_twice_changes_nothing(organization):
    programme = a_programme()
    a_tier(programme, "銀卡", 1, criteria={"VISITS": 1})
    member = a_member(programme)
    visit(member, TODAY)
    work_out(member, TODAY)
    version = member.version

    work_out(member, TODAY)

    assert (member.version, len(reasons(member))) == (version, 1)


# -- against the rules in sentences ---------------------------------------------------------------------------------

a_rule = st.builds(
    Rule, rank=st.just(0), join=st.sampled_from(["ALL", "ANY", "HAND"]),
    criteria=st.dictionaries(st.sampled_from(["VISITS", "SELF_PAY"]), st.integers(1, 4), max_size=2).map(lambda one: tuple(sorted(one.items()))),
    window=st.sampled_from(["MONTHS", "YEAR"]), months=st.sampled_from([3, 6, 12]), grace_days=st.sampled_from([0, 10, 60]),
)  # fmt: skip
a_history = st.lists(
    st.tuples(st.integers(0, 700), st.sampled_from(["VISITS", "SELF_PAY"]), st.integers(1, 3)), max_size=12
)


@settings(max_examples=EXAMPLES)
@given(
    rules=st.lists(a_rule, min_size=1, max_size=3),
    history=a_history,
    looks=st.lists(st.integers(0, 900), min_size=1, max_size=5, unique=True),
)
def test_the_statement_agrees_with_the_sentences_on_any_history(organization, rules, history, looks):
    """A history of two years, looked at on some days: the database and the pure rules stand at the same place each time."""
    rules = [
        Rule(rank, one.join, one.criteria, one.window, one.months, one.grace_days) for rank, one in enumerate(rules, 1)
    ]
    programme = a_programme(state="DRAFT")
    programme.state = "CLOSED"
    programme.save()
    for rule in rules:
        tier = Tier.objects.create(programme=programme, name=f"第{rule.rank}級", rank=rule.rank, join=rule.join, window=rule.window,
                                   months=rule.months, grace_days=rule.grace_days, created_at=NOW, changed_at=NOW)  # fmt: skip
        for metric, least in rule.criteria:
            TierCriterion.objects.create(tier=tier, metric=metric, at_least=least)
    member = _member_of(programme)
    start = date(2026, 1, 1)
    happened = []
    model = Standing()
    pending = sorted((start + timedelta(days=offset), metric, amount) for offset, metric, amount in history)
    for look in sorted(looks):
        today = start + timedelta(days=look)
        while pending and pending[0][0] <= today:
            day, metric, amount = pending.pop(0)
            happened.append((day, metric, amount))
            if metric == "VISITS":
                for _number in range(amount):
                    visit(member, day)
            else:
                bill(member, day, amount)
        eve = model.review_on - timedelta(days=1) if tier_rules.is_reviewing(model, today) else today
        figures = {
            rule.rank: {
                metric: sum(amount for day, of, amount in happened if of == metric and tier_rules.window_start(rule, eve) < day <= today)
                for metric in ("VISITS", "SELF_PAY")
            } for rule in rules
        }  # fmt: skip
        model, why = tier_rules.judge(model, met=tier_rules.highest_met(rules, figures), rules=rules, today=today)

        before = len(reasons(member))
        work_out(member, today)

        rank = member.earned_tier.rank if member.earned_tier_id else 0
        assert (rank, member.review_on, member.grace_until) == (model.earned, model.review_on, model.grace_until)
        assert reasons(member)[before:] == ([why] if why else [])


def _member_of(programme):
    from careloop.facts import services as facts_services
    from careloop.patients.models import Patient

    patient = Patient.objects.create(name="王小明", created_at=NOW, updated_at=NOW)
    facts_services.refresh([patient.pk], now=NOW)
    return Account.objects.create(programme=programme, kind="PATIENT", patient=patient, joined_at=NOW)
