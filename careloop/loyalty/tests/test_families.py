"""Families share points by consent, and hand them to each other by the programme's rules."""

from datetime import date, timedelta

import pytest
from django.utils import translation

from careloop.kernel.ids import uuid7
from careloop.loyalty import errors
from careloop.loyalty.models import Account
from careloop.loyalty.points import ledger, pools, statements, verify
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.points.pools import Consent
from careloop.patients import services as patients

from .support import balance, earn, lots, member, open_programme, reverse, spend

HANDED = Because("TRANSFER")


@pytest.fixture
def family(organization, now):
    """A mother, a father and their child of eight, all members."""
    programme = open_programme(now, allows_pools=True, allows_transfers=True)
    mother, father = member(programme, now, "林美玲"), member(programme, now, "王大同")
    child = member(programme, now, "王小安", birth_date=date(2018, 5, 1))
    ids = [Account.objects.get(pk=one).patient_id for one in (mother, father, child)]
    related(ids[2], ids[0], now, is_guardian=True)
    related(ids[2], ids[1], now, is_guardian=True)
    related(ids[0], ids[1], now)
    return mother, father, child


def related(patient_id, relative_id, now, **more):
    patients.save_related_person(
        patient_id=patient_id, related_person_id=uuid7(), name="", relative_id=relative_id, now=now, by=None, **more
    )


def patient_of(account):
    return Account.objects.get(pk=account).patient_id


def share(family, now):
    mother, father, child = family
    pool = pools.found(account_id=mother, consent=Consent(patient_of(mother)), now=now, by=None)
    pools.invite(pool_id=pool, account_id=child, asked_by=patient_of(mother), now=now, by=None)
    pools.invite(pool_id=pool, account_id=father, asked_by=patient_of(mother), now=now, by=None)
    return pool


def test_a_child_shares_by_its_guardians_choice_and_an_adult_by_his_own(family, now):
    mother, father, child = family
    earn(mother, 50, now)
    earn(child, 30, now)
    earn(father, 20, now)

    pool = share(family, now)

    assert (balance(pool), balance(child), balance(father)) == (80, 0, 20)
    with pytest.raises(errors.AdultMustAgree):
        pools.answer(account_id=father, agrees=True, consent=Consent(patient_of(mother)), now=now, by=None)
    pools.answer(account_id=father, agrees=True, consent=Consent(patient_of(father)), now=now, by=None)
    assert balance(pool) == 100
    assert [statements.balance_of(one) for one in family] == [100, 100, 100]
    assert verify.check_books().add_up


def test_everybody_spends_what_ends_first_and_takes_along_what_he_brought(family, now):
    mother, _father, child = family
    earn(mother, 50, now, expires_on=date(2026, 12, 31))
    earn(child, 30, now, expires_on=date(2026, 6, 30))
    pool = share(family, now)

    assert spend(mother, 40, now).balance == 40
    assert earn(child, 15, now, expires_on=None).balance == 55
    assert [(row["name"], row["brought"], row["spent"], row["left_of_it"]) for row in pools.members_of(pool)] == [
        ("林美玲", 50, 40, 40), ("王小安", 45, 0, 15), ("王大同", 0, 0, 0),
    ]  # fmt: skip
    with pytest.raises(errors.GuardianMustAgree):
        pools.leave(account_id=child, consent=Consent(patient_of(child)), now=now, by=None)
    pools.leave(account_id=child, consent=Consent(patient_of(mother)), now=now, by=None)

    assert (balance(pool), balance(child), lots(child)) == (40, 15, [(None, 15)])
    pools.leave(account_id=mother, consent=Consent(patient_of(mother)), now=now, by=None)
    assert (balance(pool), lots(mother)) == (0, [(date(2026, 12, 31), 40)])
    assert Account.objects.get(pk=pool).state == "LEFT"
    assert verify.check_books().add_up


