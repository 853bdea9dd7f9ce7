"""Whatever members and staff do in whatever order, the books hold what the plain model holds.

More: CARELOOP_TEST_LEDGERS=2000 (an ordinary run tries a few dozen lives of a programme).
"""

import itertools
import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.models import Account, Programme
from careloop.loyalty.points import ledger, rules, verify
from careloop.loyalty.points.ledger import BY_RULE, Because, Earning

from .model import Model, Refused
from .support import member, open_programme

EXAMPLES = int(os.environ.get("CARELOOP_TEST_LEDGERS", "25"))
START = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
MONTHS = 2
TAIPEI = ZoneInfo("Asia/Taipei")
MEMBERS = ("amy", "ben", "cho")
_keys = itertools.count(1)
members, points = st.sampled_from(MEMBERS), st.integers(1, 60)


class Books(RuleBasedStateMachine):
    """A programme whose points end after two months, and three members, two of whom may share their points."""

    def __init__(self, patients):
        super().__init__()
        self.patients, self.now, self.used_keys = patients, START, []

    @rule(negative=st.booleans())
    @precondition(lambda self: not hasattr(self, "model"))
    def begin(self, negative):
        self.programme = Programme.objects.create(
            name="會員",
            valid_months=MONTHS,
            when_spent="NEGATIVE" if negative else "BLOCK",
            created_at=START,
            changed_at=START,
        )
        made = [
            Account(programme=self.programme, kind="PATIENT", patient_id=one, joined_at=START) for one in self.patients
        ]
        pool = Account(programme=self.programme, kind="POOL", joined_at=START)
        self.ids = {
            name: one.pk
            for name, one in zip((*MEMBERS, "pool"), Account.objects.bulk_create([*made, pool]), strict=True)
        }
        self.model = Model(MEMBERS, negative=negative)

    @property
    def today(self):
        return self.now.astimezone(TAIPEI).date()

    @property
    def last_day(self):
        return rules.last_valid_day(self.today, valid_months=MONTHS)

    def both(self, ours, theirs):
        """The database and the model do it, or both refuse."""
        try:
            theirs()
        except Refused:
            with pytest.raises((DomainError, AssertionError)):
                ours()
        else:
            ours()

    def key(self):
        self.used_keys.append(f"k{next(_keys)}")
        return self.used_keys[-1]

    begun = precondition(lambda self: hasattr(self, "model"))

    @begun
    @rule(who=members, points=points, days=st.sampled_from([None, 0, 10, 40, "rule"]))
    def earn(self, who, points, days):
        key = self.key()
        expires = self.last_day if days == "rule" else None if days is None else self.today + timedelta(days=days)
        self.model.earn(key, "EARN", who, points, self.now, expires)
        ledger.earn(
            account_id=self.ids[who], points=points, key=key, because=Because("EARN_RULE"), now=self.now,
            expires_on=BY_RULE if days == "rule" else expires,
        )  # fmt: skip

    @begun
    @rule(rows=st.lists(st.tuples(members, points), min_size=1, max_size=5))
    def earn_many(self, rows):
        earnings = [Earning(self.ids[who], points, self.key(), Because("EARN_RULE")) for who, points in rows]
        for earning, (who, _points) in zip(earnings, rows, strict=True):
            self.model.earn(earning.key, "EARN", who, earning.points, self.now, self.last_day)
        posted = ledger.earn_many(earnings, now=self.now)
        assert [one.is_new for one in posted] == [True] * len(rows)

    @begun
    @rule(who=members, points=points)
    def spend(self, who, points):
        key = self.key()
        self.both(
            lambda: ledger.spend(
                account_id=self.ids[who], points=points, key=key, because=Because("REWARD"), now=self.now
            ),
            lambda: self.model.spend(key, "SPEND", who, points, self.today),
        )

    @begun
    @rule(who=members, points=points, gives=st.booleans())
    def adjust(self, who, points, gives):
        key = self.key()
        because = Because("MANUAL", note="counted again")

        def in_model():
            if gives:
                self.model.earn(key, "ADJUST", who, points, self.now, self.last_day)
            else:
                self.model.spend(key, "ADJUST", who, points, self.today)

        self.both(
            lambda: ledger.adjust(
                account_id=self.ids[who],
                points=points if gives else -points,
                key=key,
                because=because,
                now=self.now,
                by=None,
            ),
            in_model,
        )

    @begun
    @rule(data=st.data(), part=st.none() | points)
    def reverse(self, data, part):
        if not self.model.entries:
            return
        of, key = data.draw(st.sampled_from(sorted(self.model.entries))), self.key()
        self.both(
            lambda: ledger.reverse(key=key, of_key=of, points=part, because=Because("REFUND"), now=self.now),
            lambda: self.model.reverse(key, of, part, self.now, self.today, self.last_day),
        )

    @begun
    @rule(giver=members, taker=members, points=points)
    def hand_over(self, giver, taker, points):
        def ours():
            answer = sql.value(
                "select (loyalty_transfer(%s, %s, %s, %s, 'TRANSFER', '', '', %s, null, 'system', null)).outcome",
                [self.ids[giver], self.ids[taker], points, key, self.now],
            )
            assert answer == "NEW"

        key = self.key()
        self.both(ours, lambda: self.model.transfer(giver, taker, points, self.today))

    @begun
    @rule(who=members, joins=st.booleans())
    def share(self, who, joins):
        def ours():
            answer = sql.value(
                "select loyalty_share(%s, %s, %s, 'POOL', '', '', %s, null)",
                [self.ids[who], self.ids["pool"] if joins else None, self.key(), self.now],
            )
            assert answer == "DONE"

        self.both(ours, lambda: self.model.join(who, self.today) if joins else self.model.leave(who, self.today))

    @begun
    @rule(days=st.integers(1, 45), round_comes=st.booleans())
    def time_passes(self, days, round_comes):
        self.now += timedelta(days=days)
        if round_comes:
            ledger.expire(now=self.now)
            self.model.expire(self.today)

    @begun
    @rule(data=st.data())
    def again(self, data):
        """The same key once more, whatever it was for, changes nothing."""
        known = sorted(set(self.used_keys) & set(self.model.entries))
        if known:
            key = data.draw(st.sampled_from(known))
            entry = self.model.entries[key]
            call = ledger.earn if entry.points > 0 else ledger.spend
            posted = call(account_id=self.ids[entry.member], points=9, key=key, because=Because("REWARD"), now=self.now)
            assert (posted.points, posted.is_new) == (entry.points, False)

    @begun
    @invariant()
    def the_books_hold_the_same(self):
        if not hasattr(self, "model"):
            return
        held = {row["id"]: row for row in sql.rows(
            """select a.id, a.balance, (select jsonb_agg(jsonb_build_array(l.expires_on, l."left") order by l.expires_on, l.earned_at, l.id)
                 from loyalty_lot l where l.account_id = a.id and l.is_open) as lots
                 from loyalty_account a where a.programme_id = %s and a.kind in ('PATIENT', 'POOL')""",
            [self.programme.pk],
        )}  # fmt: skip
        for name, account in self.ids.items():
            lots = [(date.fromisoformat(day) if day else None, left) for day, left in held[account]["lots"] or []]
            assert held[account]["balance"] == self.model.balance[name]
            assert lots == [(lot.expires, lot.left) for lot in self.model.open_lots(name)]

    def teardown(self):
        assert verify.check_books().differences == []


def test_the_books_hold_what_the_model_holds(organization, now):
    programme = open_programme(START)
    patients = [Account.objects.get(pk=member(programme, START, name)).patient_id for name in MEMBERS]

    run_state_machine_as_test(
        lambda: Books(patients),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=40, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES < 100
        ),
    )  # fmt: skip
