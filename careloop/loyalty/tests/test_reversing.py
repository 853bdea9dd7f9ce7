"""Somebody reverses one entry of a statement; what hangs on the entry keeps count of it."""

from datetime import timedelta

import pytest
from django.utils import translation

from careloop.loyalty import errors
from careloop.loyalty.earn import earning, sentences, settling
from careloop.loyalty.join import members
from careloop.loyalty.models import Earning, Entry
from careloop.loyalty.points import reversing, statements, verify
from careloop.loyalty.reward import redemptions
from careloop.loyalty.tests.earning_support import money, points_of
from careloop.loyalty.tests.make import NOW, member, rule
from careloop.loyalty.tests.reward_support import anything_goes, reward, rich, somebody

DAY = timedelta(days=1)


def undo(account, entry, *, points=None, key="click", reason="counted twice"):
    return reversing.reverse_entry(
        account_id=account.pk, entry_id=entry.pk, points=points, reason=reason, key=key, now=NOW, by=somebody().pk
    )


@pytest.mark.usefixtures("abroad")
def test_a_refund_after_a_reversal_by_hand_takes_nothing_a_second_time():
    account = member()
    rule(kind="SELF_PAY", points=1, per_amount=100, settle_days=0)
    earning.record([money(account, 1000)], now=NOW)
    one = Earning.objects.get()
    settling.settle([one.pk], now=NOW)
    entry = Entry.objects.get(key=one.key)

    undo(account, entry, points=7)
    undo(account, entry, points=7)
    assert points_of(account) == 3
    with translation.override("en"):
        assert "7 points of it were reversed by hand." in sentences.why(members.earnings_of(account.pk)[0])
    settling.take_back_record(source="payment", refs=[one.source_ref], now=NOW + DAY)

    assert points_of(account) == 0
    one.refresh_from_db()
    assert one.net == 0
    assert verify.check_books().add_up


def test_a_spending_for_a_reward_is_taken_back_where_the_reward_is(organization):
    anything_goes(organization)
    account, mug = rich(300), reward(points=100)
    redemptions.redeem(account_id=account.pk, reward_id=mug.pk, key="form", now=NOW, by=None)
    entry = Entry.objects.get(kind="SPEND")

    with pytest.raises(errors.BelongsToRedemption):
        undo(account, entry)

    assert statements.balance_of(account.pk) == 200


def test_an_entry_of_another_member_and_one_without_a_reason_are_refused(organization):
    anything_goes(organization)
    account, other = rich(300), rich(100, name="林美玲")
    entry = Entry.objects.get(to_member_id=account.pk)

    with pytest.raises(errors.UnknownEntry):
        undo(other, entry)
    with pytest.raises(errors.ReasonMissing):
        undo(account, entry, reason=" ")

    assert statements.balance_of(account.pk) == 300
