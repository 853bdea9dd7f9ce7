"""Points come, go, come back and end; the books always say where they are."""

from datetime import date, timedelta

import pytest
from django.db import ProgrammingError, transaction
from django.db.utils import IntegrityError

from careloop.kernel import sql
from careloop.loyalty import errors, privacy
from careloop.loyalty.models import Account, Entry, Lot
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because, Earning

from .support import VISIT, balance, earn, lots, member, open_programme, reverse, spend


@pytest.fixture
def programme(organization, now):
    return open_programme(now)


@pytest.fixture
def account(programme, now):
    return member(programme, now)


def test_what_was_earned_can_be_spent_until_the_month_after_two_years_ends(account, now):
    posted = earn(account, 120, now)

    assert (posted.points, posted.balance, posted.is_new) == (120, 120, True)
    assert lots(account) == [(date(2028, 3, 31), 120)]
    assert spend(account, 50, now).balance == 70
    assert lots(account) == [(date(2028, 3, 31), 70)]


def test_the_same_key_posts_only_once(account, now):
    first = earn(account, 120, now, key="visit 1")
    again = earn(account, 120, now, key="visit 1")

    assert (again.entry_id, again.points, again.balance, again.is_new) == (first.entry_id, 120, 120, False)
    assert spend(account, 20, now, key="mug").entry_id == spend(account, 20, now, key="mug").entry_id
    assert balance(account) == 100


def test_nobody_spends_what_is_not_there(account, now):
    earn(account, 30, now)

    with pytest.raises(errors.NotEnoughPoints) as refused:
        spend(account, 31, now)

    assert refused.value.details == {"balance": 30, "asked": 31}
    assert balance(account) == 30


def test_what_ends_first_is_spent_first_and_then_what_is_oldest(account, now):
    earn(account, 10, now, expires_on=None)
    earn(account, 20, now, expires_on=date(2026, 9, 30))
    earn(account, 30, now, expires_on=date(2026, 4, 30))

    spend(account, 35, now)

    assert lots(account) == [(date(2026, 9, 30), 15), (None, 10)]


def test_undone_spending_goes_back_to_the_lots_it_came_from(account, now):
    earn(account, 20, now, expires_on=date(2026, 9, 30))
    earn(account, 30, now, expires_on=date(2026, 4, 30))
    spend(account, 40, now, key="mug")

    assert reverse("mug", now, points=15).balance == 25
    assert lots(account) == [(date(2026, 4, 30), 5), (date(2026, 9, 30), 20)]
    assert reverse("mug", now).balance == 50
    assert lots(account) == [(date(2026, 4, 30), 30), (date(2026, 9, 30), 20)]
    with pytest.raises(errors.TooMuchToReverse):
        reverse("mug", now)


def test_a_point_whose_day_has_passed_expires_when_it_comes_back(account, now):
    earn(account, 30, now, expires_on=date(2026, 4, 30))
    spend(account, 30, now, key="mug")

    posted = reverse("mug", now + timedelta(days=60))

    assert (posted.points, posted.balance) == (30, 0)
    assert list(Entry.objects.order_by("id").values_list("kind", "points")) == [
        ("EARN", 30), ("SPEND", 30), ("REVERSE", 30), ("EXPIRE", 30),
    ]  # fmt: skip


def test_an_undone_earning_takes_its_own_points_first_and_then_others(account, now):
    earn(account, 50, now, key="visit 1", expires_on=date(2026, 9, 30))
    earn(account, 50, now, key="visit 2", expires_on=date(2026, 12, 31))
    spend(account, 20, now)

    assert reverse("visit 1", now).balance == 30
    assert lots(account) == [(date(2026, 12, 31), 30)]


def test_points_spent_already_are_owed_and_paid_by_later_ones(account, now):
    earn(account, 50, now, key="visit 1")
    spend(account, 40, now)

    assert reverse("visit 1", now).balance == -40
    assert lots(account) == []
    assert earn(account, 30, now).balance == -10
    assert earn(account, 30, now).balance == 20
    assert [left for _day, left in lots(account)] == [20]


def test_where_nobody_owes_points_only_what_is_there_goes(organization, now):
    account = member(open_programme(now, when_spent="BLOCK"), now)
    earn(account, 50, now, key="visit 1")
    spend(account, 40, now)

    posted = reverse("visit 1", now, key="refund 1")

    assert (posted.points, posted.balance) == (-10, 0)
    assert Entry.objects.get(pk=posted.entry_id).waived == 40
    again = reverse("visit 1", now, key="refund 1")
    assert (again.points, again.is_new) == (-10, False)


