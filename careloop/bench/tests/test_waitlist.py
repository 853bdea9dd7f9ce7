"""A small month of the waitlist's bench: repeatable, never two in one place, and more places filled than without it."""

import pytest

from careloop.bench.waitlist import Month, _rolled_back, simulate

SMALL = Month(practitioners=1, days=4, cancels=0.25, visitors=1.0, waiting=8)


@pytest.mark.parametrize("with_list", [False, True])
def test_a_small_month_comes_out_as_its_seed_says(organization, with_list):
    outcome = simulate(SMALL, with_list=with_list)

    assert outcome.double == 0
    assert outcome.freed >= outcome.cancelled > 3
    assert 0 < outcome.fill_rate <= 1
    if with_list:
        assert outcome.offers >= len(outcome.filled["waitlist"]) > len(outcome.filled["by chance"])
        assert outcome.offers == outcome.said["accepted"] + outcome.said["declined"] + outcome.said["silent"]
    else:
        assert outcome.offers == outcome.joined == 0


def test_the_list_fills_what_chance_leaves_and_the_seed_decides(committed_organization):
    alone, listed, again = (
        _rolled_back(committed_organization.id, SMALL, with_list, print) for with_list in (False, True, True)
    )

    assert listed.fill_rate > alone.fill_rate
    assert (again.freed, again.offers, again.filled, again.said) == (
        listed.freed,
        listed.offers,
        listed.filled,
        listed.said,
    )