def test_undone_spending_goes_back_to_the_family_or_to_whoever_spent_it(family, now):
    mother, _father, child = family
    earn(mother, 50, now, expires_on=date(2026, 12, 31))
    pool = share(family, now)
    spend(child, 20, now, key="mug")
    pools.leave(account_id=child, consent=Consent(patient_of(mother)), now=now, by=None)

    reverse("mug", now, points=5)
    assert balance(pool) == 35
    pools.leave(account_id=mother, consent=Consent(patient_of(mother)), now=now, by=None)
    reverse("mug", now)

    assert (balance(child), lots(child)) == (15, [(date(2026, 12, 31), 15)])
    assert verify.check_books().add_up


def test_only_family_and_only_where_the_programme_says_so(family, now):
    mother, father, _child = family
    stranger = member(open_programme_of(mother), now, "陌生人")
    with pytest.raises(errors.NotFamily):
        hand(mother, stranger, 5, now)
    pool = share(family, now)
    with pytest.raises(errors.NotFamily):
        pools.invite(pool_id=pool, account_id=stranger, asked_by=patient_of(mother), now=now, by=None)

    programme = open_programme_of(mother)
    programme.allows_pools = programme.allows_transfers = False
    programme.save()

    with pytest.raises(errors.NoPools):
        pools.found(account_id=father, consent=Consent(patient_of(father)), now=now, by=None)
    with pytest.raises(errors.NoTransfers):
        hand(mother, father, 5, now)


def open_programme_of(account):
    return Account.objects.select_related("programme").get(pk=account).programme


def hand(giver, taker, points, now, **more):
    return ledger.transfer(
        from_account_id=giver,
        to_account_id=taker,
        points=points,
        key=f"{giver}{taker}{points}",
        because=HANDED,
        now=now,
        by=None,
        **more,
    )


def test_points_handed_over_keep_their_last_day_and_a_childs_need_the_guardian(family, now):
    mother, father, child = family
    earn(child, 10, now, expires_on=date(2026, 6, 30))
    earn(child, 10, now, expires_on=date(2026, 12, 31))
    with pytest.raises(errors.GuardianMustAgree):
        hand(child, father, 15, now)
    with pytest.raises(errors.NotEnoughPoints):
        hand(child, father, 21, now, agreed_by=patient_of(mother))

    posted = hand(child, father, 15, now, agreed_by=patient_of(mother))

    assert (posted.points, posted.balance) == (-15, 5)
    assert lots(father) == [(date(2026, 6, 30), 10), (date(2026, 12, 31), 5)]
    assert not hand(child, father, 15, now, agreed_by=patient_of(mother)).is_new
    ledger.expire(now=now + timedelta(days=120))
    assert (balance(child), balance(father)) == (5, 5)
    assert verify.check_books().add_up


@translation.override("en")
def test_statements_say_why_in_plain_words(family, now):
    mother, father, _child = family
    earn(mother, 50, now, because=Because("EARN_RULE", note="A visit on 16 March"))
    spend(mother, 20, now, key="mug", because=Because("REWARD", note="A mug"))
    reverse("mug", now, because=Because("CANCELLED"))
    hand(mother, father, 10, now)
    pool = share(family, now)

    told = [(row["points"], row["balance"], row["reason"]) for row in statements.entries_of(mother)]

    assert told == [
        (0, 40, "Now shared with the family"), (-10, 40, "Handed to 王大同"), (20, 50, "Given back: called off"), (-20, 30, "A mug"),
        (50, 50, "A visit on 16 March"),
    ]  # fmt: skip
    assert [row["points"] for row in statements.entries_of_pool(pool)] == [40]
    assert [
        row["points"] for row in statements.entries_of(mother, limit=1, before=statements.entries_of(mother)[1]["id"])
    ] == [20]
    assert statements.expiring(mother, now) == [(date(2028, 3, 31), 40)]


def test_whoever_owes_points_cannot_bring_the_family_into_debt(family, now):
    mother, _father, _child = family
    earn(mother, 50, now, key="visit")
    spend(mother, 50, now)
    reverse("visit", now)

    with pytest.raises(errors.OwesPoints):
        pools.found(account_id=mother, consent=Consent(patient_of(mother)), now=now, by=None)