def test_points_that_expired_are_not_taken_once_more(account, now):
    earn(account, 50, now, key="visit 1", expires_on=date(2026, 4, 30))
    later = now + timedelta(days=60)
    earn(account, 20, later)
    ledger.expire(now=later)

    posted = reverse("visit 1", later)

    assert (posted.points, posted.balance) == (0, 20)


def test_points_end_with_their_day_in_the_clinics_own_time(account, now):
    earn(account, 50, now, expires_on=date(2026, 3, 31))
    evening = now.replace(month=3, day=31, hour=15, minute=59)  # 23:59 in Taipei

    assert ledger.expire(now=evening) == 0
    assert ledger.expire(now=evening + timedelta(minutes=1)) == 1
    assert ledger.expire(now=evening + timedelta(days=1)) == 0
    assert balance(account) == 0


def test_spending_lets_what_has_ended_expire_before_the_round_comes_by(account, now):
    earn(account, 50, now, expires_on=date(2026, 3, 31))

    earn(account, 5, now, expires_on=None)

    with pytest.raises(errors.NotEnoughPoints):
        spend(account, 10, now + timedelta(days=30))
    assert balance(account) == 5


def test_a_change_by_hand_needs_a_reason_and_can_be_undone(account, now):
    with pytest.raises(errors.ReasonMissing):
        ledger.adjust(account_id=account, points=10, key="a", because=Because("MANUAL"), now=now, by=None)
    gift, taken = Because("MANUAL", note="missing from the old cards"), Because("MANUAL", note="counted twice")

    ledger.adjust(account_id=account, points=10, key="b", because=gift, now=now, by=None)
    posted = ledger.adjust(account_id=account, points=-25, key="c", because=taken, now=now, by=None)

    assert posted.balance == -15
    assert reverse("c", now).balance == 10


def test_thousands_earn_in_one_statement_and_only_once(programme, now):
    first, second = member(programme, now), member(programme, now, "陳大文")
    earn(first, 50, now, key="visit 1")
    spend(first, 50, now)
    reverse("visit 1", now)
    rows = [
        Earning(first, 30, "a", VISIT), Earning(second, 7, "b", VISIT), Earning(first, 40, "c", Because("BIRTHDAY", note="生日快樂")),
        Earning(first, 40, "c", VISIT), Earning(second, 9, "visit 1", VISIT),
    ]  # fmt: skip

    posted = ledger.earn_many(rows, now=now)

    assert [(one.points, one.balance, one.is_new) for one in posted] == [
        (30, -20, True), (7, 7, True), (40, 20, True), (40, 20, False), (50, 50, False),
    ]  # fmt: skip
    assert [left for _day, left in lots(first)] == [20]
    assert [one.is_new for one in ledger.earn_many(rows, now=now)] == [False] * 5
    assert sql.value("select count(*) from events_event where kind = 'loyalty.points_earned'") == 4


def test_the_application_cannot_write_the_books_itself(account, now):
    earn(account, 50, now)

    for statement in (
        "update loyalty_entry set points = 60", "delete from loyalty_entry", "update loyalty_lot set points = 60",
        "delete from loyalty_lot_use", "insert into loyalty_lot_use (entry_id, lot_id, points) values (1, 1, 5)",
    ):  # fmt: skip
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            sql.execute(statement)
    with pytest.raises(IntegrityError, match="balance changes with an entry"), transaction.atomic():
        Account.objects.filter(pk=account).update(balance=60)


def test_lots_and_uses_add_up(account, now):
    earn(account, 50, now)
    spend(account, 20, now)

    assert [(one.points, one.left) for one in Lot.objects.all()] == [(50, 30)]


def test_a_patient_gets_the_statement_and_words_can_be_erased(account, now):
    earn(account, 50, now, because=Because("EARN_RULE", note="Thank you for coming"))
    patient = Account.objects.get(pk=account).patient_id

    (mine,) = privacy.export(patient)["memberships"]
    assert [(row["points"], row["said"]) for row in mine["points"]] == [(50, "Thank you for coming")]

    privacy.erase(patient)
    (mine,) = privacy.export(patient)["memberships"]
    assert [(row["points"], row["said"]) for row in mine["points"]] == [(50, "")]
    assert balance(account) == 50
