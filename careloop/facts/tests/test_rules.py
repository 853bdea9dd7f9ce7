"""Rhythm, stages and windows, around the days where they are easily wrong."""

from datetime import date, timedelta

import pytest

from careloop.facts import rules
from careloop.facts.models import Stage

TODAY = date(2026, 3, 16)


def stage(*, days_ago: int | None, visit_days: int = 5, rhythm: int | None = 90, **changes):
    last = None if days_ago is None else TODAY - timedelta(days=days_ago)
    given = {"active": True, "deceased": False, **changes}
    return rules.stage_of(visit_days=visit_days, last_visit=last, rhythm=rhythm, today=TODAY, **given)


@pytest.mark.parametrize(
    ("days_ago", "visit_days", "rhythm", "expected"),
    [
        (None, 0, None, Stage.PROSPECT),
        (0, 1, None, Stage.NEW),
        (90, 1, None, Stage.NEW),
        (91, 1, None, Stage.AT_RISK),
        (366, 1, None, Stage.LAPSED),
        (135, 5, 90, Stage.ACTIVE),
        (136, 5, 90, Stage.AT_RISK),
        (270, 5, 90, Stage.AT_RISK),
        (271, 5, 90, Stage.LAPSED),
        (60, 20, 7, Stage.ACTIVE),  # a weekly patient is not at risk after ten days
        (61, 20, 7, Stage.AT_RISK),
        (547, 5, 400, Stage.ACTIVE),  # nobody is expected more rarely than once a year
        (548, 5, 400, Stage.AT_RISK),
        (270, 2, None, Stage.ACTIVE),  # no rhythm yet: half a year
        (271, 2, None, Stage.AT_RISK),
    ],
)
def test_the_stage_follows_the_own_rhythm(days_ago, visit_days, rhythm, expected):
    assert stage(days_ago=days_ago, visit_days=visit_days, rhythm=rhythm)[0] == expected


def test_the_dead_and_the_closed_have_no_stage_to_lose():
    assert stage(days_ago=10, deceased=True) == (Stage.DECEASED, None)
    assert stage(days_ago=10, active=False) == (Stage.CLOSED, None)


@pytest.mark.parametrize("days_ago", range(0, 400, 7))
def test_the_stage_changes_on_the_day_it_says_and_not_before(days_ago):
    now, changes_on = stage(days_ago=days_ago)
    if changes_on is None:
        assert now == Stage.LAPSED
        return
    last = TODAY - timedelta(days=days_ago)
    common = {"active": True, "deceased": False, "visit_days": 5, "last_visit": last, "rhythm": 90}
    assert rules.stage_of(**common, today=changes_on - timedelta(days=1))[0] == now
    assert rules.stage_of(**common, today=changes_on)[0] != now


def test_two_visits_on_one_day_are_one_step_of_the_rhythm():
    assert rules.own_rhythm([TODAY, TODAY, TODAY + timedelta(days=30)]) is None
    assert rules.own_rhythm([TODAY, TODAY, TODAY + timedelta(days=30), TODAY + timedelta(days=90)]) == 30


@pytest.mark.parametrize("channel", rules.CHANNELS)
def test_every_purpose_and_channel_has_a_bit_of_its_own(channel):
    bits = [rules.consent_bit(purpose, other) for purpose in rules.PURPOSES for other in rules.CHANNELS]
    assert len(set(bits)) == len(bits) == 20
    assert max(bits) < 2**31
    assert rules.consent_bit("CARE", channel) & rules.consent_mask("CARE")


def test_a_purpose_nobody_knows_has_no_bit():
    with pytest.raises(ValueError, match="no consent bit"):
        rules.consent_bit("GOSSIP", "line")


def test_refusing_every_channel_wins_over_agreeing_to_one():
    given, refused = rules.effective_consent([("CARE", "line", "permit", "desk"), ("CARE", "any", "deny", "link")])
    assert given == 0
    assert refused == rules.consent_mask("CARE")


def test_health_marketing_counts_in_writing_only():
    bit = rules.consent_bit("HEALTH_MARKETING", "line")

    assert rules.effective_consent([("HEALTH_MARKETING", "line", "permit", "paper")]) == (bit, 0)
    assert rules.effective_consent([("HEALTH_MARKETING", "line", "permit", "phone")]) == (0, 0)
