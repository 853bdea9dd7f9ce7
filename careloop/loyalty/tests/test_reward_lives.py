"""Thousands of random lives of rewards beside a simple model: points, stock and codes always agree with it.

All of it: CARELOOP_TEST_REWARD_LIVES=200; an ordinary run takes a few.
"""

import os
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.kernel.errors import DomainError
from careloop.loyalty.models import Redemption, Reward
from careloop.loyalty.points import statements
from careloop.loyalty.reward import redemptions
from careloop.loyalty.tests.reward_support import NOW, anything_goes, reward, rich, somebody

LIVES = int(os.environ.get("CARELOOP_TEST_REWARD_LIVES", "6"))
HOURS, HOLD_DAYS, UNDO_HOURS, PRICE = 14, 2, 24, 30

steps = st.lists(
    st.tuples(
        st.sampled_from(("take", "take", "confirm", "confirm", "cancel", "expire", "wait")), st.integers(0, 2), st.integers(0, 3)
    ),
    min_size=15, max_size=40,
)  # fmt: skip


class Model:
    """What everybody would expect, in plain numbers."""

    def __init__(self, points: list[int], stock: int) -> None:
        self.points, self.stock = points, stock
        self.taken: list[dict] = []

    def take(self, who: int, day: int) -> bool:
        if self.stock == 0 or self.points[who] < PRICE:
            return False
        self.stock -= 1
        self.points[who] -= PRICE
        self.taken.append({"who": who, "day": day, "state": "RESERVED", "used": None})
        return True

    def confirm(self, one: dict, hour: int, day: int) -> bool:
        if one["state"] != "RESERVED" or day > one["day"] + HOLD_DAYS - 1:
            return False
        one["state"], one["used"] = "CONFIRMED", hour
        return True

    def cancel(self, one: dict, hour: int) -> bool:
        if one["state"] == "CANCELLED":
            return True
        if one["state"] == "EXPIRED" or (one["used"] is not None and hour - one["used"] > UNDO_HOURS):
            return False
        self._back(one, "CANCELLED")
        return True

    def expire(self, one: dict, day: int) -> bool:
        if one["state"] != "RESERVED" or day - 1 <= one["day"] + HOLD_DAYS - 1:
            return False
        self._back(one, "EXPIRED")
        return True

    def _back(self, one: dict, state: str) -> None:
        one["state"] = state
        self.stock += 1
        self.points[one["who"]] += PRICE


class Life:
    """The model and the real thing, going the same way."""

    def __init__(self, stock: int) -> None:
        self.members, self.by = [rich(100, name=name) for name in ("甲一", "乙二", "丙三")], somebody().pk
        self.reward = reward(points=PRICE, stock=stock, hold_days=HOLD_DAYS, undo_hours=UNDO_HOURS)
        self.model, self.hour, self.turn = Model([100, 100, 100], stock), 10, 0
        self.made: list[Redemption] = []

    def go(self, step: str, who: int, which: int) -> None:
        """Take one step in both, and compare whether it could be done."""
        self.turn += 1
        if step == "wait":
            self.hour += HOURS
        elif step == "take":
            assert self._did(lambda: self.made.append(self._redeem(who))) == self.model.take(who, self.hour // 24)
        elif self.made:
            place = -1 - which % len(self.made)
            assert self._did(lambda: self._real(step, self.made[place])) == self._expected(
                step, self.model.taken[place]
            )

    def _redeem(self, who: int) -> Redemption:
        return redemptions.redeem(
            account_id=self.members[who].pk,
            reward_id=self.reward.pk,
            key=f"{self.reward.pk}:{self.turn}",
            now=self._now(),
            by=None,
        )

    def _real(self, step: str, one: Redemption) -> object:
        if step == "confirm":
            return redemptions.confirm(redemption_id=one.pk, key=f"{self.turn}", now=self._now(), by=self.by)
        if step == "cancel":
            return redemptions.cancel(redemption_id=one.pk, reason="隨機", now=self._now(), by=self.by)
        return redemptions.expire(redemption_id=one.pk, now=self._now())

    def _expected(self, step: str, one: dict) -> bool:
        if step == "confirm":
            return self.model.confirm(one, self.hour, self.hour // 24)
        return self.model.cancel(one, self.hour) if step == "cancel" else self.model.expire(one, self.hour // 24)

    def _did(self, call) -> bool:
        try:
            return call() is not False
        except DomainError:
            return False

    def _now(self):
        return NOW + timedelta(hours=self.hour - 10)

    def check(self) -> None:
        assert Reward.objects.get(pk=self.reward.pk).stock == self.model.stock
        assert [statements.balance_of(account.pk) for account in self.members] == self.model.points
        states = dict(Redemption.objects.filter(reward=self.reward).values_list("pk", "state"))
        assert [states[done.pk] for done in self.made] == [kept["state"] for kept in self.model.taken]


@pytest.mark.parametrize("stock", [1, 4])
@given(story=steps)
@settings(max_examples=LIVES, derandomize=True)
def test_any_life_agrees_with_the_model(organization, story, stock):
    anything_goes(organization)
    life = Life(stock)
    for step, who, which in story:
        life.go(step, who, which)
        life.check()
