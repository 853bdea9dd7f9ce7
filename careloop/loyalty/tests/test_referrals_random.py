"""Whatever happens in whatever order: a friend has one member, the first; a referral is completed once; nothing odd is lost."""

import os
from datetime import date, timedelta

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.events.models import Event
from careloop.kernel.errors import DomainError
from careloop.loyalty.models import Referral
from careloop.loyalty.tests.make import NOW, member
from careloop.loyalty.thanks import referrals
from careloop.messaging.tests.support import account as channel
from careloop.patients.tests.make import patient

EXAMPLES = int(os.environ.get("CARELOOP_REFERRAL_EXAMPLES", "12"))
PEOPLE = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("claim"), PEOPLE, PEOPLE), st.tuples(st.just("visit"), PEOPLE, st.integers(0, 40)),
    st.tuples(st.just("decide"), PEOPLE, st.booleans()), st.tuples(st.just("expire"), st.just(0), st.integers(0, 1)),
)  # fmt: skip


class Sketch:
    """What should be, in a few lines: friend → (member, state)."""

    def __init__(self):
        self.of = {}


@pytest.fixture
def people(organization):
    channel("sms", now=NOW)
    referrals.set_up(given={"is_on": True, "monthly_limit": 2}, version=None, now=NOW, by=None)
    members = [
        member(name=f"會員{n}", phone=f"09120001{n:02d}", birth_date=date(1970, 1, n + 1)).patient_id for n in range(4)
    ]
    # the last friend has the phone of the first member: held whenever that member's code is used
    friends = [
        patient(
            f"朋友{n}",
            now=NOW,
            registered_on=NOW.date(),
            birth_date=date(1990, 2, n + 1),
            phone="0912000100" if n == 3 else "",
        )
        for n in range(4)
    ]
    return members, friends, [referrals.code_of(one, now=NOW) for one in members]


@settings(
    max_examples=EXAMPLES
)  # fmt: skip
@given(steps=st.lists(STEPS, max_size=14))
def test_any_order_of_codes_visits_and_decisions(people, member_of, steps):
    members, friends, codes = people
    with transaction.atomic():
        point = transaction.savepoint()
        _tell(members, friends, codes, steps)
        transaction.savepoint_rollback(point)


def _tell(members, friends, codes, steps):
    first, completed, now = {}, set(), NOW
    for number, (what, one, other) in enumerate(steps):
        now = NOW + timedelta(hours=number + 1)
        if what == "claim":
            try:
                with transaction.atomic():
                    made = referrals.claim(friend_id=friends[one], code=codes[other], how="TYPED", now=now)
            except DomainError:
                assert friends[one] in first
                assert first[friends[one]] != members[other]
            else:
                assert first.setdefault(friends[one], members[other]) == members[other]
                assert made.referrer_id == members[other]
        elif what == "visit":
            at = now + timedelta(minutes=other)
            done = referrals.note_visits({friends[one]: at}, now=at)
            assert done in (0, 1)
            assert not (done and friends[one] in completed), "completed twice"
        elif what == "decide":
            held = Referral.objects.filter(friend_id=friends[one], state="HELD").first()
            if held is not None:
                boss = None
                referrals.decide(referral_id=held.pk, counts=other, note="看過了", now=now, by=boss)
        else:
            referrals.expire(now=now + timedelta(days=other * 400))
        completed = set(Referral.objects.filter(state="COMPLETED").values_list("friend_id", flat=True))
        _always(first, completed)


def _always(first, completed):
    known = {one.friend_id: one for one in Referral.objects.all()}
    assert {friend: one.referrer_id for friend, one in known.items()} == first
    events = list(Event.objects.filter(kind="loyalty.referral_completed").values_list("payload", flat=True))
    assert sorted(one["referral_id"] for one in events) == sorted(str(known[friend].pk) for friend in completed)
    for one in known.values():
        assert bool(one.completed_at) == (one.state == "COMPLETED")
        if one.state == "COMPLETED" and one.reasons:
            assert one.decided_at is not None, "odd, and nobody looked"
        if one.state == "REFUSED":
            assert one.decision_note
